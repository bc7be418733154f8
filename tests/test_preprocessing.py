"""From a picture to a network's input and back."""

import json

import numpy as np
import pytest

from sodkeras import Preprocessing, SodkerasError

RNG = np.random.default_rng(1)


def bilinear(picture, height, width):
    """Half-pixel bilinear sampling without smoothing, written out."""
    rows = np.clip((np.arange(height) + 0.5) * picture.shape[0] / height - 0.5, 0, picture.shape[0] - 1)
    columns = np.clip((np.arange(width) + 0.5) * picture.shape[1] / width - 0.5, 0, picture.shape[1] - 1)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    bottom, right = np.minimum(top + 1, picture.shape[0] - 1), np.minimum(left + 1, picture.shape[1] - 1)
    down, across = (rows - top)[:, None, None], (columns - left)[None, :, None]
    upper = picture[top][:, left] * (1 - across) + picture[top][:, right] * across
    lower = picture[bottom][:, left] * (1 - across) + picture[bottom][:, right] * across
    return upper * (1 - down) + lower * down


@pytest.mark.parametrize("shape", [(37, 53), (400, 300), (1, 1), (2, 700)])
def test_input_is_half_pixel_bilinear_then_normalised(shape):
    picture = RNG.integers(0, 256, (*shape, 3), np.uint8)
    preprocessing = Preprocessing(size=(24, 32))
    expected = (bilinear(picture, 24, 32) / 255 - preprocessing.mean) / preprocessing.standard_deviation
    result = preprocessing(picture)
    assert result.shape == (1, 24, 32, 3) and result.dtype == np.float32
    # OpenCV resizes 8-bit pictures in fixed point: at most one step of 255, divided by the smallest deviation.
    assert np.abs(result[0] - expected).max() < 1.01 / 255 / 0.224


def test_divisor_maximum_brightens_a_dark_picture_and_leaves_black_black():
    dark = np.full((8, 8, 3), 51, np.uint8)
    result = Preprocessing(size=(8, 8), mean=(0, 0, 0), standard_deviation=(1, 1, 1), divisor="maximum")
    np.testing.assert_allclose(result(dark), 1)
    np.testing.assert_array_equal(result(np.zeros_like(dark)), 0)


def test_area_interpolation_averages_what_bilinear_would_skip():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = 255
    mean = Preprocessing(size=(8, 8), mean=(0, 0, 0), standard_deviation=(1, 1, 1), interpolation="area")(stripes)
    np.testing.assert_allclose(mean, 1 / 8, atol=1 / 255)


def test_restore_gives_the_pictures_size_and_keeps_the_range():
    saliency_map = RNG.random((24, 32), np.float32)
    for size in ((24, 32), (99, 7), (1, 1)):
        restored = Preprocessing().restore(saliency_map, size)
        assert restored.shape == size
        assert restored.min() >= saliency_map.min() and restored.max() <= saliency_map.max()


def test_survives_json_unchanged():
    preprocessing = Preprocessing(size=(225, 318), mean=(0.1, 0.2, 0.3), interpolation="area", divisor="maximum")
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": (0, 5)},
        {"size": 320},
        {"mean": (0.5,)},
        {"standard_deviation": (1, 0, 1)},
        {"interpolation": "cubic"},
        {"divisor": "127"},
    ],
)
def test_what_cannot_work_is_refused(arguments):
    with pytest.raises(SodkerasError, match="Received"):
        Preprocessing(**arguments)


def test_a_key_of_a_later_version_is_refused():
    with pytest.raises(SodkerasError, match="gamma"):
        Preprocessing.from_dict({"gamma": 2.2})
