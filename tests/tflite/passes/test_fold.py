"""Folding keeps the function and the caller's weights, and leaves no batch norm."""

import keras
import numpy as np

from sodkeras.graph import Graph, flatten
from sodkeras.layers import BilinearUpSampling2D, ScaledConv2D, ScaledDepthwiseConv2D
from sodkeras.models import CSNet
from sodkeras.tflite.passes.fold import fold

RNG = np.random.default_rng(0)


def randomise(model):
    """Weights and statistics under which a mistaken scale, shift or sign shows."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights(
                [RNG.normal(size=shape), RNG.normal(size=shape), RNG.normal(size=shape), RNG.uniform(0.2, 3, shape)]
            )
        elif isinstance(layer, keras.layers.PReLU):
            layer.alpha.assign(RNG.normal(0.2, 0.3, layer.alpha.shape))


def check(model, batch_norms_left=0):
    randomise(model)
    before = [weight.copy() for weight in model.get_weights()]
    batch = RNG.normal(size=(2, *model.input_shape[1:])).astype("float32")
    expected = model(batch)
    folded = fold(model)
    received = folded(batch)
    for wanted, value in zip(keras.tree.flatten(expected), keras.tree.flatten(received), strict=True):
        scale = np.max(np.abs(wanted))
        np.testing.assert_allclose(np.array(value) / scale, np.array(wanted) / scale, atol=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    kinds = [type(layer) for layer in folded.layers]
    assert keras.layers.BatchNormalization not in kinds
    assert not {ScaledConv2D, ScaledDepthwiseConv2D} & set(kinds)
    return folded


def test_a_batch_norm_goes_through_sums_concatenations_and_resizing():
    inputs = keras.Input((8, 12, 3))
    coarse = keras.layers.AveragePooling2D(2)(ScaledConv2D(4, 3, padding="same", kernel_scale=7)(inputs))
    up = BilinearUpSampling2D(2)(coarse)
    total = keras.layers.Add()([keras.layers.Conv2D(4, 1, use_bias=False)(inputs), up])
    wide = keras.layers.Concatenate()([total, keras.layers.Conv2D(2, 3, padding="same")(inputs)])
    x = keras.layers.PReLU(shared_axes=[1, 2])(keras.layers.BatchNormalization()(wide))
    x = ScaledDepthwiseConv2D(3, padding="same", kernel_scale=100)(x)
    x = keras.layers.BatchNormalization()(keras.layers.BatchNormalization(scale=True)(x))
    folded = check(keras.Model(inputs, x))
    assert not any(
        isinstance(layer, keras.layers.DepthwiseConv2D) and layer.kernel_size == (1, 1) for layer in folded.layers
    )


def test_what_a_batch_norm_cannot_pass_becomes_a_convolution():
    inputs = keras.Input((8, 8, 3))
    conv = keras.layers.Conv2D(4, 1)(inputs)
    pooled = keras.layers.BatchNormalization()(keras.layers.MaxPooling2D(2)(conv))  # a negative scale does not commute
    shared = keras.layers.BatchNormalization()(conv)  # the convolution has another user
    active = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 1, activation="relu")(inputs))
    first = keras.layers.BatchNormalization()(inputs)
    folded = check(keras.Model(inputs, [pooled, shared, active, first]))
    ones = [layer for layer in folded.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert len(ones) == 4 and all(layer.kernel_size == (1, 1) for layer in ones)


def test_a_layer_called_twice_keeps_both_batch_norms():
    inputs = keras.Input((8, 8, 3))
    shared = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    x = keras.layers.BatchNormalization()(shared(inputs))
    folded = check(keras.Model(inputs, keras.layers.BatchNormalization()(shared(x))))
    assert [call.layer.name for call in Graph(folded)] == ["shared", "shared_2"]


def test_csnet_is_convolutions_sums_and_prelu():
    model = CSNet(width=0.3, input_shape=(32, 48, 3)).inference_model()
    flat = flatten(model, (32, 48, 3))
    convolutions = sum(isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D) for layer in flat.layers)
    folded = check(flat)
    # No batch norm needed a convolution of its own.
    assert convolutions == sum(
        isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D) for layer in folded.layers
    )
