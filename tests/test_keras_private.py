"""A release of Keras that changes what it keeps private fails here, by the name of the entry."""

import keras
import numpy as np
import pytest

from sodkeras import keras_private
from sodkeras.layers import ResidualU


@pytest.fixture
def model():
    inputs = keras.Input((8, 8, 3), name="picture")
    return keras.Model(inputs, ResidualU(3, 2, 4, name="block")(keras.layers.ReLU(name="first")(inputs)))


def test_calls_come_in_running_order_with_their_arguments(model):
    nodes = keras_private.calls_in_order(model)
    assert [node.operation.name for node in nodes] == ["first", "block"]
    assert nodes[1].input_tensors[0] is nodes[0].outputs[0]
    (value,), keywords = keras_private.arguments(nodes[0], {id(model.inputs[0]): "another"})
    assert value == "another" and keywords == {}


def test_a_layer_tells_whether_it_holds_others_and_which(model):
    assert [keras_private.is_composite(layer) for layer in model.layers] == [False, False, True]
    found = keras_private.all_layers(model)
    assert model not in found and {"first", "block"} <= {layer.name for layer in found}
    assert any(isinstance(layer, keras.layers.Conv2D) for layer in found)


def test_resizing_takes_a_size_that_is_known_only_when_the_graph_runs():
    inputs = keras.Input((None, None, 2))

    class Twice(keras.layers.Layer):
        def call(self, x):
            height, width = keras.ops.shape(x)[1:3]
            return keras_private.resize_bilinear(x, (2 * height, 2 * width))

    model = keras.Model(inputs, Twice()(inputs))
    for side in (3, 5):
        picture = np.random.default_rng(0).random((1, side, side, 2), np.float32)
        made = model.predict(picture, verbose=0)
        assert made.shape == (1, 2 * side, 2 * side, 2)
        np.testing.assert_allclose(made[0, 1, 1], picture[0, :2, :2].reshape(4, 2).T @ [9 / 16, 3 / 16, 3 / 16, 1 / 16])
    half = keras_private.resize_bilinear(keras.ops.zeros((1, 2, 2, 1), "bfloat16"), (4, 4))
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
