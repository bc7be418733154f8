"""A real process, killed at random moments of its training, ends where one ends that was left alone."""

import pathlib
import random
import re
import subprocess
import sys
import time

import keras
import pytest

RECIPE = """
PLAN = {
    "stages": [[[2]], [[2, 2]], [[2]], [[2]], [[2]]],
    "fusion": {"stages": [4], "mixed": [2], "dilation_rates": [1], "dilated": [[2]], "filters": 2},
}
SETTINGS = {
    "network": "CSNet",
    "arguments": {"plan": PLAN},
    "size": (32, 32),
    "batch": 4,
    "epochs": 40,
    "learning_rate": 0.01,
    "weight_decay": 5e-3,
    "schedule": "cosine",
    "warm_up_epochs": 2,
    "ema_momentum": 0.9,
    "dynamic_decay": 3.0,
    "decay_exempt": "gammas",
    "validation_share": 0.2,
    "save_every": 3,
    "samples": 1,
}
"""


def start(folder, data_folder, out):
    (folder / "recipe.py").write_text(RECIPE)
    command = [sys.executable, "-m", "sodkeras.commands.main", "train", f"--recipe={folder / 'recipe.py'}"]
    log = (folder / f"{out}.txt").open("ab")
    return subprocess.Popen([*command, f"--data={data_folder}", f"--out={folder / out}"], stdout=log, stderr=log)


def last_step(folder):
    names = [path.name for path in (folder / "checkpoints").glob("step-*.npz")]
    return max((int(re.search(r"\d+", name)[0]) for name in names), default=0)


def weights(path):
    return [values.tobytes() for values in keras.models.load_model(path).get_weights()]


@pytest.mark.slow
def test_a_run_that_is_killed_ten_times_ends_with_the_same_bits(data_folder, tmp_path):
    whole = start(tmp_path, data_folder, "whole")
    assert whole.wait() == 0, (tmp_path / "whole.txt").read_text()
    randomness = random.Random(0)
    kills, steps = 0, []
    for _ in range(40):
        process = start(tmp_path, data_folder, "cut")
        before = last_step(tmp_path / "cut")
        if kills < 10:
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
    assert kills == 10, steps
    for name in ("last.keras", "best.keras"):
        assert weights(tmp_path / "cut" / name) == weights(tmp_path / "whole" / name), steps
    strip = re.compile(r"^(\d+,\d+),[\d.]+,", re.MULTILINE)  # the seconds
    logs = [strip.sub(r"\1,", pathlib.Path(tmp_path / out / "log.csv").read_text()) for out in ("cut", "whole")]
    assert logs[0] == logs[1]
