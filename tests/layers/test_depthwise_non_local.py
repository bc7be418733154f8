"""The depthwise non-local layer against NumPy, written from the paper's formulas."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sodkeras.layers import DepthwiseNonLocal

RNG = np.random.default_rng(0)


def expected(layer, picture):
    """One picture `[H, W, C]`, vector by vector, in float64."""
    weights = {weight.name: np.array(weight, np.float64) for weight in layer.weights}
    turned = picture if layer.direction == "vertical" else picture.transpose(1, 0, 2)
    output = np.array(turned, np.float64)
    free, channels = turned.shape[1:]
    width = free // layer.parts
    for part in range(layer.parts):
        places = [(k, part * width + j) for k in range(channels) for j in range(width)]

        def embed(name, places=places):
            kernel, bias = weights[f"{name}_kernel"], weights[f"{name}_bias"]
            return np.array([turned[:, j, k] @ kernel[k] + bias[k, 0] for k, j in places])

        similarity = layer.attention_scale * embed("query") @ embed("key").T
        attention = np.exp(similarity - similarity.max(1, keepdims=True))
        attention /= attention.sum(1, keepdims=True)
        for (k, j), y in zip(places, attention @ embed("value"), strict=True):
            output[:, j, k] += y @ weights["output_kernel"][k] + weights["output_bias"][k, 0]
    return output if layer.direction == "vertical" else output.transpose(1, 0, 2)


def random_layer(shape, **arguments):
    layer = DepthwiseNonLocal(**arguments)
    layer.build((None, *shape))
    for weight in layer.weights:
        weight.assign(RNG.normal(0, 0.3, weight.shape))
    return layer


@pytest.mark.parametrize("direction", ["vertical", "horizontal"])
@pytest.mark.parametrize("latent_values", [True, False])
@pytest.mark.parametrize(("parts", "attention_scale"), [(1, 1), (2, 1), (2, 0.3)])
def test_is_the_papers_formula(direction, latent_values, parts, attention_scale):
    shape = (4, 7, 3) if direction == "horizontal" else (7, 4, 3)
    layer = random_layer(
        shape, direction=direction, latent_values=latent_values, parts=parts, attention_scale=attention_scale
    )
    pictures = RNG.normal(size=(2, *shape)).astype("float32")
    for picture, output in zip(pictures, np.array(layer(pictures)), strict=True):
        np.testing.assert_allclose(output, expected(layer, picture), atol=1e-5)


@pytest.mark.reference
@pytest.mark.parametrize("variant", ["latent", "full"])
@pytest.mark.parametrize("parts", [1, 3])
def test_is_the_reconstruction(reference, variant, parts):
    golden = np.load(reference / "reference/dnl_layer_reconstruction.npz")
    picture = golden["input"].transpose(1, 2, 0)[None].astype("float32")
    layers = {}
    for letter, direction in (("v", "vertical"), ("h", "horizontal")):
        layer = DepthwiseNonLocal(direction, parts, latent_values=variant == "latent")
        layer.build(picture.shape)
        stored = {
            name: golden[f"{variant}/{letter}/{name}"] for name in ["We", "be", "Wp", "bp", "Wg", "bg", "Wf", "bf"]
        }
        layer.set_weights([v.transpose(0, 2, 1) if v.ndim == 3 else v[:, None] for v in stored.values()])
        layers[letter] = layer
        result = np.array(layer(picture))[0].transpose(2, 0, 1)
        np.testing.assert_allclose(result, golden[f"{variant}/out_{letter}_s{parts}"], atol=1e-5)
    both = np.array(layers["h"](layers["v"](picture)))[0].transpose(2, 0, 1)
    np.testing.assert_allclose(both, golden[f"{variant}/out_vh_s{parts}"], atol=1e-5)


def test_starts_as_the_identity_and_learns_away_from_it():
    layer = DepthwiseNonLocal("vertical", parts=2)
    pictures = RNG.normal(size=(2, 6, 4, 3)).astype("float32")
    np.testing.assert_array_equal(np.array(layer(pictures)), pictures)
    model = keras.Sequential([keras.Input((6, 4, 3)), layer])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(pictures, 0 * pictures, verbose=0)
    assert np.abs(np.array(layer.output_kernel)).max() > 0


def test_embeddings_keep_the_spread_of_their_input():
    layer = DepthwiseNonLocal("vertical")
    layer.build((None, 40, 4, 64))
    # Glorot: variance 2 / (40 + 20), whatever the number of channels.
    assert np.array(layer.query_kernel).var() == pytest.approx(2 / 60, rel=0.05)


def test_config_round_trip():
    layer = DepthwiseNonLocal("horizontal", 3, latent_values=False, output_initializer="glorot_uniform")
    again = DepthwiseNonLocal.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_multiply_adds_are_the_papers_formula():
    layer = DepthwiseNonLocal("vertical", 9)
    layer.build((None, 45, 45, 32))
    pairs, linear = (32 * 45) ** 2 * (22 + 22) // 9, 32 * 45 * 45 * 4 * 22
    assert layer.multiply_adds() == pairs + linear


def operators(channels, parts):
    """Those of the layer's graph for one picture of 12×18."""
    layer = DepthwiseNonLocal("vertical", parts)
    layer.build((None, 12, 18, channels))
    return tf.function(layer).get_concrete_function(tf.TensorSpec((1, 12, 18, channels))).graph.get_operations()


def test_memory_falls_with_the_parts():
    """Nothing that is ever held is larger than the similarities of all parts, (C · W)² / s of them."""
    for parts in (1, 3, 9):
        sizes = [math.prod(output.shape) for operator in operators(16, parts) for output in operator.outputs]
        assert max(sizes) == (16 * 18) ** 2 // parts


def test_neither_parts_nor_channels_are_gone_through_one_by_one():
    numbers = {len(operators(channels, parts)) for channels, parts in ((4, 3), (4, 9), (16, 3), (16, 9))}
    assert len(numbers) == 1


def test_parts_that_do_not_divide_are_refused_with_those_that_do():
    with pytest.raises(ValueError, match=r"must divide 45: 1, 3, 5, 9, 15, 45\. Received: parts=2"):
        DepthwiseNonLocal("vertical", 2).build((None, 30, 45, 8))
    with pytest.raises(ValueError, match="must divide 30"):
        DepthwiseNonLocal("horizontal", 4).build((None, 30, 45, 8))


def test_an_unknown_size_or_direction_is_refused():
    with pytest.raises(ValueError, match="fixed height and width"):
        DepthwiseNonLocal().build((None, None, 45, 8))
    with pytest.raises(ValueError, match="diagonal"):
        DepthwiseNonLocal("diagonal")
