import shutil

import cv2
import numpy as np
import pytest

from helpers import write_photo
from sodkeras.commands.main import main
from sodkeras.training.settings import read_recipe, recipe_names


def test_the_help_names_every_recipe(capsys):
    assert main(["train", "--help"]) == 0
    assert ", ".join(recipe_names()) in capsys.readouterr().out


def test_settings_are_printed_as_they_were_resolved(capsys):
    command = ["train", "--recipe=csnet", "--short", "--settings", "--epochs=7", "--size=64x64"]
    assert main([*command, "--set=arguments.width=1.5", "--set=masks=nearest"]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = read_recipe("csnet", short=True).changed(
        {"epochs": 7, "size": 64, "arguments.width": 1.5, "masks": "nearest"}
    )
    assert lines == [f"{name} = {value!r}" for name, value in expected.to_dict().items()]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "name --recipe"),
        (["--recipe=csnet"], 2, "name --data and --out"),
        (["--recipe=csnet", "more"], 2, "everything is a flag here. Received: more"),
        (["--recipe=csnt"], 1, "did you mean csnet? Received: csnt"),
        (["--recipe=csnet", "--set=learning_rat=1"], 1, "did you mean learning_rate"),
        (["--recipe=csnet", "--set=learning_rate"], 1, "KEY=VALUE. Received: learning_rate"),
        (["--recipe=csnet", "--epochs=many"], 2, "--epochs"),
        (["--recipe=csnet", "--strategy=mirored"], 2, "--strategy=mirored: value should be one of <one|mirrored|"),
        (["--recipe=csnet", "--epochs=0"], 1, "epochs must be at least 1. Received: 0"),
        (["--recipe=csnet", "--data=nowhere", "--out=run"], 1, "no such folder"),
    ],
)
def test_wrong_use_is_one_sentence(arguments, code, message, capsys):
    assert main(["train", *arguments]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_a_damaged_file_is_found_before_training(tmp_path, capsys):
    for folder in ("images", "masks"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for number in range(30):
            (tmp_path / "set" / folder / f"{number}.png").write_bytes(b"no picture")
    assert main(["train", "--recipe=csnet", f"--data={tmp_path / 'set'}", f"--out={tmp_path / 'run'}"]) == 1
    assert "60 files cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_doubtful_about_the_data_is_said_and_training_begins(tmp_path, capsys, monkeypatch):
    """A picture that is also in the test set makes every score too good."""
    for folder in ("training", "test"):
        (tmp_path / folder / "images").mkdir(parents=True)
        (tmp_path / folder / "masks").mkdir()
    for number in range(30):
        write_photo(tmp_path / f"training/images/{number}.png", seed=number)
        cv2.imwrite(
            str(tmp_path / f"training/masks/{number}.png"), cv2.circle(np.zeros((60, 80)), (30, 30), 9, 255, -1)
        )
    for kind in ("images", "masks"):
        shutil.copy(tmp_path / f"training/{kind}/7.png", tmp_path / f"test/{kind}/other.png")
    began = []
    monkeypatch.setattr("sodkeras.training.trainer.train", lambda *arguments: began.append(arguments))
    arguments = [f"--data={tmp_path / 'training'}", f"--test={tmp_path / 'test'}", f"--out={tmp_path / 'run'}"]
    assert main(["train", "--recipe=csnet", *arguments]) == 0
    assert "found in the data: " in (printed := capsys.readouterr().err)
    assert "1 × duplicate" in printed and "sodkeras data --check lists them" in printed
    assert len(began) == 1


def test_masks_of_classes_are_found_before_training_and_one_is_chosen(tmp_path, capsys, monkeypatch):
    for folder in ("images", "masks"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    for number in range(30):
        write_photo(tmp_path / f"set/images/{number}.png", seed=number)
        mask = cv2.circle(np.zeros((60, 80)), (30, 30), 20, 15, -1)
        cv2.imwrite(str(tmp_path / f"set/masks/{number}.png"), cv2.circle(mask, (60, 30), 12, 220, -1))
    began = []
    monkeypatch.setattr("sodkeras.training.trainer.train", lambda *arguments: began.append(arguments))
    arguments = [f"--data={tmp_path / 'set'}", f"--test=test={tmp_path / 'set'}", f"--out={tmp_path / 'run'}"]
    assert main(["train", "--recipe=csnet", *arguments]) == 1
    error = capsys.readouterr().err
    assert "60 files cannot be used" in error and "--mask_value=N" in error
    assert "(mask of classes: 3 values: 0, 15, 220)" in error and not began
    assert main(["train", "--recipe=csnet", *arguments, "--mask_value=15", "--set=cache=kept"]) == 0
    (settings, training, _, validation, tests, *_, origin) = began[0]
    assert {pair.mask_value for pair in [*training, *validation, *tests["test"]]} == {15}
    assert origin["mask_value"] == 15
    assert settings.cache == "kept"
