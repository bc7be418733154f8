"""The built page in Chromium: its maps are Python's, and it behaves."""

import json
import os
import pathlib

import cv2
import numpy as np
import pytest

import sodkeras
from helpers import photo
from sodkeras import Predictor, weights
from sodkeras.checkpoints import import_file
from sodkeras.lite_metadata import read_metadata
from sodkeras.pictures import read_picture
from sodkeras.pictures.compositing import grey
from sodkeras.tflite.convert import convert


@pytest.fixture(scope="module")
def look(node, tmp_path_factory):
    """Gives what a page's worker makes of pictures: (entry, network's map, PNG) by (name's end, picture)."""

    def run(page, paths):
        out = tmp_path_factory.mktemp("maps")
        job = {"dist": str(page), "rounds": 1, "out": str(out), "pictures": list(map(str, paths))}
        done = node("tests/maps.mjs", input=json.dumps(job), timeout=1200)
        assert done.returncode == 0, done.stderr
        entries = json.loads(done.stdout)["maps"]
        assert len(entries) == len(list(page.glob("models/*.tflite"))) * len(paths) > 0
        result = {}
        for entry in entries:
            network_map = np.fromfile(out / entry["map"], "<f4").reshape(entry["height"], entry["width"])
            png = cv2.imread(str(out / entry["png"]), cv2.IMREAD_GRAYSCALE)
            ending = os.path.basename(entry["model"]).split("-")[-1]
            result[ending, os.path.basename(entry["picture"])] = (entry, network_map, png)
        return result

    return run


@pytest.fixture(scope="module")
def found(look, page, pictures, examples):
    odd = [pictures / name for name in ("rotated.jpg", "grey.png", "twice.png", "transparent.png")]
    return look(page, [*odd, *(examples / f"{name}.jpg" for name in ("astronaut", "cat", "coffee", "rocket"))])


def expected_maps(models, numerics, path, span=0.2):
    predictor = Predictor(next(models.glob(f"*{numerics}")))
    picture = read_picture(path)
    network_map = predictor.runtime(predictor.preprocessing(picture))[0]
    assert network_map.max() - network_map.min() > span  # else any two maps would agree
    return network_map, predictor.preprocessing.restore(network_map, picture.shape[:2])


@pytest.mark.parametrize("name", ["astronaut.jpg", "cat.jpg", "coffee.jpg", "rocket.jpg"])
def test_maps_of_photos_are_pythons(found, models, examples, name):
    check_both_numerics(found, models, examples / name)


@pytest.mark.parametrize("name", ["rotated.jpg", "grey.png", "twice.png"])
def test_maps_of_odd_pictures_are_pythons(found, models, pictures, name):
    check_both_numerics(found, models, pictures / name)


def check_both_numerics(found, models, path):
    _, integer, png = found["static_wi8_ai8.tflite", path.name]
    expected, whole = expected_maps(models, "static_wi8_ai8.tflite", path)
    np.testing.assert_array_equal(integer, expected)
    if png.shape == whole.shape:  # else it is of a huge photo, and smaller
        assert np.abs(png.astype(int) - grey(whole)).max() <= 1
    check_float(found, models, path)


def check_float(found, models, path, tolerance=1e-5):
    _, floating, _ = found["float32.tflite", path.name]
    expected, _ = expected_maps(models, "float32.tflite", path)
    np.testing.assert_allclose(floating, expected, rtol=0, atol=tolerance)


def test_transparency_lies_over_white(found, models, pictures):
    """The browser blends with its own rounding: a level of a pixel may differ, no more."""
    _, floating, _ = found["float32.tflite", "transparent.png"]
    expected, _ = expected_maps(models, "float32.tflite", pictures / "transparent.png", span=0.15)
    assert np.abs(floating - expected).max() < 0.05


def test_a_rotated_photo_stands_upright(found):
    entry, _, png = found["float32.tflite", "rotated.jpg"]
    assert entry["photo"] == {"width": 80, "height": 60} and png.shape == (60, 80)


