"""A network is taught by what a teacher computes of the part of a picture that it sees itself."""

import json
import os
import pathlib
import re
import runpy
import subprocess
import sys

import keras
import numpy as np
import pytest
from absl import app, flags

from sodkeras.data.synthetic import write_synthetic
from sodkeras.keras_file import load_keras
from sodkeras.models import DNL, U2Net
from sodkeras.preprocessing import Preprocessing

SCRIPT = pathlib.Path(__file__).parent.parent.parent / "benchmarks" / "own_hints.py"


@pytest.fixture(scope="module")
def script():
    """The script's names; its flags are gone afterwards."""
    before = set(flags.FLAGS)
    yield runpy.run_path(str(SCRIPT))
    for name in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, name)


def test_parts_and_flips_are_those_of_picture_mask_and_hints_alike(script):
    ramp = np.linspace(0, 1, 64, dtype="float32") * np.linspace(0.2, 1, 64, dtype="float32")[:, None]
    grey = np.repeat(np.round(255 * ramp)[None, ..., None], 4, 0)
    arrays = [np.repeat(grey, 3, -1).astype("uint8"), grey.astype("uint8"), np.ones(4, "float32")]
    arrays.append(grey[:, ::2, ::2].astype("float16") / 255)
    batch = next(script["batches"](arrays, 4, np.random.default_rng(3)))
    preprocessing = Preprocessing(size=(48, 48), mean=(0, 0, 0), standard_deviation=(1, 1, 1))
    x, masks, _, hints = map(np.array, script["changed"](*batch, preprocessing, 6))
    assert x.shape == (4, 48, 48, 3) and hints.shape == (4, 6, 6, 1)
    falling = masks[:, 24, 0, 0] > masks[:, 24, -1, 0]
    assert 0 < falling.sum() < 4  # else nothing was mirrored, or all
    for picture, mask, hint in zip(x, masks, hints, strict=True):
        assert np.corrcoef(picture.mean(-1).ravel(), mask.ravel())[0, 1] > 0.95
        small = keras.ops.convert_to_numpy(keras.ops.image.resize(mask, (6, 6)))
        assert np.corrcoef(small.ravel(), hint.ravel())[0, 1] > 0.98


@pytest.fixture
def student():
    def make(seed):
        keras.utils.set_random_seed(seed)
        stages = [[1, 4, 1, 1], [2, 4, 1, 2], [2, 8, 2, 2], [2, 8, 1, 2]]
        shape = {"input_shape": (64, 64, 3), "stem_filters": 4, "aspp_filters": 4, "low_level_filters": 4}
        return DNL((), stages=stages, **shape)

    return make


def test_it_begins_with_a_mean_and_the_branches_that_are_to_stay(script, student):
    one, other = student(0), student(1)
    mean = script["started"]([one, other], None)
    assert mean.get_config() == one.get_config()
    for found, first, second in zip(mean.get_weights(), one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(found, (first + second) / 2, atol=1e-7)
    # A branch that gives nothing can go and nothing changes.
    scale = one.get_layer("aspp").branches[3].norm.gamma
    scale.assign(np.zeros(scale.shape))
    small = script["started"]([one], ["6", "12"])
    assert small.count_params() < one.count_params()
    picture = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    wanted, found = (np.array(network(picture)["saliency_logits"]) for network in (one, small))
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    with pytest.raises(app.UsageError, match=r"must be of \[6, 12, 18\], got \[7\]"):
        script["started"]([one], ["7"])


def test_what_is_written_lies_between_the_first_weights_and_the_last(script):
    first, last = [np.zeros(2), np.ones(())], [np.full(2, 4.0), np.ones(())]
    between = script["kept"](first, last, 0.25)
    np.testing.assert_array_equal(between[0], [3, 3])
    np.testing.assert_array_equal(between[1], 1)


def test_a_dnl_learns_what_the_teacher_computes(student, tmp_path):
    write_synthetic(tmp_path / "pairs", 12, (72, 80), progress=False)
    keras.utils.set_random_seed(0)
    U2Net("small", preprocessing={"size": (64, 64)}).save(tmp_path / "teacher.keras")
    student = student(0)
    student.save(tmp_path / "student.keras")
    command = [sys.executable, SCRIPT, "--start=student.keras", "--teacher=teacher.keras", "--data=pairs"]
    command += ["--out=taught.keras", "--steps=40", "--batch=4", "--keep=0.1"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "12 pictures; hints have 0." in done.stdout
    for stage in ("ir3", "ir4"):
        errors = [float(text) for text in re.findall(rf"hint_{stage}_loss: ([\d.]+)", done.stdout)]
        assert errors[-1] < 0.9 * errors[0]
    taught = load_keras(tmp_path / "taught.keras")
    assert taught.get_config() == student.get_config()
    assert not np.allclose(taught.get_layer("head").kernel, student.get_layer("head").kernel)
    told = json.loads((tmp_path / "taught.json").read_text())
    assert told["taught"] == "student.keras" and "--keep=0.1 --steps=40 --batch=4" in told["command"]
    assert told["epochs"] == {"steps of 4 with hints, at 64×64": 40}
