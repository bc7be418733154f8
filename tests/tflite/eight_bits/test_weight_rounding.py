"""Finding the layers whose weights do not fit into 8 bits."""

import keras
import numpy as np
import pytest

from helpers import photo, tiny_model, write_photo
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.check.agreement import compare
from sodkeras.tflite.convert import convert
from sodkeras.tflite.eight_bits.weight_rounding import correct_biases, rounding_effects
from sodkeras.tflite.passes import lower

RNG = np.random.default_rng(0)


def rounded(kernel, axes):
    step = np.abs(kernel).max(axes, keepdims=True) / 127
    return np.round(kernel / step) * step


def test_effect_on_one_convolution_by_hand():
    inputs = keras.Input((6, 6, 2))
    layer = keras.layers.Conv2D(3, 1, use_bias=False, name="conv")
    model = keras.Model(inputs, layer(inputs))
    kernel = RNG.normal(size=(1, 1, 2, 3)).astype("float32")
    layer.set_weights([kernel])
    batch = RNG.normal(size=(1, 6, 6, 2)).astype("float32")
    change = batch @ (rounded(kernel, (0, 1, 2)) - kernel)[0, 0]
    signal = np.mean(np.var((batch @ kernel[0, 0])[0], axis=(0, 1)))
    effect = rounding_effects(model, [batch])["conv"]
    assert effect.decibels == pytest.approx(10 * np.log10(signal / np.mean(change**2)), abs=1e-3)
    np.testing.assert_allclose(effect.mean, change.mean((0, 1, 2)), atol=1e-6)


def test_corrected_biases_leave_rounded_weights_without_a_shift():
    inputs = keras.Input((6, 6, 4))
    x = keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same", name="full")(x))
    before = model.get_weights()
    batches = [RNG.uniform(0, 5, (2, 6, 6, 4)).astype("float32") for _ in range(2)]
    for layer, axes in ((model.get_layer("depthwise"), (0, 1)), (model.get_layer("full"), (0, 1, 2))):
        output = keras.Model(inputs, layer.output)
        wanted = np.mean([output(batch) for batch in batches], (0, 1, 2, 3))
        kernel, bias = layer.get_weights()
        layer.set_weights([rounded(kernel, axes), bias])
        shift = np.abs(np.mean([output(batch) for batch in batches], (0, 1, 2, 3)) - wanted).max()
        layer.set_weights([kernel, bias])
        corrected = correct_biases(model, {layer.name: rounding_effects(model, batches)[layer.name]})
        layer.set_weights([rounded(kernel, axes), corrected.get_layer(layer.name).get_weights()[1]])
        left = np.abs(np.mean([output(batch) for batch in batches], (0, 1, 2, 3)) - wanted).max()
        assert left < shift / 100
        layer.set_weights([kernel, bias])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.fixture(scope="module")
def hostile():
    """A tiny network with U²-Net†'s trouble: a constant channel whose weights dwarf all others, cancelled by a bias."""
    model = tiny_model()
    block = model.get_layer("encoder1")
    block.encoder_units[1].batch_norm.beta.assign([300.0, 0.5])
    block.encoder_units[1].batch_norm.gamma.assign([0.001, 1.0])
    unit = block.decoder_units[0].conv  # takes concat[deeper, encoder_units[1]]
    kernel, bias = unit.get_weights()
    kernel[:, :, 2] = 0
    kernel[1, 1, 2] = 4.0
    unit.set_weights([kernel, bias - 4.0 * 300.0])
    return model


def test_a_layer_that_a_constant_channel_dominates_is_found(hostile):
    batch = hostile.preprocessing(photo())
    effects = rounding_effects(lower(hostile.inference_model()), [batch])
    noise = {layer: effect.decibels for layer, effect in effects.items()}
    assert min(noise, key=noise.get) == "encoder1_d2_conv" and noise["encoder1_d2_conv"] < 20
    assert sorted(noise.values())[1] > 25


def test_keeping_that_layer_in_float_brings_the_maps_back(hostile, tmp_path):
    for seed in range(3):
        write_photo(tmp_path / f"{seed}.png", seed=seed)
    pictures = [(seed, photo(seed=seed)) for seed in range(3)]
    found = {}
    for name, keep in {"auto": None, "another": ["decoder?_d1_conv"]}.items():
        path = convert(hostile, tmp_path / name, ["int8"], str(tmp_path / "*.png"), keep_float=keep)[0]
        runtime = LiteRTRuntime(path)
        mae = compare(KerasRuntime(hostile), runtime, pictures).summary()["median_mae"]
        found[name] = (runtime.metadata["float_layers"], mae)
    assert found["auto"][0] == ["encoder1_d2_conv"] and found["another"][0] == ["decoder1_d1_conv"]
    assert found["auto"][1] < 0.02 and found["auto"][1] < found["another"][1] / 2
