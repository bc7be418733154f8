"""What a run says of its networks at the end."""

import json

import cv2
import numpy as np

from helpers import tiny_model, write_photo
from sodkeras.data import find_pairs
from sodkeras.evaluation import evaluate


def make_set(folder, values):
    """Three pairs whose masks have a disc of these values, one a pair."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index, value in enumerate(values):
        write_photo(folder / f"images/{index}.png", seed=index)
        mask = cv2.circle(np.zeros((60, 80)), (26 + 5 * index, 30), 15, value, -1)
        cv2.imwrite(str(folder / f"masks/{index}.png"), mask)
    return folder


def test_a_set_that_has_no_meaning_is_named_and_others_are_scored(tmp_path):
    tiny_model().save(tmp_path / "tiny.keras")
    pairs = {
        "good": find_pairs([make_set(tmp_path / "good", [1, 2, 255])]),
        "empty": find_pairs([make_set(tmp_path / "empty", [0, 0, 0])]),
        "classes": find_pairs([make_set(tmp_path / "classes", [15, 15, 3])], mask_value=15),
    }
    table, failures = evaluate({"tiny": tmp_path / "tiny.keras"}, pairs, tmp_path / "out")
    assert [(name, "3 masks, all empty" in str(error)) for name, error in failures] == [("empty", True)]
    rows = json.loads((tmp_path / "out/scores.json").read_text())["scores"]
    assert rows == table.rows
    assert [(row["set"], row["pictures"], row["empty_masks"]) for row in rows] == [("good", 3, 0), ("classes", 3, 1)]
    table, failures = evaluate({"tiny": tmp_path / "tiny.keras"}, {"empty": pairs["empty"]}, tmp_path / "none")
    assert table.rows == [] and len(failures) == 1
