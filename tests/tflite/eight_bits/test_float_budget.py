"""What each layer costs in 8 bits, and the fewest that must stay in float."""

import keras
import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.tflite.eight_bits.float_budget import fewest_in_float, layer_costs

RNG = np.random.default_rng(0)


def test_costs_are_those_of_rounding_one_layer_by_hand():
    inputs = keras.Input((6, 6, 3))
    first = keras.layers.Conv2D(4, 1, use_bias=False, name="first")
    second = keras.layers.Conv2D(1, 1, use_bias=False, name="second")
    model = keras.Model(inputs, second(keras.layers.ReLU(name="relu")(first(inputs))))
    batch = RNG.normal(size=(2, 6, 6, 3)).astype("float32")
    a, b = (layer.kernel.numpy()[0, 0] for layer in (first, second))

    def rounded(kernel):
        step = np.abs(kernel).max(0) / 127
        return np.round(kernel / step) * step

    def levels(values, in_float):
        # Values outside the ranges, here those of the float network, are cut.
        low, high = min(in_float.min(), 0), max(in_float.max(), 0)
        step = (high - low) / 255
        return (np.clip(np.round(values / step) + round(-low / step), 0, 255) - round(-low / step)) * step

    hidden = np.maximum(batch @ a, 0)
    expected = hidden @ b
    by_hand = {
        "first": levels(np.maximum(batch @ rounded(a), 0), hidden) @ b,
        "second": levels(hidden @ rounded(b), expected),
    }
    ranges = {"relu": (0.0, float(hidden.max())), "second": (float(expected.min()), float(expected.max()))}
    costs = layer_costs(model, batch, ranges)
    for name, values in by_hand.items():
        assert costs[name] == pytest.approx(np.abs(values - expected).mean(), rel=1e-3)
    assert list(costs) == sorted(costs, key=costs.get, reverse=True)
    np.testing.assert_array_equal(first.kernel.numpy()[0, 0], a)  # the weights are as they were
    np.testing.assert_allclose(np.array(model(batch)), expected, atol=1e-5)


def test_the_fewest_layers_that_meet_a_budget_are_found():
    tried = []

    def cost(names):
        tried.append(len(names))
        return 1.0 - 0.1 * len(names)

    ranking = [f"layer{index}" for index in range(9)]
    assert fewest_in_float(ranking, cost, 0.75)[0] == ranking[:3]
    assert len(tried) <= 6
    assert fewest_in_float(ranking, cost, 1.0) == ([], 1.0)
    assert fewest_in_float(ranking, cost, 0.15)[0] == ranking
    with pytest.raises(SodkerasError, match="cannot be met"):
        fewest_in_float(ranking, cost, 0.05)
