"""What a run says of its networks at the end."""

import json

import cv2
import numpy as np
import pytest

from helpers import tiny_model, write_photo
from sodkeras import SodkerasError
from sodkeras.data import find_pairs
from sodkeras.evaluation import evaluate
from sodkeras.tflite.convert import convert


def make_set(folder, values):
    """Three pairs whose masks have a disc of these values, one a pair."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index, value in enumerate(values):
        write_photo(folder / f"images/{index}.png", seed=index)
        mask = cv2.circle(np.zeros((60, 80)), (26 + 5 * index, 30), 15, value, -1)
        cv2.imwrite(str(folder / f"masks/{index}.png"), mask)
    return folder


def test_a_model_and_its_file_are_scored_alike_and_nothing_is_an_error(tmp_path):
    pairs = find_pairs([make_set(tmp_path / "good", [255, 255, 255])])
    model = tiny_model()
    (file,) = convert(model, tmp_path, "float32")
    table, failures = evaluate({"model": model, "file": file}, {"good": pairs}, str(tmp_path / "out"))
    assert failures == [] and (tmp_path / "out/scores.json").exists()
    first, second = table.rows
    assert first["mae"] == pytest.approx(second["mae"], abs=1e-4) and first["pictures"] == 3
    for models, sets in (({}, {"good": pairs}), ({"model": model}, {})):
        with pytest.raises(SodkerasError, match="at least one model and one set"):
            evaluate(models, sets, tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


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
