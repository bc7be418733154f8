"""The Android demo's Java is equal to sodkeras: its tests run on the JVM, on arrays that are those of today."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

import sodkeras
from sodkeras import Preprocessing
from sodkeras.pictures import read_picture
from sodkeras.runtimes import LiteRTRuntime, _quantize

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "android_demo"
sys.path.insert(0, str(HERE))

import make_goldens  # noqa: E402


def test_goldens_are_what_sodkeras_gives(tmp_path):
    make_goldens.write(tmp_path)
    committed = sorted(path.name for path in make_goldens.FOLDER.iterdir())
    assert committed == sorted(path.name for path in tmp_path.iterdir())
    for name in committed:
        old, new = make_goldens.FOLDER / name, tmp_path / name
        if not name.endswith(".npz"):
            assert old.read_text("utf-8") == new.read_text("utf-8"), name
            continue
        with np.load(old) as old_arrays, np.load(new) as new_arrays:
            assert sorted(old_arrays.files) == sorted(new_arrays.files)
            for kind in old_arrays.files:
                np.testing.assert_array_equal(old_arrays[kind], new_arrays[kind], f"{name} {kind}")


def test_maps_hardly_depend_on_the_library_that_opencv_calls():
    """The goldens are made without Intel's library: what a user's Python gives with it is the same to the eye."""
    saliency_map = np.clip(make_goldens._blob(np.random.default_rng(0)), 0, 1)
    default = Preprocessing().restore(saliency_map, (301, 451))
    intel = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        plain = Preprocessing().restore(saliency_map, (301, 451))
    finally:
        cv2.ipp.setUseIPP(intel)
    assert np.abs(default - plain).max() < 2e-5


def test_the_pixel_code_on_the_jvm(examples, tmp_path):
    if shutil.which("javac") is None:
        pytest.skip("there is no JDK: javac is missing")
    environment = os.environ | {"SODKERAS_RUN": str(write_run(tmp_path / "run.npz", examples / "cat.jpg"))}
    result = subprocess.run([DEMO / "run_tests.sh"], capture_output=True, text=True, env=environment)
    if result.returncode == 3:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stdout + result.stderr
    assert int(re.search(r"OK \((\d+) tests\)", result.stdout).group(1)) >= 30


def write_run(path, photo):
    """What LiteRT makes of a photo with the network in the package: made now, for the network may be trained anew."""
    runtime = LiteRTRuntime(pathlib.Path(sodkeras.__file__).parent / "presets/csnet_l_x1_int8.tflite")
    picture = read_picture(photo)
    batch = runtime.preprocessing(picture)
    (saliency_map,) = runtime(batch)
    assert saliency_map.max() - saliency_map.min() > 0.2  # else any map would do
    (output,) = runtime.interpreter.get_output_details()
    arrays = {
        "picture": picture,
        "input": _quantize(batch, runtime.interpreter.get_input_details()[0]),
        "output": runtime.interpreter.get_tensor(output["index"]),
        "map": saliency_map,
    }
    np.savez_compressed(path, **arrays)
    return path


def test_the_table_has_the_columns_of_sodkeras_benchmark():
    from sodkeras.tflite.timing.benchmark import COLUMNS

    source = (DEMO / "core/src/main/java/org/sodkeras/core/BenchmarkRow.java").read_text("utf-8")
    columns = re.search(r"COLUMNS = \{(.*?)\};", source, re.DOTALL).group(1)
    assert tuple(re.findall(r'"(\w+)"', columns)) == COLUMNS


def test_the_app_begins_with_networks_that_are_in_the_package():
    source = (DEMO / "app/src/main/java/org/sodkeras/demo/Use.java").read_text("utf-8")
    usual = dict(re.findall(r'([A-Z]+)\("(.*?)"\)', source))
    assert usual == {"PHOTO": "u2netp_int8.tflite", "LIVE": "dnl_small_int8.tflite"}
    for name in usual.values():
        assert (pathlib.Path(sodkeras.__file__).parent / "presets" / name).is_file()


def test_the_app_asks_for_the_camera_and_nothing_else():
    manifest = (DEMO / "app/src/main/AndroidManifest.xml").read_text("utf-8")
    assert re.findall(r'uses-permission[^>]*android:name="([\w.]+)"', manifest) == ["android.permission.CAMERA"]


def test_an_apk_can_be_packed():
    """Without anything to convert or fetch: with the network in the package."""
    for tool in ("javac", "aapt", "aapt2", "zipalign", "apksigner"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing; android_demo/make_apk.sh says what to install")
    if not (DEMO / ".tools/android.jar").exists():
        pytest.skip("android.jar is missing; android_demo/fetch_tools.sh brings it")
    result = subprocess.run([DEMO / "make_apk.sh"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    with zipfile.ZipFile(DEMO / "build/apk/sodkeras-without-runtime.apk") as apk:
        names = {pathlib.PurePath(name) for name in apk.namelist() if name.startswith("assets/models/")}
        licence = json.loads(apk.read("assets/models/csnet_l_x1_int8.json"))["licence"]
    models, described = ({name.stem for name in names if name.suffix == suffix} for suffix in (".tflite", ".json"))
    assert models == described and "csnet_l_x1_int8" in models and licence == "Apache-2.0"
    assert f"{len(models)} models, NO inference runtime inside" in result.stdout
