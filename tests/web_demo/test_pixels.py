"""The page's arithmetic is Python's: run by node alone, compared with OpenCV and sodkeras."""

import json

import cv2
import numpy as np
import pytest

from sodkeras import Preprocessing
from sodkeras.lite_metadata import read_metadata
from sodkeras.pictures import CutOut, Photo, compositing
from sodkeras.runtimes import _dequantize, _quantize

RANDOM = np.random.default_rng(0)


@pytest.fixture
def step(node):
    """Runs a step of the page on arrays and returns its result, or the page's sentence as a string."""

    def run(name, /, **job):
        job = {key: value.ravel().tolist() if isinstance(value, np.ndarray) else value for key, value in job.items()}
        done = node("tests/pixels.mjs", input=json.dumps({"step": name, **job}))
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        if "error" in answer:
            assert answer["kind"] == "DemoError", answer
            return answer["error"]
        return np.array(answer["result"])

    return run


def rgba(picture):
    return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


def size(height, width):
    return {"height": height, "width": width}


@pytest.mark.parametrize(
    "source, target",
    [
        ((60, 80), (32, 48)),
        ((61, 83), (32, 48)),
        ((64, 96), (32, 48)),  # halved: OpenCV takes means
        ((64, 48), (32, 48)),
        ((20, 11), (32, 48)),
        ((32, 48), (32, 48)),
        ((1, 1), (32, 48)),
        ((300, 3), (7, 5)),
        ((96, 192), (32, 48)),  # whole numbers of pixels: OpenCV sums them exactly
        ((32, 100), (32, 48)),
        ((20, 80), (32, 48)),  # larger along one axis, smaller along the other
        ((80, 20), (32, 48)),
        ((375, 500), (192, 192)),
        ((501, 334), (96, 96)),
    ],
)
@pytest.mark.parametrize("interpolation", ["bilinear", "area"])
def test_resizing_is_opencvs_to_the_bit(step, source, target, interpolation):
    picture = RANDOM.integers(0, 256, (*source, 3), dtype=np.uint8)
    asked = size(*target) | {"interpolation": interpolation}
    found = step("resize", pixels=rgba(picture), **size(*source), target=asked)
    constant = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}[interpolation]
    expected = cv2.resize(picture, target[::-1], interpolation=constant)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def described(preprocessing, kind, scale=0.0187, zero_point=-14):
    tensor = {"type": kind, "scale": scale, "zero_point": zero_point}
    shape = [1, *preprocessing.size]
    return {
        "name": "tiny",
        "numerics": kind,
        "preprocessing": preprocessing.to_dict(),
        "input_tensor": tensor | {"shape": [*shape, 3]},
        "output_tensor": tensor | {"shape": [*shape, 1]},
    }


@pytest.mark.parametrize("divisor", ["255", "maximum"])
@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("brightest", [0, 1, 181, 255])
def test_the_networks_input_is_pythons_to_the_bit(step, divisor, kind, brightest):
    preprocessing = Preprocessing(size=(16, 48), divisor=divisor)
    picture = np.arange(16 * 48 * 3).reshape(16, 48, 3) % (brightest + 1)
    description = described(preprocessing, kind)
    found = step("input", pixels=picture, description=description)
    tensor = description["input_tensor"]
    quantization = (0.0, 0) if kind == "float32" else (tensor["scale"], tensor["zero_point"])
    expected = _quantize(
        preprocessing(picture.astype(np.uint8)), {"quantization": quantization, "dtype": np.dtype(kind)}
    )
    np.testing.assert_array_equal(found, expected.ravel())


def test_a_half_is_rounded_to_the_even_level(step):
    preprocessing = Preprocessing(size=(1, 256), mean=(0, 0, 0), standard_deviation=(1, 1, 1))
    picture = np.arange(256)[:, None].repeat(3, 1)
    # 2/255 a level: every odd byte lies exactly between two.
    description = described(preprocessing, "int8", scale=float(np.float32(2 / 255)), zero_point=-100)
    found = step("input", pixels=picture, description=description).reshape(256, 3)
    values = preprocessing(picture.astype(np.uint8)[None])
    scale = description["input_tensor"]["scale"]
    assert np.count_nonzero(values / np.float32(scale) % 1 == 0.5) > 100
    details = {"quantization": (scale, -100), "dtype": np.int8}
    np.testing.assert_array_equal(found, _quantize(values, details)[0, 0])


@pytest.mark.parametrize("scale", [1 / 256, 1 / 255, 1 / 300])  # LiteRT's sigmoid has the first
def test_the_networks_output_is_pythons_to_the_bit(step, scale):
    preprocessing = Preprocessing(size=(16, 16))
    levels = np.arange(-128, 128, dtype=np.int8)
    found = step("output", values=levels, description=described(preprocessing, "int8", scale, -128))
    details = {"quantization": (scale, -128), "dtype": np.int8}
    np.testing.assert_array_equal(found.astype(np.float32), _dequantize(levels, details, is_map=True))
    assert (found.max() == 1) == (scale > 1 / 300)