def test_maps_of_the_networks_in_the_package_are_pythons(look, build, examples):
    """Their folder is built as it is: names and licences are the presets', the rest is said inside the files."""
    presets = pathlib.Path(sodkeras.__file__).parent / "presets"
    photos = [examples / f"{name}.jpg" for name in ("astronaut", "cat", "coffee", "rocket")]
    page = build(presets)
    entries = json.loads((page / "models.json").read_text("utf-8"))
    assert entries[0]["model"] == "models/u2netp_int8.tflite"
    assert [entry["model"] for entry in entries if "isForCamera" in entry] == ["models/dnl_small_int8.tflite"]
    names = [name for name in weights.file_names() if weights.preset(name)["kind"] != "keras"]
    assert {entry["model"] for entry in entries} == {f"models/{name}.tflite" for name in names}
    for name in names:
        preset, json_beside = weights.preset(name), json.loads((page / f"models/{name}.json").read_text("utf-8"))
        inside = read_metadata((presets / f"{name}.tflite").read_bytes(), name)
        assert json_beside == inside | {"name": preset["name"], "licence": preset["licence"]}
    assert not list(page.glob("models/u2netp.json"))
    found = look(page, photos)
    for (model, name), (_, network_map, _) in found.items():
        expected, _ = expected_maps(presets, model, examples / name)
        # Browsers compute float16 in float32, whose sums depend on their order.
        tolerance = 1e-5 if "float16" in model else 0
        np.testing.assert_allclose(network_map, expected, rtol=0, atol=tolerance, err_msg=f"{model} {name}")


@pytest.mark.reference
def test_maps_of_the_released_network_are_pythons(look, build, examples, reference, tmp_path):
    """U²-Net† in float; in 8 bits, with some layers in float, are those out of it in the package."""
    model = import_file(reference / "reference/weights/u2netp.onnx").model
    convert(model, tmp_path, ["float32"])
    photos = [examples / f"{name}.jpg" for name in ("astronaut", "cat", "coffee")]
    found = look(build(tmp_path), photos)
    for photo_path in photos:
        # Its sums of floats are long: float32 itself is off by ten times as much (tflite/benchmarks/float_noise.csv).
        check_float(found, tmp_path, photo_path, tolerance=2e-5)


def test_a_photo_of_50_megapixels(look, page, models, pictures):
    """The network sees the photo itself; the result is as large as a phone can hold."""
    path = pictures / "huge.jpg"
    picture = cv2.resize(photo(), (8660, 5774), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), picture[..., ::-1])
    found = look(page, [path])
    check_both_numerics(found, models, path)
    entry, _, png = found["static_wi8_ai8.tflite", path.name]
    assert entry["photo"] == {"width": 8660, "height": 5774}
    height, width = png.shape
    assert 12e6 < height * width <= 4096 * 3072
    assert width / height == pytest.approx(8660 / 5774, rel=1e-3)


def test_the_page_behaves(node, page, pictures):
    """All that a visitor does, in web_demo/tests/page.test.mjs."""
    environment = os.environ | {"DIST": str(page), "PICTURES": str(pictures)}
    done = node("--test", "--test-reporter=tap", "tests/page.test.mjs", env=environment, timeout=1200)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "\nok 1 - " in done.stdout, done.stdout  # no file, no test, no error either


def test_jsons_of_something_else_do_not_stop_the_build(build, models, tmp_path):
    model = next(models.glob("*float32.tflite"))
    (tmp_path / model.name).write_bytes(model.read_bytes())
    for name, content in (("notes.json", "no JSON"), ("null.json", "null"), ("files.json", '{"files": [null, "a"]}')):
        (tmp_path / name).write_text(content)
    assert [path.name for path in (build(tmp_path) / "models").glob("*.tflite")] == [model.name]


@pytest.mark.parametrize("case", ["no models", "no json", "foreign", "damaged json", "nothing said"])
def test_the_build_refuses_what_the_page_could_not_run(chromium, node, models, tmp_path, case):
    folder = tmp_path / "models"
    folder.mkdir()
    model = next(models.glob("*float32.tflite"))
    if case == "no json":
        # Nor does the file say inside what it is: the metadata's name is another.
        (folder / model.name).write_bytes(model.read_bytes().replace(b"sodkeras", b"others'!"))
    elif case == "foreign":
        (folder / model.name).write_bytes(b"not a model, this")
        (folder / model.with_suffix(".json").name).write_bytes(model.with_suffix(".json").read_bytes())
    elif case == "damaged json":
        (folder / model.name).write_bytes(model.read_bytes())
        (folder / model.with_suffix(".json").name).write_text('{"name": ')
    arguments = [] if case == "nothing said" else [f"--models={folder}"]
    done = node("build.mjs", *arguments, f"--out={tmp_path / 'dist'}")
    assert done.returncode == 1
    assert done.stderr.startswith("build: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "dist").exists()
