"""`sodkeras benchmark` on this machine: what it times, the table it adds to, and how little it needs on a board."""

import csv
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

import sodkeras
from sodkeras import Preprocessing, SodkerasError
from sodkeras.commands.main import main
from sodkeras.tflite.timing.benchmark import COLUMNS, append_rows, measure

#: Put before everything else that a Python imports, in its children too.
BOARD = """
import sys, sysconfig
ALLOWED = {"sodkeras", "absl", "cv2", "ai_edge_litert", "numpy", "PIL"}
ALLOWED |= {"backports", "flatbuffers", "google", "ml_dtypes", "tqdm", "typing_extensions"}  # what LiteRT brings

class OnlyWhatABoardHas:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and top not in sys.stdlib_module_names and not top.startswith(("_", "sitecustomize")):
            raise ModuleNotFoundError(f"a board has no {name}", name=name)

sys.meta_path.insert(0, OnlyWhatABoardHas())
"""


class SlowRuntime:
    """Takes the time that it is told to, and more in its first runs."""

    preprocessing = Preprocessing((8, 8))

    def __init__(self):
        self.calls = 0

    def __call__(self, batch):
        self.calls += 1
        time.sleep(0.2 if self.calls <= 2 else 0.01)
        return np.zeros((1, 8, 8), np.float32)


def test_warm_up_is_run_and_not_measured():
    runtime = SlowRuntime()
    times = measure(runtime, [np.zeros((4, 4, 3), np.uint8)], runs=3, warmup=2)
    assert runtime.calls == 5
    assert {name: len(values) for name, values in times.items()} == {"pre": 3, "inference": 3, "post": 3}
    assert 10 <= times["inference"].min() < 150


def test_the_verb_prints_times_and_operators_and_the_table_grows(small_file, tmp_path, capsys):
    table = tmp_path / "tables" / "times.csv"
    for threads in (1, 2):
        command = ["benchmark", str(small_file), "--runs=4", "--warmup=1", f"--threads={threads}", f"--csv={table}"]
        assert main([*command, "--operators", "--top=1"] if threads == 1 else command) == 0
    shown = capsys.readouterr().out
    assert "2 of 3 ops delegated" in shown or "3 of 4 ops delegated" in shown
    assert "outside: 1 CUMSUM" in shown
    # The profile tells what XNNPACK ran inside, not that it ran, and what ran outside of it.
    assert "Convolution (NHWC, F32)" in shown and "CUMSUM" in shown and "Delegate" not in shown
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["threads"] for row in rows] == ["1", "2"] and tuple(rows[0]) == COLUMNS
    first = rows[0]
    assert (first["model"], first["numerics"], first["size"], first["partitions"]) == ("small", "float32", "16x24", "2")
    least, median, p90 = (float(first[f"inference_{name}_ms"]) for name in ("min", "median", "p90"))
    assert 0 < least <= median <= p90
    assert "LiteRT" in first["system"] and "OpenCV" in first["system"]


def test_a_table_of_something_else_is_not_spoilt(tmp_path):
    table = tmp_path / "other.csv"
    table.write_text("network,time\n")
    with pytest.raises(SodkerasError, match=r"name a new file. Received: .*other.csv"):
        append_rows(table, [dict.fromkeys(COLUMNS, 1)])
    assert table.read_text() == "network,time\n"
    with pytest.raises(SodkerasError, match="Cannot write the table"):
        append_rows(tmp_path, [])


def test_flags_for_phones_need_adb(small_file, capsys):
    assert main(["benchmark", str(small_file), "--serial=x"]) == 2
    assert "add --adb" in capsys.readouterr().err


def test_a_file_that_is_no_model_is_one_sentence(tmp_path, capsys):
    path = tmp_path / "not.tflite"
    path.write_text("nothing of the kind")
    assert main(["benchmark", str(path)]) == 1
    assert capsys.readouterr().err.strip() == f"sodkeras benchmark: The file is not a .tflite model. Received: {path}"


def test_a_board_without_tensorflow_benchmarks_and_profiles(small_file, tmp_path):
    """Every import but LiteRT, NumPy, OpenCV and absl fails, in the processes that the verb starts as well."""
    (tmp_path / "sitecustomize.py").write_text(BOARD)
    source = pathlib.Path(sodkeras.__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(source)])}
    command = [sys.executable, "-c", "import tensorflow"]
    assert (
        "a board has no tensorflow" in subprocess.run(command, env=environment, capture_output=True, text=True).stderr
    )
    command = [sys.executable, "-m", "sodkeras", "benchmark", str(small_file), "--runs=2", "--operators"]
    command.append(f"--csv={tmp_path / 'board.csv'}")
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "CUMSUM" in result.stdout and len((tmp_path / "board.csv").read_text().splitlines()) == 2
