"""Tied slopes: one a layer, the nearest to what there was, batch norms that make up for it, and cheap in 8 bits."""

import keras
import numpy as np
import pytest

from sodkeras.flatten import flatten
from sodkeras.models import CSNet
from sodkeras.pruning import re_estimate_statistics
from sodkeras.tflite.prelu import exact_forms
from sodkeras.tflite.rewrite import nodes, tap
from sodkeras.tflite.tie_slopes import SMALLEST_SLOPE, tie_slopes

PLAN = {
    "stages": [[[3, 2]], [[2, 2]], [[3]], [[3]], [[3]]],
    "fusion": {"stages": [4], "mixed": [3], "dilation_rates": [1], "dilated": [[2]], "filters": 2},
}
ALL = 1.0  # no map changes more


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    model, random = CSNet(plan=PLAN), np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith("alpha"):
            weight.assign(random.uniform(-0.5, 1.2, weight.shape))
        elif weight.path.endswith("beta"):
            weight.assign(random.normal(size=weight.shape))
        elif weight.path.endswith("gamma"):
            weight.assign(random.uniform(0.5, 2, weight.shape))
    pictures = random.normal(size=(6, 32, 48, 3)).astype("float32")
    re_estimate_statistics(model, [pictures + np.float32(0.1)])  # not of the very pictures: a trained network's are not
    return model, pictures


def ends_of(model, kind, pictures):
    """What goes into each layer of a kind and what comes out of it, for the network as it is used."""
    flat = flatten(model, pictures.shape[1:])
    of_kind = [node for node in nodes(flat) if isinstance(node.operation, kind)]
    before = tap(flat, [node.input_tensors[0] for node in of_kind])(pictures)
    after = tap(flat, [node.outputs[0] for node in of_kind])(pictures)
    return list(zip([node.operation for node in of_kind], before, after, strict=True))


def slopes_of(model):
    return {weight.path: np.array(weight) for weight in model.weights if weight.path.endswith("alpha")}


def maps(model, pictures):
    return np.array(keras.ops.sigmoid(model(pictures)["saliency_logits"]))


def test_each_layer_has_the_slope_that_is_nearest_and_free_in_8_bits(network):
    model, pictures = network
    weights = model.get_weights()
    tied, found = tie_slopes(model, pictures, ALL)
    assert found.keys() == slopes_of(tied).keys()
    assert all(np.ptp(slopes) == 0 for slopes in slopes_of(tied).values())
    for layer, z, _ in ends_of(model, keras.layers.PReLU, pictures):
        energy = np.square(np.minimum(z, 0)).mean((0, 1, 2))
        candidates = np.linspace(0, 1, 1001)
        distances = [(energy * (np.array(layer.alpha).ravel() - slope) ** 2).sum() for slope in candidates]
        best = candidates[np.argmin(distances)]
        assert found[layer.alpha.path] == pytest.approx(0 if best < SMALLEST_SLOPE else best, abs=1e-3)
    assert "exact" not in {form.name for form in exact_forms(flatten(tied, pictures.shape[1:])).values()}
    for old, new in zip(weights, model.get_weights(), strict=True):  # the network that was given is as it was
        np.testing.assert_array_equal(old, new)


def test_batch_norms_make_up_for_it(network):
    model, pictures = network
    tied, _ = tie_slopes(model, pictures, ALL)
    before = ends_of(model, keras.layers.BatchNormalization, pictures)
    after = ends_of(tied, keras.layers.BatchNormalization, pictures)
    means = [np.concatenate([result.mean((0, 1, 2)) for _, _, result in ends]) for ends in (before, after)]
    deviations = [np.concatenate([result.std((0, 1, 2)) for _, _, result in ends]) for ends in (before, after)]
    varies = deviations[1] > 1e-4  # where only ReLUs that give nothing come before, there is nothing to make up for
    assert len(varies) > 40
    assert varies.mean() > 0.9
    np.testing.assert_allclose(means[1], means[0], atol=2e-3)
    np.testing.assert_allclose(deviations[1][varies], deviations[0][varies], rtol=2e-3)


def test_the_map_changes_about_as_much_as_it_may(network):
    model, pictures = network
    all_changed = np.abs(maps(tie_slopes(model, pictures, ALL)[0], pictures) - maps(model, pictures)).mean()
    limit = all_changed / 2
    tied, found = tie_slopes(model, pictures, limit)
    assert 0 < len(found) < len(slopes_of(model))
    assert 0 < np.abs(maps(tied, pictures) - maps(model, pictures)).mean() < 2 * limit
    for path, slopes in slopes_of(tied).items():
        if path not in found:
            np.testing.assert_array_equal(slopes, slopes_of(model)[path])


def test_nothing_may_change(network):
    model, pictures = network
    tied, found = tie_slopes(model, pictures, 0.0)
    assert found == {}
    np.testing.assert_allclose(maps(tied, pictures), maps(model, pictures), atol=1e-5)
    relu = CSNet(plan=PLAN, activation="relu")
    assert tie_slopes(relu, pictures)[1] == {}


def test_where_slopes_are_tied_already_nothing_is_left_to_do(network):
    model, pictures = network
    tied, _ = tie_slopes(model, pictures, ALL)
    again, found = tie_slopes(tied, pictures, ALL)
    assert found == {}
    np.testing.assert_allclose(maps(again, pictures), maps(tied, pictures), atol=1e-5)
