"""The fused batch norm is Keras's, to rounding: output, gradients, moving statistics; or training would change."""

import keras
import numpy as np
import pytest

from sodkeras.layers import BatchNormalization

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the kernel is TensorFlow's")


def _layers(**arguments):
    rng = np.random.default_rng(0)
    layers = [
        kind(momentum=0.9, epsilon=1e-5, **arguments) for kind in (BatchNormalization, keras.layers.BatchNormalization)
    ]
    for layer in layers:
        layer.build((None, None, None, 6))
    weights = [rng.uniform(0.5, 2, 6), rng.normal(size=6), rng.normal(size=6), rng.uniform(0.5, 2, 6)]
    for layer in layers:
        layer.set_weights(weights)
    x = rng.normal(3, 2, (3, 7, 5, 6)).astype("float32")
    return layers, x, rng.normal(size=x.shape).astype("float32")


@tensorflow_only
def test_a_training_step_is_keras():
    import tensorflow as tf

    layers, x, upstream = _layers()
    results = []
    for layer in layers:
        with tf.GradientTape() as tape:
            inputs = tf.constant(x)
            tape.watch(inputs)
            y = layer(inputs, training=True)
        gradients = tape.gradient(y, [inputs, layer.gamma.value, layer.beta.value], upstream)
        results.append([y, *gradients, *layer.get_weights()])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)
    assert np.abs(layers[0].get_weights()[2] - x.mean((0, 1, 2))).max() > 0.1  # they moved, and not all the way


@tensorflow_only
def test_bfloat16_stays_bfloat16_and_near():
    layers, x, _ = _layers(dtype="mixed_bfloat16")
    ours, theirs = (layer(x, training=True) for layer in layers)
    assert keras.backend.standardize_dtype(ours.dtype) == "bfloat16"
    np.testing.assert_allclose(keras.ops.cast(ours, "float32"), keras.ops.cast(theirs, "float32"), atol=0.05)
    np.testing.assert_allclose(layers[0].get_weights()[3], layers[1].get_weights()[3], rtol=0.01)


@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False}, {"axis": 1}, {"dtype": "float64"}])
def test_what_the_kernel_cannot_do_is_left_to_keras(arguments):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (3, 6, 6, 6)).astype("float32")
    ours, theirs = BatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=2e-5)
    ours.trainable = False
    before = ours.get_weights()
    ours(x, training=True)
    for frozen, weight in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(frozen, weight)
