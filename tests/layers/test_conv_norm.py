"""Units of convolution and batch norm: paddings, fans, names."""

import keras
import numpy as np
import pytest

from sodkeras.graph import flatten
from sodkeras.layers import ASPP, ConvNorm

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
@pytest.mark.parametrize("filters", [5, None])
def test_symmetric_padding_pads_every_side_alike(size, filters):
    x = RNG.normal(size=(1, *size, 4)).astype("float32")
    unit = ConvNorm(filters, 3, strides=2, activation=None)
    result = np.array(unit(x))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = np.array(unit.conv.kernel)[..., 0] if filters is None else np.array(unit.conv.kernel)
    windows = [
        (padded[0, i : i + 3, j : j + 3], i // 2, j // 2) for i in range(0, size[0], 2) for j in range(0, size[1], 2)
    ]
    for window, i, j in windows:
        value = np.einsum("abc,abc->c" if filters is None else "abc,abcd->d", window, kernel)
        np.testing.assert_allclose(result[0, i, j], value / np.sqrt(1 + 1e-5), atol=1e-5)
    assert result.shape == unit.compute_output_shape((1, *size, 4))


def test_same_padding_needs_no_operator_of_its_own():
    assert ConvNorm(4, strides=2, padding="same").pad is None
    assert ConvNorm(4, dilation_rate=2).pad is None and ConvNorm(4, 1, strides=2).pad is None


def test_a_depthwise_kernel_draws_for_the_one_channel_that_it_sees():
    unit = ConvNorm(None)
    unit.build((None, None, None, 512))
    assert np.array(unit.conv.kernel).var() == pytest.approx(2 / 9, rel=0.1)


@pytest.mark.parametrize("arguments", [{"activation": "selu"}, {"padding": "full"}])
def test_unknown_choices_are_refused(arguments):
    with pytest.raises(ValueError, match=r"Received: '(selu|full)'"):
        ConvNorm(4, **arguments)


def test_aspp_flattens_and_pools_the_whole_picture():
    picture = keras.Input((None, None, 6))
    layer = ASPP(4, (2, 3), name="aspp")
    model = keras.Model(picture, layer(picture))
    x = RNG.normal(size=(2, 9, 7, 6)).astype("float32")
    result = np.array(model(x))
    assert result.shape == (2, 9, 7, 16)
    pooled = np.array(layer.mean_unit(x.mean((1, 2), keepdims=True)))
    np.testing.assert_allclose(result[..., 12:], np.broadcast_to(pooled, (2, 9, 7, 4)), atol=1e-5)
    np.testing.assert_array_equal(np.array(flatten(model, (9, 7, 6))(x)), result)
    assert ASPP.from_config(layer.get_config()).get_config() == layer.get_config()
