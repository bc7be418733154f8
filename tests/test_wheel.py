"""The wheel in an empty environment, without what trains and converts: what a board or a server runs."""

import os
import pathlib
import re
import subprocess
import sys
import venv

import cv2
import numpy as np
import pytest

from helpers import photo, tiny_model, write_photo
from sodkeras.tflite.convert import convert

ROOT = pathlib.Path(__file__).parents[1]
#: Megabytes of all that `pip install sodkeras` brings, without the weights of the package itself and Python's bytecode.
LARGEST = 330


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment, **options)


def megabytes(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of an environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("wheel")
    made = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", ROOT)
    assert made.returncode == 0, made.stderr
    venv.create(folder / "environment", with_pip=True)
    (wheel,) = folder.glob("sodkeras-*.whl")
    done = run(folder / "environment/bin/python", "-m", "pip", "install", "--quiet", "--no-compile", wheel)
    if done.returncode and "CI" not in os.environ and re.search("onnection|resolution", done.stderr):
        pytest.skip(f"no package index: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return folder / "environment", wheel


@pytest.mark.process
def test_it_is_small(installed):
    folder, wheel = installed
    (packages,) = folder.glob("lib/python*/site-packages")
    presets = packages / "sodkeras" / "presets"
    theirs = sum(megabytes(packages / name) for name in ("pip", "setuptools", "pkg_resources", "_distutils_hack"))
    brought = megabytes(packages) - theirs - megabytes(presets)
    print(f"wheel {wheel.stat().st_size / 1e6:.1f} MB, installed {brought:.0f} MB, weights {megabytes(presets):.1f} MB")
    assert brought < LARGEST and wheel.stat().st_size < 45e6
    assert not list(packages.glob("tensorflow*"))


@pytest.mark.process
def test_it_predicts_scores_times_and_lists_without_keras(installed, tmp_path):
    folder, *_ = installed
    (lite,) = convert(tiny_model(), tmp_path)
    for seed in range(2):
        write_photo(tmp_path / f"{seed}.png", seed=seed)
        (tmp_path / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "masks" / f"{seed}.png"), np.uint8(photo(seed=seed)[..., 0] > 150) * 255)
    command = folder / "bin" / "sodkeras"

    def works(*arguments):
        done = run(command, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    works("predict", "0.png", "1.png", "--write=map,cutout", "--out=maps")
    assert (tmp_path / "maps" / "0_cutout.png").exists()
    said = works("evaluate", "maps", "masks", "--metrics=mae,f", "--out=scores")
    assert 'no plots of the curves: pip install "sodkeras[train]"' in said
    assert (tmp_path / "scores" / "curves.json").exists() and (tmp_path / "scores" / "scores.csv").exists()
    works("evaluate", f"--model={lite}", "--data=set=masks", "--pictures=.", "--metrics=mae", "--out=scores")
    assert "ops delegated" in works("benchmark", lite, "--runs=1", "--operators")
    assert "u2netp" in works("weights", "list") and "sodkeras" in works("--version")
    labelled = works("pseudo-label", "0.png", f"--model={lite}", "--out=labelled")
    assert "1 of 1 pictures labelled" in labelled


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["convert", "--model=u2netp"], "convert"),
        (["demo"], "convert"),
        (["quantize-train", "--model=u2netp", "--pictures=.", "--out=out"], "qat"),
        (["train", "--recipe=csnet", "--data=.", "--out=out"], "train"),
        (["prune", "--model=u2netp", "--pictures=.", "--out=a.keras"], "train"),
        (["flops", "--model=CSNet"], "train"),
        (["report", "."], "train"),
        (["verify", "a.tflite", "--model=u2netp", "--pictures=."], "train"),
        (["predict", "0.png", "--model=u2netp_keras"], "train"),
        (["weights", "import", "a.onnx"], "train"),
    ],
)
def test_what_is_missing_is_said_with_what_brings_it(installed, tmp_path, arguments, extra):
    write_photo(tmp_path / "0.png")
    (tmp_path / "a.onnx").write_bytes(b"some bytes")
    done = run(installed[0] / "bin" / "sodkeras", *arguments, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert f'pip install "sodkeras[{extra}]"' in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "a.onnx"]


@pytest.mark.process
def test_python_says_it_too(installed):
    done = run(installed[0] / "bin" / "python", "-c", "from sodkeras import CSNet")
    assert 'ModuleNotFoundError: This needs keras: pip install "sodkeras[train]"' in done.stderr
    done = run(installed[0] / "bin" / "python", "-c", "import sodkeras; print(sodkeras.Predictor, sodkeras.benchmark)")
    assert done.returncode == 0, done.stderr
