"""Equalization keeps the function and evens out the ranges."""

import keras
import numpy as np
import pytest

from helpers import photo, tiny_model
from sodkeras.graph import Graph, flatten
from sodkeras.tflite.eight_bits.equalize import equalize

RNG = np.random.default_rng(0)


def spread(model, batch):
    """The largest over the median channel range, for the worst tensor that an activation makes."""
    taps = [call.output for call in Graph(model) if isinstance(call.layer, keras.layers.ReLU)]
    worst = 0
    for value in keras.Model(model.input, taps)(batch):
        peaks = np.max(value, axis=(0, 1, 2))
        worst = max(worst, peaks.max() / np.median(peaks[peaks > 0]))
    return worst


def test_a_network_keeps_its_function_and_loses_its_outliers():
    model = tiny_model()
    # One channel of a decoder unit and one of a block's input unit a hundred times larger than the rest.
    for unit in (model.get_layer("encoder1").encoder_units[1], model.get_layer("decoder1").input_unit):
        unit.batch_norm.gamma.assign(np.r_[100.0, np.ones(unit.filters - 1)])
    batch = np.concatenate([model.preprocessing(photo(seed=seed)) for seed in range(3)])
    flat = flatten(model.inference_model(), batch.shape[1:])
    expected, before = np.array(flat(batch)), spread(flat, batch)
    equalized = equalize(flat, [batch])
    np.testing.assert_allclose(np.array(equalized(batch)), expected, atol=1e-4)
    assert spread(equalized, batch) < before / 2
    np.testing.assert_array_equal(np.array(flat(batch)), expected)  # it has weights of its own


@pytest.mark.parametrize("activation", [None, "leaky"])
def test_a_channel_far_larger_than_the_rest_comes_down_without_a_relu_too(activation):
    """csnet_l_x2 with tied slopes had one of 60,000 beside others of 2: 8 bits had no step left for those."""
    inputs = keras.Input((12, 12, 3))
    a, b = (keras.layers.Conv2D(4, 1, name=name)(inputs) for name in "ab")
    if activation == "leaky":
        a, b = (keras.layers.LeakyReLU(0.01)(x) for x in (a, b))
    both = keras.layers.Concatenate(name="both")([a, b])
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(1)(both))
    kernel = RNG.normal(size=(1, 1, 3, 4)).astype("float32")
    # Below 0 far larger than above: what a leaky ReLU gives is small, what it takes in is not.
    model.get_layer("a").set_weights([kernel * np.float32([1, 1, 1, 30000]), np.float32([0, 0, 0, -90000])])
    batch = RNG.normal(size=(2, 12, 12, 3)).astype("float32")
    expected = np.array(model(batch))
    equalized = equalize(model, [batch])
    np.testing.assert_allclose(np.array(equalized(batch)), expected, rtol=1e-3, atol=1e-3)
    for name in ("a", "both"):
        peaks = np.abs(keras.Model(equalized.input, equalized.get_layer(name).output)(batch)).max(axis=(0, 1, 2))
        assert peaks.max() < 5 * np.median(peaks), (name, peaks)


@pytest.mark.parametrize("behind", [keras.layers.Conv2D(3, 1), keras.layers.DepthwiseConv2D(3)])
def test_what_is_cut_at_six_is_cut_at_six(behind):
    """MobileNetV2's ReLU6 went with its channel's scale, and a trained DNL's maps changed before any rounding."""
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 1, name="wide")(inputs))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(behind(x)))
    wide = model.get_layer("wide")
    wide.kernel.assign(wide.kernel * np.geomspace(0.1, 100, 8).astype("float32"))
    batch = RNG.normal(size=(2, 12, 12, 3)).astype("float32")
    assert np.array(keras.Model(inputs, x)(batch)).max() == 6
    # The second reaches further than what channels were measured on.
    pictures = [batch, 3 * batch]
    expected = [np.array(model(picture)) for picture in pictures]
    equalized = equalize(model, [batch])
    for picture, wanted in zip(pictures, expected, strict=True):
        assert np.ptp(wanted) > 0.1
        np.testing.assert_allclose(np.array(equalized(picture)), wanted, rtol=1e-3, atol=1e-4)


def test_sums_concatenations_and_depthwise_convolutions_keep_the_function():
    inputs = keras.Input((12, 12, 3))

    def unit(x, filters, name):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
        x = keras.layers.BatchNormalization(gamma_initializer="random_uniform", name=f"{name}_bn")(x)
        return keras.layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")(x)

    a, b = unit(inputs, 4, "a"), unit(inputs, 4, "b")
    c = keras.layers.AveragePooling2D(2)(keras.layers.Add()([a, b]))
    d = keras.layers.UpSampling2D(2, interpolation="bilinear")(unit(c, 2, "d"))
    e = keras.layers.Concatenate()([d, a, unit(inputs, 3, "e")])
    f = keras.layers.DepthwiseConv2D(3, padding="same", depthwise_initializer="random_normal")(e)
    g = keras.layers.Conv2D(5, 1)(keras.layers.Activation("tanh")(f))
    h = unit(inputs, 2, "h")  # used by a convolution and by a batch norm, which cannot undo a scale
    i = keras.layers.Conv2D(1, 1)(keras.layers.BatchNormalization(name="i_bn")(h))
    model = keras.Model(inputs, [keras.layers.Conv2D(1, 1)(e), g, b, i, keras.layers.Conv2D(1, 1)(h)])
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(RNG.uniform(0.01, 30, layer.gamma.shape))
            layer.beta.assign(RNG.normal(size=layer.beta.shape))
    batch = RNG.normal(size=(2, 12, 12, 3)).astype("float32")
    before = {layer.name: layer.get_weights() for layer in model.layers}
    expected = [np.array(value) for value in model(batch)]
    equalized = equalize(model, [batch], strength=1.0)
    for value, wanted in zip(equalized(batch), expected, strict=True):
        np.testing.assert_allclose(np.array(value), wanted, rtol=1e-3, atol=1e-3)
    # b is an output, and a is summed with it: neither may change. d and e may.
    for name, changes in {
        "a_bn": False,
        "b_bn": False,
        "d_bn": True,
        "e_bn": True,
        "h_bn": False,
        "i_bn": False,
    }.items():
        assert np.array_equal(before[name][0], equalized.get_layer(name).get_weights()[0]) != changes, name
