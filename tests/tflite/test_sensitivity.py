"""Finding the layers whose weights do not fit into 8 bits."""

import keras
import numpy as np
import pytest

from helpers import photo, tiny_model, write_photo
from sodkeras.flatten import flatten
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.convert import convert
from sodkeras.tflite.sensitivity import weight_noise
from sodkeras.tflite.verify import compare

RNG = np.random.default_rng(0)


def test_noise_of_one_convolution_by_hand():
    inputs = keras.Input((6, 6, 2))
    layer = keras.layers.Conv2D(3, 1, use_bias=False, name="conv")
    model = keras.Model(inputs, layer(inputs))
    kernel = RNG.normal(size=(1, 1, 2, 3)).astype("float32")
    layer.set_weights([kernel])
    batch = RNG.normal(size=(1, 6, 6, 2)).astype("float32")
    step = np.abs(kernel).max((0, 1, 2)) / 127
    change = batch @ (np.round(kernel[0, 0] / step) * step - kernel[0, 0])
    signal = np.mean(np.var((batch @ kernel[0, 0])[0], axis=(0, 1)))
    expected = 10 * np.log10(signal / np.mean(change**2))
    assert weight_noise(model, [batch]) == {"conv": pytest.approx(expected, abs=1e-3)}


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
    noise = weight_noise(flatten(hostile.inference_model(), batch.shape[1:]), [batch])
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
