"""The scripts behind the networks that ship: their commands run, and what they say of a run is what was done."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

from sodkeras import Predictor, weights
from sodkeras.data import find_pairs
from sodkeras.data.synthetic import write_synthetic

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "training" / "weights"


def load(name):
    """A script as a module; its `main` is not run."""
    specification = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "made"
    write_synthetic(folder, 40, (60, 80), progress=False)
    return folder


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
    assert again.returncode == 0 and "pictures to train on" not in again.stdout


@pytest.mark.parametrize(
    ("name", "stages"),
    [("csnet_l_x1", {"small": 128, "whole": 192}), ("u2netp_pruned_224", {"whole": 64})],
)
def test_a_network_of_the_package_is_trained_further_by_its_script(pairs, tmp_path, examples, name, stages):
    arguments = ["--side=64"] if name.startswith("u2netp") else []
    command = [sys.executable, SCRIPTS / f"{name}.py", f"--data={pairs}", f"--out={tmp_path / name}", "--steps=3"]
    result = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    made = json.loads((tmp_path / name / "made.json").read_text())
    assert made["stages"] == {stage: {"epochs": 1, "size": [side, side]} for stage, side in stages.items()}
    assert Predictor(str(tmp_path / name / "whole/last.keras"))(examples / "cat.jpg").std() > 0.01


def test_the_table_to_choose_by_is_that_of_the_measurements():
    written = (SCRIPTS / "table.csv").read_text(encoding="utf-8").splitlines()
    rows = load("table").rows()
    assert len(written) == len(rows) + 1, "run python training/weights/table.py"
    assert written[0].split(",") == list(rows[0])
    for name in weights.preset_names():
        assert name in {row["network"] for row in rows}, f"{name} was not scored (training/weights/scores.py)"


def test_every_card_is_the_one_that_its_preset_gives():
    cards = load("cards")
    import csv

    with (SCRIPTS / "scores.csv").open(encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    networks = cards.networks()
    assert "u2netp" in networks
    for name, presets in networks.items():
        written = (SCRIPTS.parent.parent / f"docs/weights/{name}.md").read_text(encoding="utf-8")
        assert cards.card(name, presets, scores) == written, "run python training/weights/cards.py"
