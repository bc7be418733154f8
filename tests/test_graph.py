"""The graph of a network; what networks promise of their flat form is in tests/models/contract.py."""

import keras
import numpy as np

from sodkeras.graph import (
    Graph,
    copy,
    flatten,
    is_convolution,
    rewrite,
    run_on,
    tap,
    traits,
)
from sodkeras.layers import BilinearUpSampling2D, ResidualU, ResizeLike, ScaledDepthwiseConv2D


def test_a_layer_used_twice_stays_one_layer():
    block = ResidualU(3, 2, 4)
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, block(block(inputs)))
    flat = flatten(model)
    batch = np.random.default_rng(0).random((1, 8, 8, 4), np.float32)
    np.testing.assert_array_equal(flat(batch), model(batch))
    assert len(flat.weights) == len(model.weights)
    convolutions = [call.layer for call in Graph(flat) if is_convolution(call.layer)]
    assert len(convolutions) == 2 * len(set(map(id, convolutions))) > 0


def test_flattening_twice_gives_only_the_calls_of_the_graph_at_hand():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, ResidualU(3, 2, 4)(inputs))
    first, second = flatten(model), flatten(model, (16, 16, 3))
    assert len(Graph(first).calls) == len(Graph(second).calls)
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


def diamond():
    """A network with a fork, a sum, a layer called twice, and an output in the middle."""
    inputs = keras.Input((8, 8, 3), name="picture")
    shared = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    left = shared(inputs)
    right = keras.layers.ReLU(name="right")(shared(left))
    total = keras.layers.Add(name="total")([left, right])
    return keras.Model(inputs, [keras.layers.Conv2D(1, 1, name="last")(total), total], name="diamond")


def test_the_view_tells_makers_and_users():
    model = diamond()
    graph = Graph(model)
    assert [call.layer.name for call in graph] == ["shared", "shared", "right", "total", "last"]
    assert graph.maker(model.inputs[0]) is None
    total = graph.maker(model.outputs[1])
    assert total.layer.name == "total" and [tensor.shape[-1] for tensor in total.inputs] == [3, 3]
    left, right = total.inputs
    assert [call.layer.name for call in graph.users(left)] == ["shared", "total"]
    assert (graph.uses(left), graph.uses(right), graph.uses(total.output)) == (2, 1, 2)
    assert graph.users(model.outputs[0]) == [] and graph.uses(model.outputs[0]) == 1


def test_a_call_on_other_values_computes_what_the_model_does():
    model = diamond()
    batch = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    values = {id(model.inputs[0]): batch}
    for call in Graph(model):
        values[id(call.output)] = call.again(values)
    for output, expected in zip(model.outputs, model(batch), strict=True):
        np.testing.assert_allclose(values[id(output)], expected, rtol=1e-6)
    inputs = keras.Input((8, 8, 3))
    halved = keras.Model(inputs, run_on(model, keras.layers.Rescaling(0.5)(inputs)))
    np.testing.assert_allclose(halved(batch), model(batch / 2)[0], rtol=1e-5)


def test_rewriting_shares_what_it_keeps_and_gives_the_model_back_where_nothing_changed():
    model = diamond()
    assert rewrite(model, lambda call, inputs: None) is model
    one = rewrite(model, lambda call, inputs: inputs[0] if call.layer.name == "right" else None)
    assert one.get_layer("shared") is model.get_layer("shared") and "right" not in [layer.name for layer in one.layers]
    batch = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    shared = model.get_layer("shared")
    np.testing.assert_allclose(one(batch)[1], shared(batch) + shared(shared(batch)), rtol=1e-5)


def test_a_copy_has_weights_of_its_own():
    model = diamond()
    copied = copy(model)
    batch = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    expected = np.array(model(batch)[0])
    copied.set_weights([weight * 0 for weight in copied.get_weights()])
    np.testing.assert_array_equal(np.array(model(batch)[0]), expected)
    assert [layer.name for layer in copied.layers] == [layer.name for layer in model.layers]


def test_the_traits_are_what_the_layers_do():
    """Each trait of each layer that has it, on numbers; and of a subclass, and where a limit takes one away."""
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    scale, signed, shift = np.float32([0.5, 2, 3]), np.float32([0.5, -2, 3]), np.float32([-1, 0, 4])
    reference = np.zeros((1, 16, 16, 1), "float32")
    layers = [
        keras.layers.ReLU(),
        keras.layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal"),
        keras.layers.LeakyReLU(0.1),
        keras.layers.MaxPooling2D(2),
        keras.layers.AveragePooling2D(2),
        keras.layers.UpSampling2D(2, interpolation="bilinear"),
        BilinearUpSampling2D(2),
        keras.layers.ZeroPadding2D(1),
        ResizeLike(),
        ResizeLike(align_corners=True),
    ]
    for layer in layers:

        def call(values, layer=layer):
            return np.array(layer(values, reference) if isinstance(layer, ResizeLike) else layer(values))

        found = traits(layer)
        assert np.allclose(call(scale * x), scale * call(x), atol=1e-5) >= found.homogeneous, layer
        assert np.allclose(call(signed * x + shift), signed * call(x) + shift, atol=1e-4) == found.affine, layer
        assert (call(x).shape != x.shape) >= found.resizes and (call(x).shape == x.shape) >= found.activation, layer
        assert not found.keeps_scale or np.abs(call(x)).max() <= np.abs(x).max() + 1e-6, layer
    assert traits(layers[6]).resizes and traits(layers[1]).activation
    assert traits(keras.layers.ReLU(6.0)) == traits(keras.layers.ReLU(max_value=1)) != traits(keras.layers.ReLU())
    assert is_convolution(ScaledDepthwiseConv2D(3)) and not is_convolution(keras.layers.Dense(1))
