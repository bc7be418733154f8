"""Statistics given back to batch norms: the function stays, whatever the batch norms were."""

import keras
import numpy as np
import pytest

from sodkeras.checkpoints.batch_norm import restore_statistics
from sodkeras.models import DNL

RNG = np.random.default_rng(0)
STAGES = [[1, 4, 1, 1], [2, 6, 2, 2], [2, 8, 2, 2], [2, 8, 1, 2]]


def network(randomised):
    """A small DNL whose batch norms, where asked for, are anything but the identity."""
    keras.utils.set_random_seed(0)
    model = DNL(positions=(), stages=STAGES, aspp_filters=4, low_level_filters=4, input_shape=(48, 48, 3))
    for layer in model._flatten_layers():
        if randomised and isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape
            # A scale below zero, an offset that is a bias, statistics that are of something else.
            layer.set_weights(
                [RNG.normal(1, 0.8, size), RNG.normal(0, 1, size), RNG.normal(0, 2, size), RNG.uniform(0.1, 9, size)]
            )
    return model


def pictures(count=2, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(3, 48, 48, 3)).astype("float32") for _ in range(count)]


@pytest.mark.parametrize("randomised", [False, True])
def test_the_function_stays_and_training_agrees_with_it(randomised):
    model = network(randomised)
    batches = pictures(1)
    before = np.array(model(batches[0])["saliency_logits"])
    restore_statistics(model, batches)
    np.testing.assert_allclose(np.array(model(batches[0])["saliency_logits"]), before, atol=1e-4 * np.abs(before).max())
    # Training normalises by the batch, which now is what the statistics say.
    trained = np.array(model(batches[0], training=True)["saliency_logits"])
    np.testing.assert_allclose(trained, before, atol=5e-3 * np.abs(before).max())


def test_only_the_named_part_is_changed():
    model = network(True)
    before = {layer.name: layer.get_weights() for layer in model._flatten_layers() if "_bn" in layer.name}
    assert restore_statistics(model, pictures(), prefix="mobilenet_v2") == 18
    for layer in model._flatten_layers():
        if layer.name in before:
            same = all(np.array_equal(*pair) for pair in zip(layer.get_weights(), before[layer.name], strict=True))
            assert same != layer.name.startswith("mobilenet_v2"), layer.name


def test_what_would_change_the_function_is_undone(monkeypatch):
    model = network(True)
    before = [np.array(weight) for weight in model.weights]
    original = keras.layers.BatchNormalization.set_weights
    calls = []

    def forgetful(self, weights):
        calls.append(self.name)
        original(self, [weights[0], 0 * weights[1], *weights[2:]] if len(calls) <= 18 else weights)

    monkeypatch.setattr(keras.layers.BatchNormalization, "set_weights", forgetful)
    with pytest.raises(ArithmeticError, match="would change what the network computes"):
        restore_statistics(model, pictures(), prefix="mobilenet_v2")
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.array(weight), old)


def test_statistics_need_pictures():
    with pytest.raises(ValueError, match="at least one picture"):
        restore_statistics(network(False), [])
