"""The page built with tiny models, and the files that a visitor may come with."""

import json
import os
import pathlib
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers import photo, tiny_model, write_photo
from sodkeras.tflite.convert import convert

WEB_DEMO = pathlib.Path(__file__).resolve().parents[2] / "web_demo"


@pytest.fixture(scope="session")
def node():
    """Runs node in web_demo with some arguments; skips where there is none."""
    if not shutil.which("node"):
        pytest.skip("no node on this machine (Debian: apt-get install nodejs)")

    def run(*arguments, **options):
        return subprocess.run(["node", *arguments], cwd=WEB_DEMO, capture_output=True, text=True, **options)

    return run


@pytest.fixture(scope="session")
def chromium(node):
    """Skips where the page cannot be built and opened."""
    if not (WEB_DEMO / "node_modules" / "playwright-core").is_dir():
        pytest.skip("the page's packages are not installed (cd web_demo && npm ci)")
    if not pathlib.Path(os.environ.get("CHROMIUM", "/usr/bin/chromium")).exists():
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium; elsewhere set CHROMIUM)")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with one tiny network in 8-bit integer and in float."""
    folder = tmp_path_factory.mktemp("models")
    for seed in range(4):
        write_photo(folder / f"{seed}.png", seed=seed)
    convert(tiny_model(), folder, ["static_wi8_ai8", "float32"], calibration=folder)
    return folder


@pytest.fixture(scope="session")
def build(chromium, node, tmp_path_factory):
    """Builds the page with a folder of models."""

    def run(models):
        folder = tmp_path_factory.mktemp("page") / "dist"
        built = node("build.mjs", f"--models={models}", f"--out={folder}")
        assert built.returncode == 0, built.stderr
        return folder

    return run


@pytest.fixture(scope="session")
def page(build, models):
    """The page with tiny models."""
    return build(models)


@pytest.fixture(scope="session")
def pictures(models, tmp_path_factory):
    """Good, odd and bad pictures and models, by name."""
    folder = tmp_path_factory.mktemp("pictures")
    upright = photo()
    write_photo(folder / "photo.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(np.rot90(upright).copy()).save(folder / "rotated.jpg", exif=exif, quality=95)
    alpha = np.linspace(0, 255, upright.shape[1]).astype(np.uint8)[None].repeat(upright.shape[0], 0)
    Image.fromarray(np.dstack([upright, alpha])).save(folder / "transparent.png")
    Image.fromarray(upright[..., 0]).save(folder / "grey.png")
    Image.fromarray(cv2.resize(upright, (96, 64))).save(folder / "twice.png")  # both axes exactly halved

    (folder / "text.jpg").write_text("This is no photo.\n" * 20)
    content = (folder / "photo.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) * 2 // 3])
    (folder / "damaged.png").write_bytes((folder / "grey.png").read_bytes()[:40] + bytes(500))

    (folder / "foreign.tflite").write_bytes(b"no model at all, but long enough")
    (folder / "foreign.json").write_text('{"preprocessing": "by hand"}')
    (folder / "text.json").write_text("no JSON")
    float_model = next(models.glob("*float32.tflite"))
    shutil.copy(float_model, folder / "other.tflite")
    (folder / "damaged.tflite").write_bytes(float_model.read_bytes()[:64])
    shutil.copy(float_model.with_suffix(".json"), folder / "other.json")
    shutil.copy(next(models.glob("*ai8.json")), folder / "swapped.json")
    assert json.loads((folder / "swapped.json").read_text())["input_tensor"]["type"] == "int8"
    return folder
