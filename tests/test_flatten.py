"""Flattening into plain layers; what networks promise of it is in tests/models/contract.py."""

import keras
import numpy as np

from sodkeras.flatten import calls, flatten, tap
from sodkeras.layers import ResidualU


def test_a_layer_used_twice_stays_one_layer():
    block = ResidualU(3, 2, 4)
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, block(block(inputs)))
    flat = flatten(model)
    batch = np.random.default_rng(0).random((1, 8, 8, 4), np.float32)
    np.testing.assert_array_equal(flat(batch), model(batch))
    assert len(flat.weights) == len(model.weights)
    convolutions = [layer for layer, _, _ in calls(flat) if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == 2 * len(set(map(id, convolutions))) > 0


def test_flattening_twice_gives_only_the_calls_of_the_graph_at_hand():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, ResidualU(3, 2, 4)(inputs))
    first, second = flatten(model), flatten(model, (16, 16, 3))
    assert len(calls(first)) == len(calls(second))
    assert second.output_shape == (None, 16, 16, 4) and first.output_shape == (None, 8, 8, 4)


def test_what_is_inside_comes_in_the_form_that_it_was_asked_for():
    inputs = keras.Input((8, 8, 3))
    doubled = keras.layers.Rescaling(2)(inputs)
    model = keras.Model(inputs, keras.layers.Rescaling(3)(doubled))
    look = tap(model, {"late": [model.output, doubled], "early": [doubled]})
    for count in (2, 1):  # the last batch is a smaller one
        batch = np.random.default_rng(count).random((count, 8, 8, 3), np.float32)
        found = look(batch)
        assert {name: len(values) for name, values in found.items()} == {"late": 2, "early": 1}
        for received, factor in zip([*found["late"], *found["early"]], (6, 2, 2), strict=True):
            np.testing.assert_allclose(received, factor * batch, rtol=1e-6)
    np.testing.assert_allclose(tap(model, doubled)(batch), 2 * batch, rtol=1e-6)
    assert tap(model, [])(batch) == []