@pytest.mark.parametrize("target", [(60, 80), (32, 48), (17, 31), (64, 96), (400, 333)])
def test_a_map_goes_back_to_the_photos_size_as_in_python(step, target):
    saliency_map = RANDOM.random((32, 48), dtype=np.float32)
    found = step("restore", values=saliency_map, height=32, width=48, target=size(*target))
    expected = Preprocessing(size=(32, 48)).restore(saliency_map, target)
    # OpenCV may hand floats to a library of the processor's maker, which places its samples in float32.
    np.testing.assert_allclose(found.reshape(target), expected, rtol=0, atol=3e-5)


@pytest.fixture
def scene():
    picture = RANDOM.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return picture, RANDOM.random((40, 50), dtype=np.float32)


def test_the_views_are_those_of_sodkeras_compositing(step, scene):
    picture, saliency_map = scene

    def view(name, picture, saliency_map):
        return step("view", name=name, pixels=rgba(picture), map=saliency_map).reshape(*picture.shape[:2], 4)

    found = view("map", picture, saliency_map)
    np.testing.assert_array_equal(found[..., :3], compositing.grey(saliency_map)[..., None].repeat(3, 2))
    raw = CutOut(edges="raw")(Photo(picture), saliency_map)
    np.testing.assert_array_equal(view("cutout", picture, saliency_map), raw)
    found = view("overlay", picture, saliency_map)
    difference = np.abs(found[..., :3] - compositing.overlay(picture, saliency_map))
    # Float32 there, float64 here: now and then a half is rounded to the other side.
    assert difference.max() <= 1 and difference.mean() < 0.01
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize("shape", [(40, 50), (700, 530), (1100, 90)])
def test_edges_are_cleaned_as_in_python_to_a_step(step, shape):
    picture = cv2.resize(RANDOM.integers(0, 256, (7, 5, 3), dtype=np.uint8), shape[::-1])
    saliency_map = cv2.resize(np.float32(RANDOM.random((8, 8)) > 0.5), shape[::-1])
    found = step("clean", pixels=rgba(picture), map=saliency_map, **size(*shape)).reshape(*shape, 4)
    expected = CutOut()(Photo(picture), saliency_map)
    difference = np.abs(found[..., :3] - expected[..., :3])
    assert difference.max() <= 1 and difference.mean() < 0.01
    assert np.abs(expected[..., :3].astype(int) - picture).max() > 20


def test_the_blurred_background_has_no_glow_of_the_object(step):
    """A red disc on grey noise: behind it lies grey, smooth, and no pink."""
    noise = RANDOM.integers(90, 110, (60, 60, 1)).repeat(3, 2).astype(np.uint8)
    disc = cv2.circle(np.zeros((60, 60), np.float32), (30, 30), 12, 1.0, -1)
    picture = np.where(disc[..., None] > 0, np.uint8([255, 0, 0]), noise)
    found = step("background", pixels=rgba(picture), map=disc, height=60, width=60).reshape(60, 60, 4)[..., :3]
    background = found[disc == 0]
    assert np.abs(background - 100).max() <= 8
    expected = CutOut(background="blur")(Photo(picture), disc)
    assert np.abs(background - expected[disc == 0]).max() <= 1
    assert background.std() < noise.std() / 2


GOOD = described(Preprocessing(size=(16, 16)), "int8")


@pytest.mark.parametrize(
    "change, what",
    [
        ({"preprocessing": None}, "preprocessing is missing"),
        ({"preprocessing": GOOD["preprocessing"] | {"size": [0, 16]}}, "preprocessing.size"),
        ({"preprocessing": GOOD["preprocessing"] | {"mean": [0.5]}}, "preprocessing.mean"),
        ({"preprocessing": GOOD["preprocessing"] | {"standard_deviation": [1, 1, 0]}}, "preprocessing.standard_dev"),
        ({"preprocessing": GOOD["preprocessing"] | {"divisor": "7"}}, "preprocessing.divisor"),
        ({"preprocessing": GOOD["preprocessing"] | {"interpolation": "cubic"}}, "interpolation cubic"),
        ({"output_values": "logits"}, "output values logits"),
        ({"input_tensor": GOOD["input_tensor"] | {"scale": 0}}, "input_tensor"),
        ({"input_tensor": GOOD["input_tensor"] | {"shape": [1, 3, 16, 16]}}, "input_tensor"),
        ({"output_tensor": GOOD["output_tensor"] | {"type": "int4"}}, "output_tensor"),
    ],
)
def test_a_foreign_description_is_refused_in_one_sentence(step, change, what):
    assert step("describe", description=GOOD)[0] == "tiny"
    sentence = step("describe", description=GOOD | change)
    assert what in sentence and "Received: " in sentence and "\n" not in sentence


def test_what_a_file_says_of_itself_is_what_python_reads(step, models, tmp_path):
    path = next(models.glob("*ai8.tflite"))
    content = path.read_bytes()
    inside = read_metadata(content, path)

    def described(content):
        (tmp_path / "some.tflite").write_bytes(content)
        return json.loads(step("metadata", file=str(tmp_path / "some.tflite"))[0])

    assert described(content) == inside
    assert described(content.replace(b"sodkeras", b"others'!")) is None
    for length in (0, 3, 30, 300):
        assert described(content[:length]) is None, length
