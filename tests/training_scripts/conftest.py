"""Pairs to train on, and the run of a script that trains a network of the package further."""

import json
import pathlib
import subprocess
import sys

import pytest

from sodkeras import Predictor
from sodkeras.data.synthetic import write_synthetic

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "training" / "weights"


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "made"
    write_synthetic(folder, 40, (60, 80), progress=False)
    return folder


@pytest.fixture
def is_trained_by_its_script(pairs, tmp_path, examples):
    """Runs training/weights/NAME.py for three steps a stage; gives whether the network that it made finds something."""

    def run(name, stages, *arguments):
        command = [sys.executable, SCRIPTS / f"{name}.py", f"--data={pairs}", f"--out={tmp_path / name}", "--steps=3"]
        result = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        made = json.loads((tmp_path / name / "made.json").read_text())
        assert made["stages"] == {stage: {"epochs": 1, "size": [side, side]} for stage, side in stages.items()}
        return Predictor(str(tmp_path / name / "whole/last.keras"))(examples / "cat.jpg").std() > 0.01

    return run
