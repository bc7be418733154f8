"""The same recipe trains on another backend of Keras, on a machine without TensorFlow."""

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
CHANGES = {
    "size": (32, 32),
    "batch": 2,
    "epochs": 2,
    "steps_per_epoch": 2,
    "learning_rate": 1e-2,
    "dynamic_decay": 3.0,
    "decay_exempt": "gammas",
    "re_estimate": 1,
}
START = "import sys; from sodkeras.commands.main import main; "
WITHOUT = "import sys; sys.modules['tensorflow'] = None; from sodkeras.commands.main import main; "
#: As Ctrl-C would, within the second epoch.
STOP = """
import os, signal
from sodkeras.training import safeguards

class Stop(safeguards.NoNaN):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if self._step == 3:
            os.kill(os.getpid(), signal.SIGINT)

safeguards.NoNaN = Stop
"""


def train(backend, folder, prelude):
    """Trains by the recipe csnet, as a user does; returns the finished process."""
    changes = CHANGES | {"arguments": {"plan": PLAN}, "initial_weights": str(folder / "initial.keras")}
    command = [sys.executable, "-c", f"{prelude}\nsys.exit(main(sys.argv[1:]))", "train", "--recipe=csnet"]
    command += [f"--data={folder / 'data'}", f"--out={folder / backend}"]
    command += [f"--set={name}={value}" for name, value in changes.items()]
    return subprocess.run(command, env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, text=True)


def losses(folder):
    with (folder / "log.csv").open() as file:
        return [(float(row["loss"]), float(row["val_mae"])) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what was trained under TensorFlow, and what other backends begin with."""
    folder = tmp_path_factory.mktemp("backends")
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    for number in range(6):
        picture = photo(40, 48, seed=number)
        cv2.imwrite(str(folder / "data/images" / f"{number}.png"), picture)
        cv2.imwrite(str(folder / "data/masks" / f"{number}.png"), 255 * np.uint8(picture[..., 0] > 120))
    CSNet(plan=PLAN).save(folder / "initial.keras")
    done = train("tensorflow", folder, START)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return folder


@pytest.mark.train
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_csnet_trains_stops_and_goes_on_without_tensorflow_as_with_it(folder, backend):
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    stopped = train(backend, folder, WITHOUT + STOP)
    assert "stopped at step 3; the same command goes on" in stopped.stderr, stopped.stderr[-3000:]
    assert len(losses(folder / backend)) == 1
    done = train(backend, folder, WITHOUT)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert "going on from step 3 of 4" in done.stderr
    assert f'"backend": "{backend}"' in (folder / backend / "settings.json").read_text()
    assert (folder / backend / "report.html").exists()
    found, expected = losses(folder / backend), losses(folder / "tensorflow")
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    # What the optimizer made of it: the later batches' losses, where Adam makes much of rounding.
    np.testing.assert_allclose(found, expected, rtol=1e-3)
