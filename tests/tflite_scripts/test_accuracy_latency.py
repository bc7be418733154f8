"""The plot of accuracy against latency: it joins what was scored with what was timed, and refuses to draw nothing."""

import pathlib

import cv2
import pytest

from helpers import load_script
from sodkeras import SodkerasError

BENCHMARKS = pathlib.Path(__file__).parents[2] / "tflite/benchmarks"


@pytest.fixture(scope="module")
def script():
    return load_script(BENCHMARKS / "accuracy_latency.py")


def latency(network, numerics, milliseconds):
    row = {"network": network, "numerics": numerics, "processor_median_ms": milliseconds}
    return row | {"megabytes": "1.5", "cpu": "a processor"}


def test_the_scores_of_the_tables_are_found(script):
    scores = script.read_accuracy(BENCHMARKS)
    shipped = {"csnet_l_x1", "csnet_l_x2", "dnl_small", "u2netp", "u2netp_pruned", "u2netp_pruned_224"}
    assert {network for network, _ in scores} == {"CSNet-L ×1", "CSNet-L ×2", *shipped}
    assert {numerics for network, numerics in scores if network == "csnet_l_x1"} == {"float16", "static_wi8_ai8"}
    # Of PASCAL-S: of the horses that stand below it, csnet_l_x1 has as much.
    assert scores["u2netp_pruned", "static_wi8_ai8"] > scores["csnet_l_x1", "static_wi8_ai8"] + 0.05
    assert {numerics for network, numerics in scores if network == "CSNet-L ×1"} == {"float32", "static_wi8_ai8"}
    assert all(0.5 < score < 1 for score in scores.values())


def test_what_has_no_score_is_left_out_and_the_rest_drawn(script, tmp_path):
    scores = {("A", "float32"): 0.8, ("A", "static_wi8_ai8"): 0.79}
    timed = [latency("A", "float32", "20"), latency("A", "static_wi8_ai8", "9"), latency("B", "float32", "5")]
    rows = script.join(timed, scores)
    assert [(row["numerics"], row["max_f"]) for row in rows] == [("float32", 0.8), ("static_wi8_ai8", 0.79)]
    script.draw(rows, tmp_path / "plot.png")
    picture = cv2.imread(str(tmp_path / "plot.png"))
    assert picture.shape[1] > 800 and picture.std() > 5
    with pytest.raises(SodkerasError, match="the networks that have one are A"):
        script.join(timed[2:], scores)
