"""The ranges that activations have in 8 bits."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from helpers import photo, tiny_model
from sodkeras.tflite.eight_bits.activation_ranges import choose_ranges
from sodkeras.tflite.file.quantize import Calibrated
from sodkeras.tflite.passes import EightBits, lower, lower_for_integers
from sodkeras.tflite.source_network import export

RNG = np.random.default_rng(0)
SHARES = np.linspace(0.1, 1, 46)


def weighing(weights, side=8):
    """A network whose first layer passes its input on, and whose output is that times a weight a channel, summed."""
    inputs = keras.Input((side, side, len(weights)))
    passed = keras.layers.DepthwiseConv2D(1, use_bias=False, name="passed")
    summed = keras.layers.Conv2D(1, 1, use_bias=False, name="summed")
    model = keras.Model(inputs, summed(passed(inputs)))
    passed.set_weights([np.ones((1, 1, len(weights), 1))])
    summed.set_weights([np.reshape(weights, (1, 1, -1, 1))])
    return model


def rounded(values, low, high):
    step = (high - low) / 255
    return np.clip(np.round(values / step) * step, low, high)


def test_range_is_the_one_that_changes_the_output_least():
    weights = np.array([1.0, 0.2])
    batches = [np.float32(RNG.normal(size=(1, 64, 64, 2))) for _ in range(8)]
    batches[0][0, 0, 0], batches[1][0, 0, 0] = (1, 30), (-4, -20)  # of the channel that counts little
    low, high = choose_ranges(weighing(weights, 64), batches)["passed"]
    values = np.concatenate(batches)

    def change(low, high):
        return np.mean(((rounded(values, low, high) - values) ** 2) @ weights**2)

    everything = change(values.min(), values.max())
    least = min(change(values.min() * a, values.max() * b) for a in SHARES for b in SHARES)
    assert change(low, high) < 1.05 * least < 0.5 * everything


def test_values_that_the_output_does_not_see_are_cut_off_and_those_that_it_sees_are_not():
    values = np.float32(RNG.uniform(0, 1, (1, 8, 8, 2)))
    values[0, 0, 0] = 0, 50
    blind, seeing = (choose_ranges(weighing(weights), [values])["passed"] for weights in ([1, 0], [1, 1]))
    assert blind == (0, pytest.approx(5)) and seeing == (0, pytest.approx(50))


def test_ranges_hold_0_and_a_layer_of_nothing_but_0_has_a_step():
    model = weighing([1.0, 1.0])
    assert choose_ranges(model, [np.full((1, 8, 8, 2), -3, "float32")])["passed"] == (pytest.approx(-3), 0)
    assert choose_ranges(model, [np.full((1, 8, 8, 2), 3, "float32")])["passed"] == (0, pytest.approx(3))
    low, high = choose_ranges(model, [np.zeros((1, 8, 8, 2), "float32")])["passed"]
    assert low == 0 < high


def test_a_layer_that_is_called_twice_has_one_range_for_both():
    inputs = keras.Input((8, 8, 1))
    twice = keras.layers.DepthwiseConv2D(1, use_bias=False, name="twice")
    model = keras.Model(inputs, keras.layers.Add(name="sum")([twice(inputs), twice(twice(inputs))]))
    twice.set_weights([np.full((1, 1, 1, 1), 3.0)])
    ranges = choose_ranges(model, [np.ones((1, 8, 8, 1), "float32")])
    assert ranges["twice"] == (0, pytest.approx(9)) and ranges["sum"] == (0, pytest.approx(12))


def test_a_sum_stays_within_what_xnnpack_adds_up():
    inputs = keras.Input((8, 8, 1))
    large = keras.layers.DepthwiseConv2D(1, use_bias=False, name="large")
    small = keras.layers.DepthwiseConv2D(1, use_bias=False, name="small")
    model = keras.Model(inputs, keras.layers.Add(name="sum")([large(inputs), small(inputs)]))
    large.set_weights([np.full((1, 1, 1, 1), 1.0)])
    small.set_weights([np.full((1, 1, 1, 1), 1e-6)])
    ranges = choose_ranges(model, [np.float32(RNG.uniform(0, 1, (1, 8, 8, 1)))])
    widths = {name: high - low for name, (low, high) in ranges.items()}
    for name in ("large", "small"):
        assert 1 / 1024 < widths[name] / widths["sum"] < 256


def test_the_file_has_the_chosen_ranges(tmp_path):
    model = lower(tiny_model().inference_model())
    batches = [tiny_model().preprocessing(photo(seed=seed)) for seed in range(2)]
    model = lower_for_integers(model, EightBits(lambda purpose, count=None: batches[:count]))
    ranges = {"fusion_conv": (-7.0, 3.0)}
    calibrated = Calibrated(export(model, str(tmp_path)), lambda: batches, ranges, False)
    interpreter = Interpreter(model_content=calibrated.quantize([], [], "int8").to_bytes())
    scales = {tensor["quantization"][0]: tensor["name"] for tensor in interpreter.get_tensor_details()}
    found = [name for scale, name in scales.items() if scale == pytest.approx(10 / 255)]
    assert len(found) == 1 and "fusion_conv" in found[0], scales
    # The output is a map, whatever the network gave on a few pictures.
    assert interpreter.get_output_details()[0]["quantization"] == (1 / 256, -128)
