"""Slopes that fall to zero: on the way, at the end, across runs; and the ReLU network that is left."""

import keras
import numpy as np
import pytest

from sodkeras.callbacks import SlopeDecay, rectified, slope_layers
from sodkeras.models import CSNet

PICTURES = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype("float32")
MASKS = (PICTURES[..., :1] > 0).astype("float32")


def network(learning_rate=1e-2):
    """Two PReLUs, one of them in a model within the model."""
    keras.utils.set_random_seed(0)
    picture = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 4)), prelu("inner")])
    x = inner(keras.layers.Conv2D(4, 3, padding="same")(picture))
    x = prelu("outer")(keras.layers.Conv2D(4, 3, padding="same")(x))
    model = keras.Model(picture, keras.layers.Conv2D(1, 1)(x), name="small")
    model.compile(keras.optimizers.Adam(learning_rate), "mse")
    return model


def prelu(name):
    return keras.layers.PReLU(shared_axes=[1, 2], alpha_initializer=keras.initializers.Constant(0.25), name=name)


def slopes(model):
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(layer.alpha)) for layer in slope_layers(model)])


def fit(model, callbacks, epochs=1):
    """Two steps an epoch."""
    model.fit(PICTURES, MASKS, batch_size=4, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks)


def test_slopes_fall_in_a_line_to_zero_and_stay_there():
    model = network(learning_rate=1e-30)
    for expected in (0.125, 0.0, 0.0):
        fit(model, [SlopeDecay(4)])
        np.testing.assert_allclose(slopes(model), np.full(8, expected), atol=1e-7)


def test_they_are_trained_on_the_way_and_a_second_run_goes_on():
    once, twice = network(), network()
    fit(once, [SlopeDecay(7)], epochs=3)
    for _ in range(3):
        fit(twice, [SlopeDecay(7)])
    np.testing.assert_array_equal(slopes(once), slopes(twice))
    assert np.ptp(slopes(once)) > 1e-4
    assert 0 < np.abs(slopes(once)).max() < 0.25


def test_nothing_is_left_behind():
    model = network()
    fit(model, [SlopeDecay(2)])
    assert not slopes(model).any()
    fit(model, [])
    assert slopes(model).all()


def test_what_is_left_is_a_relu_network():
    model = CSNet(width=0.5)
    for layer in slope_layers(model):
        layer.alpha.assign(keras.ops.zeros_like(layer.alpha))
    relu = rectified(model)
    assert relu.activation == "relu" and not slope_layers(relu)
    assert relu.count_params() == model.count_params() - slopes(model).size
    pictures = np.random.default_rng(1).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(relu(pictures)["saliency_logits"], model(pictures)["saliency_logits"], atol=1e-6)


def test_what_cannot_be():
    with pytest.raises(ValueError, match=r"at least. Received: steps=0"):
        SlopeDecay(0)
    plain = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1)], name="plain")
    plain.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"for networks with PReLU. Received: plain"):
        fit(plain, [SlopeDecay(3)])
    with pytest.raises(ValueError, match=r"must be zero first.*a slope of 0.25"):
        rectified(CSNet(width=0.5))
    with pytest.raises(ValueError, match="Received: 'relu'"):
        rectified(CSNet(width=0.5, activation="relu"))
    with pytest.raises(ValueError, match="Received: None"):
        rectified(network())
