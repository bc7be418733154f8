"""On a CPU training takes another way through batch norm and activation: it has to arrive at the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sodkeras.layers import fused_normalisation, normalised_activation
from sodkeras.layers.normalised_activation import batch_norm, normalise
from sodkeras.models import CSNet
from sodkeras.weights import load_model


def layers(kind, channels=5):
    rng = np.random.default_rng(0)
    norm, activation = batch_norm("norm", None), normalised_activation.activation(kind, "activation", None)
    for layer in (norm, activation):
        layer.build((None, None, None, channels))
    for weight in (*norm.trainable_weights, *activation.trainable_weights):
        weight.assign(rng.normal(size=weight.shape))
    return norm, activation


@pytest.mark.parametrize("training", [True, False], ids=["batch", "fixed"])
@pytest.mark.parametrize("kind", ["prelu", "relu", "leaky_relu"])
@pytest.mark.parametrize("shape", [(4, 16, 24, 5), (1, 1, 1, 5), (2, 3, 1, 5)], ids=str)
def test_the_same_as_the_layers_forward_and_backward(kind, shape, training):
    # In float64 Keras's layers are exact enough to compare with, also where a channel hardly varies.
    rng = np.random.default_rng(1)
    values, direction = rng.normal(3, 2, shape), rng.normal(size=shape)

    def run(normalised, dtype):
        norm, activation = layers(kind)
        norm.moving_mean.assign([3, -1, 0, 2, 5])
        norm.moving_variance.assign([4, 1, 0.01, 9, 2])
        x = tf.constant(values, dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = normalised(x, norm, activation)
            total = tf.reduce_sum(y * tf.constant(direction, dtype))
        weights = [weight.value for weight in (*norm.trainable_weights, *activation.trainable_weights)]
        return [y, *tape.gradient(total, [x, *weights]), norm.moving_mean, norm.moving_variance]

    keras.config.set_dtype_policy("float64")
    try:
        expected = run(lambda x, norm, activation: activation(norm(x, training=training)), "float64")
    finally:
        keras.config.set_dtype_policy("float32")
    found = run(lambda *inputs: fused_normalisation.fused(*inputs, training), "float32")
    for ours, theirs in zip(found, expected, strict=True):
        scale = max(float(np.abs(theirs).max()), 1)
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=2e-5 * scale)


def test_a_networks_gradients_are_as_near_to_float64_as_kerass(monkeypatch):
    pictures = np.random.default_rng(0).normal(size=(4, 64, 64, 3)).astype("float32")
    masks = (pictures[..., :1] > 0).astype("float32")
    trained = load_model("csnet_l_x1")
    config, weights = CSNet(plan=trained.channels).get_config(), trained.get_weights()
    can_fuse, fused, used = fused_normalisation.can_fuse, fused_normalisation.fused, []
    monkeypatch.setattr(fused_normalisation, "fused", lambda *inputs: used.append(1) or fused(*inputs))

    def gradients(dtype, fuse):
        monkeypatch.setattr(fused_normalisation, "can_fuse", lambda *inputs: fuse and can_fuse(*inputs))
        keras.config.set_dtype_policy(dtype)
        try:
            model = CSNet.from_config(config)
            model.set_weights(weights)
            with tf.GradientTape() as tape:
                logits = model(tf.constant(pictures, dtype), training=True)["saliency_logits"]
                loss = keras.losses.BinaryCrossentropy(from_logits=True)(masks, logits)
            return [np.asarray(part) for part in tape.gradient(loss, [w.value for w in model.trainable_weights])]
        finally:
            keras.config.set_dtype_policy("float32")

    exact, plain = gradients("float64", False), gradients("float32", False)
    assert not used
    quick = gradients("float32", True)
    assert len(used) == sum("gamma" in weight.path for weight in trained.trainable_weights)

    def error(parts):
        # A slope that no negative value meets has none at all.
        errors = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(parts, exact, strict=True) if b.any()]
        return np.median(errors), max(errors)

    assert error(plain)[0] < 1e-2, "the comparison says nothing"
    assert error(quick)[0] <= 2 * error(plain)[0]
    assert error(quick)[1] <= 2 * error(plain)[1]


@pytest.mark.parametrize("activation", [None, keras.layers.Activation("gelu")], ids=["none", "gelu"])
def test_another_activation_follows(activation):
    x = tf.random.normal((2, 4, 6, 5))
    expected = layers("relu")[0](x, training=True)
    found = fused_normalisation.fused(x, layers("relu")[0], activation)
    np.testing.assert_allclose(found, expected if activation is None else activation(expected), atol=1e-5)


def test_who_listens_to_an_activation_hears_it():
    x, heard = tf.random.normal((2, 4, 6, 5)), []
    norm, activation = layers("prelu")
    activation.activity_regularizer = lambda y: heard.append(y) or tf.constant(0.0)
    y = fused_normalisation.fused(x, norm, activation)
    np.testing.assert_array_equal(heard[0], y)
    np.testing.assert_allclose(y, fused_normalisation.fused(x, *layers("prelu")), atol=1e-5)


def test_keeps_to_the_layers_where_they_do_something_else():
    norm, _ = layers("prelu")
    x = tf.ones((1, 4, 4, 5))
    assert fused_normalisation.can_fuse(x, norm)
    assert not fused_normalisation.can_fuse(tf.cast(x, tf.float64), norm)
    norm.trainable = False
    assert not fused_normalisation.can_fuse(x, norm)
    norm.trainable, norm.activity_regularizer = True, lambda y: 0.0
    assert not fused_normalisation.can_fuse(x, norm)


def test_keeps_to_the_layers_for_open_sizes():
    norm, activation = layers("prelu")
    seen = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 5))])
    def open_size(x):
        seen.append(fused_normalisation.can_fuse(x, norm))
        return normalise(x, norm, activation, training=True)

    assert open_size(tf.ones((1, 4, 4, 5))).shape == (1, 4, 4, 5)
    assert seen == [False]


def test_moving_statistics_stay_in_inference():
    norm, activation = layers("prelu")
    before = [weight.numpy() for weight in norm.non_trainable_weights]
    normalise(tf.ones((1, 4, 4, 5)), norm, activation, training=False)
    for weight, value in zip(norm.non_trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_network_that_keeps_its_statistics_is_trained_by_it_too(monkeypatch):
    """Only while it is trained: what is converted or predicts is made of Keras's layers."""
    model, used = load_model("csnet_l_x1"), []
    model.batch_statistics = False
    fused = fused_normalisation.fused
    monkeypatch.setattr(fused_normalisation, "fused", lambda *inputs: used.append(inputs[3]) or fused(*inputs))
    pictures = tf.random.normal((2, 64, 64, 3))
    expected = model(pictures, training=False)["saliency_logits"]
    assert not used
    found = model(pictures, training=True)["saliency_logits"]
    assert used == [False] * sum("gamma" in weight.path for weight in model.trainable_weights)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(model(pictures, training=False)["saliency_logits"], expected)
    assert len(used) == sum("gamma" in weight.path for weight in model.trainable_weights)
