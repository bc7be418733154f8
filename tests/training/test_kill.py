"""A real process, killed at random moments of its training, ends where one ends that was left alone."""

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from helpers import free_ports

#: The network of conftest.py: that of a real recipe takes half a minute to begin, and a kill is a beginning.
RECIPE = f"""
import sys

sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parent)!r})
from conftest import Tiny
from sodkeras.models import MODELS

MODELS["Tiny"] = Tiny
SETTINGS = {{
    "model": "Tiny",
    "size": (24, 24),
    "batch": 4,
    "epochs": 40,
    "learning_rate": 0.02,
    "weight_decay": 1e-3,
    "schedule": "cosine",
    "warm_up_epochs": 2,
    "ema_momentum": 0.8,
    "validation_share": 0.2,
    "save_every": 3,
    "samples": 1,
}}
"""
#: A step of two workers takes its time.
OF_TWO = ("--set=epochs=8", "--set=steps_per_epoch=4")


def start(folder, data_folder, out, *flags, log=None, **environment):
    (folder / "recipe.py").write_text(RECIPE)
    command = [sys.executable, "-m", "sodkeras", "train", f"--recipe={folder / 'recipe.py'}"]
    command += [f"--data={data_folder}", f"--out={folder / out}", *flags]
    file = (folder / (log or f"{out}.txt")).open("ab")
    return subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | environment)


def last_step(folder):
    names = [path.name for path in (folder / "checkpoints").glob("step-*.npz")]
    return max((int(re.search(r"\d+", name)[0]) for name in names), default=0)


def weights(path):
    return [values.tobytes() for values in keras.models.load_model(path).get_weights()]


@pytest.mark.train
def test_a_run_that_is_killed_four_times_ends_with_the_same_bits(data_folder, tmp_path):
    whole = start(tmp_path, data_folder, "whole")
    assert whole.wait() == 0, (tmp_path / "whole.txt").read_text()
    randomness = random.Random(0)
    kills, steps = 0, []
    for _ in range(20):
        process = start(tmp_path, data_folder, "cut")
        before = last_step(tmp_path / "cut")
        if kills < 4:
            # Once in four at its start, else when it has made steps.
            while kills % 4 and process.poll() is None and last_step(tmp_path / "cut") == before:
                time.sleep(0.01)
            time.sleep(randomness.uniform(0, 0.5))
            process.kill()
        code = process.wait()
        kills += code == -9
        steps.append(last_step(tmp_path / "cut"))
        if code == 0:
            break
        assert code == -9, (tmp_path / "cut.txt").read_text()
    assert kills == 4, steps
    for name in ("last.keras", "best.keras"):
        assert weights(tmp_path / "cut" / name) == weights(tmp_path / "whole" / name), steps
    strip = re.compile(r"^(\d+,\d+),[\d.]+,", re.MULTILINE)  # the seconds
    logs = [strip.sub(r"\1,", pathlib.Path(tmp_path / out / "log.csv").read_text()) for out in ("cut", "whole")]
    assert logs[0] == logs[1]


def start_two(folder, data_folder, out):
    """Two workers on this machine."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    for index in range(2):
        cluster = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        log = f"{out}{index}.txt"
        yield start(folder, data_folder, out, "--strategy=multiworker", *OF_TWO, log=log, TF_CONFIG=cluster)


@pytest.mark.train
def test_a_run_of_two_workers_of_which_one_is_killed_goes_on_to_the_same_weights(data_folder, tmp_path):
    def said(out, index):
        return (tmp_path / f"{out}{index}.txt").read_text()

    for index, worker in enumerate(list(start_two(tmp_path, data_folder, "whole"))):
        assert worker.wait(600) == 0, said("whole", index)
    workers = list(start_two(tmp_path, data_folder, "cut"))
    while last_step(tmp_path / "cut") < 6 and all(worker.poll() is None for worker in workers):
        time.sleep(0.01)
    workers[1].kill()
    assert workers[0].wait(600) == 1, said("cut", 0)
    assert "start all of them again with the same command" in said("cut", 0)
    step = last_step(tmp_path / "cut")
    assert 6 <= step < 32
    for index, worker in enumerate(list(start_two(tmp_path, data_folder, "cut"))):
        assert worker.wait(600) == 0, said("cut", index)
    assert f"going on from step {step} of 32" in said("cut", 0)
    for name in ("last.keras", "best.keras"):
        models = [keras.models.load_model(tmp_path / out / name).get_weights() for out in ("cut", "whole")]
        for found, expected in zip(*models, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
