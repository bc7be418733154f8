"""The scripts behind the networks that ship: their commands run, and what they say of a run is what was done."""

import csv
import json
import pathlib
import subprocess
import sys

import pytest

from helpers import load_script, photo, tiny_model, write_photo
from sodkeras import Predictor, weights
from sodkeras.data import find_pairs
from sodkeras.models import MODELS
from sodkeras.tflite.convert import convert

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "training" / "weights"


def load(name):
    return load_script(SCRIPTS / f"{name}.py")


@pytest.mark.reference
def test_the_share_that_is_kept_is_the_one_that_was_agreed(reference):
    found = find_pairs([reference / "data/duts_tr"])
    kept = [pair for pair in found if load("chain").kept(pair)]
    assert (len(found), len(kept)) == (10_532, 532)


@pytest.mark.reference
def test_a_dnl_is_made_by_the_command_in_its_card(pairs, tmp_path, reference, examples):
    encoder = reference / "reference/weights/mobilenet_v2_1.0_224_quant.tflite"
    command = [sys.executable, SCRIPTS / "dnl.py", f"--data={pairs}", f"--out={tmp_path / 'dnl'}", "--steps=20"]
    result = subprocess.run([*command, f"--encoder={encoder}"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    made = json.loads((tmp_path / "dnl/made.json").read_text())
    assert made["stages"] == {"small": {"epochs": 1, "size": [128, 128]}, "whole": {"epochs": 1, "size": [256, 256]}}
    assert made["pictures"]["training"] + made["pictures"]["validation"] == 40 > made["pictures"]["validation"] > 0
    assert made["commands"] == ["python training/weights/dnl.py --data=DUTS-TR --out=dnl"]
    network = Predictor(str(tmp_path / "dnl/whole/last.keras"))
    assert network(examples / "cat.jpg").std() > 0.01
    # The same command again finds it done.
    again = subprocess.run([*command, f"--encoder={encoder}"], capture_output=True, text=True, check=False)
    assert again.returncode == 0 and "pictures to train on" in result.stderr and "to train on" not in again.stderr


def test_the_table_to_choose_by_is_that_of_the_measurements():
    written = (SCRIPTS / "table.csv").read_text(encoding="utf-8").splitlines()
    rows = load("table").rows()
    assert len(written) == len(rows) + 1, "run python training/weights/table.py"
    assert written[0].split(",") == list(rows[0])
    for name in weights.file_names():
        assert name in {row["network"] for row in rows}, f"{name} was not scored (training/weights/scores.py)"


def test_every_network_has_one_card_that_says_what_the_data_says():
    cards = load("cards")
    with (SCRIPTS / "scores.csv").open(encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    folder = SCRIPTS.parent.parent / "docs/weights"
    assert sorted(path.stem for path in folder.glob("*.md")) == weights.preset_names()
    for name in weights.preset_names():
        written = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert cards.card(written, name, scores) == written, "run python training/weights/cards.py"


def test_a_card_keeps_what_was_written_by_hand():
    cards = load("cards")
    text = cards.card(None, "u2netp", []).replace("DUTS-TR: photos", "By hand: photos").replace("1,131,181", "few")
    again = cards.card(text, "u2netp", [])
    assert "By hand: photos" in again and "1,131,181 parameters" in again and "few parameters" not in again


def test_a_networks_name_is_scored_as_all_of_its_files():
    each_file = load("scores").each_file
    assert each_file(["u2netp", "mine.keras"]) == ["u2netp_keras", "u2netp_int8", "mine.keras"]
    assert each_file(["u2netp_int8", "u2netp_int8"]) == ["u2netp_int8"]
    assert each_file(None) == weights.file_names()


def test_a_trained_network_is_packaged_with_one_preset(tmp_path, monkeypatch):
    """As `package.py` does it, in a folder of our own; the conversion is given the network that its name stands for."""
    package, presets, converted = load("package"), tmp_path / "presets", []
    presets.mkdir()
    monkeypatch.setattr(package, "PRESETS", presets)
    monkeypatch.setattr(weights, "_PRESETS", presets)

    def by_name(name, folder, numerics, calibration):
        converted.append((name, weights.preset(name)["licence"]))
        return convert(weights.load_model(name), folder, numerics, calibration)

    monkeypatch.setattr("sodkeras.tflite.convert.convert", by_name)
    for seed in range(4):
        write_photo(tmp_path / f"{seed}.png", seed=seed)
    training = {"commands": ["python training/weights/small.py"], "start": "random weights"}
    facts = {"name": "small", "title": "A network", "licence": "MIT", "origin": "here", "training": training}
    package.package(tiny_model(), facts, tmp_path, ["float16", "int8"], "int8")
    assert converted == [("small", "MIT")] * 2
    preset = weights.preset("small")
    assert list(preset["files"]) == ["keras", "float16", "int8"] and preset["kind"] == preset["best"] == "int8"
    assert preset["training"] == training and preset["model"] == "U2Net"
    for name in weights.file_names():
        assert weights.fetch(name).name == weights.preset(name)["file"]  # whose SHA-256 is right
        assert Predictor(name)(photo()).std() > 0.01 and Predictor(name).runtime.name == "small"
    built = MODELS[preset["model"]](**preset["arguments"], name="small")
    assert built.count_params() == weights.load_model("small").count_params()
    # Packaged again without a file, it has that no more; another network's that begins as it does stays.
    (presets / "small_two_float16.tflite").write_bytes(b"another's")
    package.package(tiny_model(), facts, tmp_path, ["int8"])
    assert sorted(path.name for path in presets.iterdir()) == [
        "small.json",
        "small.keras",
        "small_int8.tflite",
        "small_two_float16.tflite",
    ]


@pytest.mark.parametrize(
    ("name", "numerics", "best", "says"),
    [
        ("small", ["float16", "int8"], None, "best for phones"),
        ("small", ["int8"], "float16", "best for phones"),
        ("small", ["int4"], "int4", "Received: int4"),
        ("small_int8", ["int8"], None, "does not end"),
    ],
)
def test_a_preset_that_would_mislead_is_not_written(tmp_path, monkeypatch, name, numerics, best, says):
    package = load("package")
    monkeypatch.setattr(package, "PRESETS", tmp_path)
    with pytest.raises(ValueError, match=says):
        package.package(tiny_model(), {"name": name}, tmp_path, numerics, best)
    assert not list(tmp_path.iterdir())
