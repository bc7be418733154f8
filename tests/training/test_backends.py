"""The same recipe trains on another backend of Keras."""

import csv
import importlib.util
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from helpers import photo
from sodkeras.models import CSNet

FUSION = {"stages": [4], "mixed": [2], "dilation_rates": [1], "dilated": [[2]], "filters": 2}
PLAN = {"stages": [[[2]], [[2, 2]], [[2]], [[2]], [[2]]], "fusion": FUSION}
CHANGES = {"size": (32, 32), "batch": 4, "epochs": 3, "steps_per_epoch": 1, "learning_rate": 1e-2}


def losses(backend, folder, initial):
    """Trains by the recipe csnet, as a user does, and reads the loss of each of three steps."""
    out = folder / backend
    changes = CHANGES | {"arguments": {"plan": PLAN}, "initial_weights": str(initial)}
    command = [sys.executable, "-m", "sodkeras.commands.main", "train", "--recipe=csnet", f"--data={folder / 'data'}"]
    command += [f"--out={out}", *(f"--set={name}={value}" for name, value in changes.items())]
    done = subprocess.run(command, env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert f'"backend": "{backend}"' in (out / "settings.json").read_text()
    with (out / "log.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch is not installed")
def test_csnet_trains_on_pytorch_as_on_tensorflow(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for number in range(6):
        picture = photo(40, 48, seed=number)
        cv2.imwrite(str(tmp_path / "data/images" / f"{number}.png"), picture)
        cv2.imwrite(str(tmp_path / "data/masks" / f"{number}.png"), 255 * np.uint8(picture[..., 0] > 120))
    initial = tmp_path / "initial.keras"
    CSNet(plan=PLAN).save(initial)
    tensorflow, torch = (losses(backend, tmp_path, initial) for backend in ("tensorflow", "torch"))
    np.testing.assert_allclose(torch[0], tensorflow[0], rtol=1e-5)
    # What the optimizer made of it: the later batches' losses, where Adam makes much of rounding.
    np.testing.assert_allclose(torch, tensorflow, rtol=1e-3)
