"""Bilinear resizing with half-pixel centres and with aligned corners, against NumPy."""

import keras
import numpy as np
import pytest

from sodkeras.layers import GridMean, ResizeLike

RNG = np.random.default_rng(0)


def resized(x, size, align_corners):
    for axis, after in zip((1, 2), size, strict=True):
        before = x.shape[axis]
        if align_corners:
            position = np.arange(after) * (before - 1) / max(after - 1, 1)
        else:
            position = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
        low = np.floor(position).astype(int)
        share = (position - low).reshape((-1, 1, 1) if axis == 1 else (-1, 1))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, np.minimum(low + 1, before - 1), axis) * share
    return x


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(
    ("before", "after"), [((5, 7), (11, 20)), ((11, 20), (5, 7)), ((1, 3), (4, 1)), ((6, 6), (6, 6))]
)
@pytest.mark.parametrize("dynamic", [False, True])
def test_bilinear(align_corners, before, after, dynamic):
    x = RNG.normal(size=(2, *before, 3)).astype("float32")
    reference = np.zeros((2, *after, 1), np.float32)
    inputs = [keras.Input((None, None, 3)), keras.Input((None, None, 1))]
    layer = ResizeLike(align_corners)
    model = keras.Model(inputs, layer(*inputs))
    result = model.predict([x, reference], verbose=0) if dynamic else np.array(layer(x, reference))
    assert result.shape == (2, *after, 3)
    np.testing.assert_allclose(result, resized(x.astype("float64"), after, align_corners), atol=1e-5)


def test_keeps_the_type_and_the_config():
    layer = ResizeLike(align_corners=True, dtype="bfloat16")
    result = layer(np.ones((1, 3, 3, 2)), np.ones((1, 5, 4, 1)))
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16" and result.shape == (1, 5, 4, 2)
    assert ResizeLike.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("dynamic", [False, True])
def test_grid_means_cover_the_map(size, dynamic):
    x = RNG.normal(size=(1, 7, 4, 2)).astype("float32")
    layer = GridMean(size)
    picture = keras.Input((None, None, 2))
    result = keras.Model(picture, layer(picture)).predict(x, verbose=0) if dynamic else np.array(layer(x))
    for i in range(size):
        for j in range(size):
            rows = slice(i * 7 // size, -(-(i + 1) * 7 // size))
            columns = slice(j * 4 // size, -(-(j + 1) * 4 // size))
            np.testing.assert_allclose(result[0, i, j], x[0, rows, columns].mean((0, 1)), atol=1e-5)
