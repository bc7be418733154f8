"""Operator times: LiteRT's table is read right, and the profiler's numbers are those of the file that ran."""

import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.tflite.timing.operator_profile import by_kind, parse, profile

#: As benchmark_model prints it: a table for the initialization first, and the delegate as a whole beside its parts.
REPORT = """
Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
\t    [node type]\t    [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\tAllocateTensors\t      0.000\t    1.356\t    1.356\t100.000%\t100.000%\t     0.000\t    1\tAllocateTensors/0

============================== Top by Computation Time ==============================
\tAllocateTensors\t      0.000\t    1.356\t    1.356\t100.000%\t100.000%\t     0.000\t    1\tAllocateTensors/0

Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t    [node type]\t    [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\tDelegate/Convolution (NHWC, F32) IGEMM\t 0.000\t 18.385\t 18.217\t 60.0%\t 60.0%\t 0.000\t 1\t[Delegate]:0
\t Delegate/Sigmoid (NC)\t    0.010\t    0.200\t    0.300\t  1.0%\t 61.0%\t     0.000\t        1\t[Delegate]:1
\t TfLiteXNNPackDelegate\t    0.000\t   18.700\t   18.600\t 61.0%\t122.0%\t     0.000\t        1\t[map]:7
\t                CUMSUM\t   18.700\t    2.000\t    1.5e+00\t  5.0%\t127.0%\t     0.000\t        1\t[sum;more]:3

============================== Top by Computation Time ==============================
\t                CUMSUM\t   18.700\t    2.000\t    9.000\t  5.0%\t127.0%\t     0.000\t        1\t[sum]:3
"""


def test_the_table_of_the_runs_is_read_and_no_delegate_counted_twice():
    times = parse(REPORT)
    assert [(time.order, time.kind, time.milliseconds) for time in times] == [
        (0, "Convolution (NHWC, F32) IGEMM", 18.217),
        (1, "Sigmoid (NC)", 0.3),
        (2, "CUMSUM", 1.5),
    ]


def test_a_delegate_that_tells_nothing_of_its_inside_counts_as_one():
    report = "\n".join(line for line in REPORT.splitlines() if "Delegate/" not in line)
    assert [time.kind for time in parse(report)] == ["TfLiteXNNPackDelegate", "CUMSUM"]


def test_a_delegates_own_table_stands_for_it():
    """As benchmark_model prints it: the parts apart from the whole, and a place of two partitions counted twice."""
    inside = """Delegate internal:
============================== Run Order ==============================
\t    [node type]\t    [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\tAdd (ND)\t 0.000\t 4.5\t 4.0\t 60.0%\t 60.0%\t 0.000\t 2\tDelegate/Add (ND):0
"""
    report = "\n".join(line for line in REPORT.splitlines() if "Delegate/" not in line) + inside
    assert [(time.kind, time.count, time.milliseconds) for time in parse(report)] == [
        ("CUMSUM", 1, 1.5),
        ("Add (ND)", 2, 8),
    ]


def test_sums_by_kind_begin_with_the_costliest_and_their_shares_add_up():
    times = parse(REPORT) + parse(REPORT)
    rows = by_kind(times)
    assert [(kind, count) for kind, count, *_ in rows] == [
        ("Convolution (NHWC, F32) IGEMM", 2),
        ("CUMSUM", 2),
        ("Sigmoid (NC)", 2),
    ]
    assert rows[0][2] == pytest.approx(36.434) and sum(row[3] for row in rows) == pytest.approx(1)


def test_a_report_without_operators_is_refused():
    with pytest.raises(SodkerasError, match="reported no operator"):
        parse("Inference timings in us: Init: 1")


def test_the_profile_of_a_file_has_its_operators_in_running_order(small_file):
    picture = np.random.default_rng(0).normal(size=(1, 16, 24, 3)).astype(np.float32)
    times = profile(small_file, picture, runs=3, warmup=1)
    kinds = [time.kind for time in times]
    assert kinds[0].startswith("Convolution (NHWC, F32)") and kinds.count("CUMSUM") == 1
    assert sum(time.count for time in times if time.kind != "CUMSUM") == 3 and kinds[-1].startswith("Sigmoid")
    assert all(time.milliseconds >= 0 for time in times)


def test_values_of_another_size_and_files_of_another_kind_are_refused(small_file, tmp_path):
    with pytest.raises(SodkerasError, match="bytes"):
        profile(small_file, np.zeros((1, 8, 8, 3), np.float32), runs=1)
    path = tmp_path / "not.tflite"
    path.write_text("nothing of the kind")
    with pytest.raises(SodkerasError, match="Received: "):
        profile(path, np.zeros(1), runs=1)
