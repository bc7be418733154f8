"""sodkeras verify as a user meets it: what it prints, writes and exits with."""

import json

import cv2
import numpy as np
import pytest

from helpers import photo, tiny_model, write_photo
from sodkeras.commands.main import main
from sodkeras.predictor import Predictor
from sodkeras.tflite.check.agreement import TOLERANCES, Tolerance
from sodkeras.tflite.convert import convert


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny network as `.keras` and in 8 bits, photos, and for two of the three masks that the network finds."""
    folder = tmp_path_factory.mktemp("verify")
    model = tiny_model()
    model.save(folder / "tiny.keras")
    (folder / "photos").mkdir()
    (folder / "masks").mkdir()
    predictor = Predictor(model)
    for seed in range(3):
        write_photo(folder / "photos" / f"{seed}.png", seed=seed)
        saliency_map = predictor(photo(seed=seed))
        if seed:
            mask = np.uint8(255 * (saliency_map > np.median(saliency_map)))
            cv2.imwrite(str(folder / "masks" / f"{seed}.png"), mask)
    convert(model, folder, ["int8"], folder / "photos")
    return folder


def verify(folder, *flags):
    return main(
        [
            "verify",
            f"{folder}/tiny-32x48-static_wi8_ai8.tflite",
            f"--model={folder}/tiny.keras",
            f"--pictures={folder}/photos",
            *flags,
        ]
    )


def test_a_folder_is_scored_and_reported_beside_the_file(folder, capsys):
    # The masks are the source's own maps, cut where half the pixels are: rounding there costs more than it would.
    assert verify(folder, f"--masks={folder}/masks", "--sheet=2", "--max_f_loss=0.02") == 0
    shown = capsys.readouterr().out
    assert "they agree" in shown and "source: maxF" in shown and "1 partition" in shown and "(2 masks)" in shown
    report = json.loads((folder / "tiny-32x48-static_wi8_ai8.verify.json").read_text())
    assert report["agree"] and report["problems"] == [] and report["numerics"] == "static_wi8_ai8"
    assert {row["name"] for row in report["pictures"]} == {"0.png", "1.png", "2.png"}
    assert min(row["iou"] for row in report["pictures"]) == report["summary"]["worst_iou"]
    assert report["census"]["partitions"] == 1 and report["census"]["operators"]["CONV_2D"] > 5
    truth = report["ground_truth"]
    assert truth["pictures"] == 2 and truth["source"]["max_f"] > 0.9
    assert truth["max_f_loss"] == pytest.approx(truth["source"]["max_f"] - truth["file"]["max_f"])
    sheet = cv2.imread(str(folder / "tiny-32x48-static_wi8_ai8.verify.png"))
    # Five columns of pictures of 3:2, two rows.
    assert sheet.shape[1] == 1500 and 350 < sheet.shape[0] < 500 and sheet.std() > 20


def test_the_limit_that_was_applied_is_shown_and_why(folder, capsys, monkeypatch):
    convert(str(folder / "tiny.keras"), folder)
    lite = str(folder / "tiny-32x48-float32.tflite")
    command = ["verify", lite, f"--model={folder}/tiny.keras", f"--pictures={folder}/photos", "--sheet=0"]
    assert main([*command, "--largest=0.5"]) == 0
    assert "at most 0.5\n" in capsys.readouterr().out
    monkeypatch.setattr("sodkeras.tflite.check.agreement.rounding", lambda *_: 0.25)
    monkeypatch.setitem(TOLERANCES, "float32", Tolerance(largest=1e-12))
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "at most 0.25, by float's own rounding on that picture; else 1e-12" in shown and "they agree" in shown


def test_each_limit_that_is_not_kept_is_named(folder, capsys):
    assert verify(folder, f"--masks={folder}/masks", "--mae_rise=0", "--worst_iou=1", "--sheet=0") == 1
    report = json.loads((folder / "tiny-32x48-static_wi8_ai8.verify.json").read_text())
    assert not report["agree"] and "worst_iou" in report["problems"][0]
    assert f"they do not agree: {'; '.join(report['problems'])}" in capsys.readouterr().out


def test_masks_of_other_pictures_are_one_sentence(folder, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "other.png"), np.zeros((4, 4), np.uint8))
    assert verify(folder, f"--masks={tmp_path}") == 1
    assert "No mask has the name of a picture" in capsys.readouterr().err


def test_masks_are_read_as_they_are_scored_elsewhere(folder, tmp_path, capsys):
    """Masks of 0 and 1 are not empty ones; where all are empty, nothing was verified."""
    for seed in (1, 2):
        mask = cv2.imread(str(folder / f"masks/{seed}.png"), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(tmp_path / f"{seed}.png"), mask // 255)
    assert verify(folder, f"--masks={folder}/masks", "--sheet=0", "--max_f_loss=0.02") == 0
    path = folder / "tiny-32x48-static_wi8_ai8.verify.json"
    truth = json.loads(path.read_text())["ground_truth"]
    assert verify(folder, f"--masks={tmp_path}", "--sheet=0", "--max_f_loss=0.02") == 0
    assert json.loads(path.read_text())["ground_truth"] == truth
    for seed in (1, 2):  # classes, of which 15 is the object
        classes = cv2.imread(str(folder / f"masks/{seed}.png"), cv2.IMREAD_GRAYSCALE) // 17
        classes[:8, :8][classes[:8, :8] == 0] = 7
        cv2.imwrite(str(tmp_path / f"{seed}.png"), classes)
    assert verify(folder, f"--masks={tmp_path}", "--mask_value=15", "--sheet=1", "--max_f_loss=0.02") == 0
    assert json.loads(path.read_text())["ground_truth"] == truth
    for seed in (1, 2):
        cv2.imwrite(str(tmp_path / f"{seed}.png"), np.zeros_like(mask))
    capsys.readouterr()
    assert verify(folder, f"--masks={tmp_path}", "--sheet=0") == 1
    assert "Scores mean nothing where every mask is empty" in capsys.readouterr().err
