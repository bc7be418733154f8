import dataclasses
import math

import keras
import numpy as np
import pytest

from sodkeras.callbacks import exempt_gammas
from sodkeras.errors import SodkerasError
from sodkeras.models import CSNet
from sodkeras.models.base import SaliencyModel
from sodkeras.training.optimizers import make_loss, make_optimizer, make_schedule
from sodkeras.training.settings import Settings

PLAN = {
    "stages": [[[2]], [[2, 2]], [[2]], [[2]], [[2]]],
    "fusion": {"stages": [4], "mixed": [2], "dilation_rates": [1], "dilated": [[2]], "filters": 2},
}


def rates(steps_per_epoch=10, **changes):
    """The learning rate at every step of a run."""
    settings = Settings(**changes)
    schedule = make_schedule(settings, steps_per_epoch)
    return np.array([float(schedule(step)) for step in range(settings.epochs * steps_per_epoch // settings.accumulate)])


def test_steps_fall_at_the_first_step_of_their_epoch():
    found = rates(epochs=5, learning_rate=1.0, schedule="steps", schedule_arguments={"at": [2, 4], "factor": 0.1})
    np.testing.assert_allclose(found, [1.0] * 20 + [0.1] * 20 + [0.01] * 10, rtol=1e-6)


def test_warm_up_rises_linearly_and_cosine_falls_to_zero_behind_it():
    found = rates(epochs=8, learning_rate=0.05, schedule="cosine", warm_up_epochs=2)
    steps = np.arange(80)
    expected = np.where(steps < 20, steps / 20, (1 + np.cos(math.pi * (steps - 20) / 60)) / 2) * 0.05
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_poly_falls_as_a_power_of_what_is_left():
    found = rates(epochs=3, learning_rate=0.01, schedule="poly", schedule_arguments={"power": 0.9})
    np.testing.assert_allclose(found, 0.01 * (1 - np.arange(30) / 30) ** 0.9, rtol=1e-5)


def test_epochs_are_counted_in_steps_of_the_optimizer():
    found = rates(epochs=4, accumulate=5, learning_rate=1.0, schedule="steps", schedule_arguments={"at": [2]})
    np.testing.assert_allclose(found, [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1], rtol=1e-6)


def test_a_schedule_is_constant_behind_its_warm_up():
    np.testing.assert_allclose(
        rates(2, epochs=3, learning_rate=2.0, warm_up_epochs=1), [0.0, 1.0, 2.0, 2.0, 2.0, 2.0], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "poly", "schedule_arguments": {"at": [3]}}, "poly does not take these arguments"),
        ({"schedule": "steps"}, "needs epochs, at"),
    ],
)
def test_a_wrong_argument_of_a_schedule_is_one_sentence(changes, message):
    with pytest.raises(SodkerasError, match=message):
        rates(**changes)


def network():
    """One convolution as "backbone", one behind it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 1, name="resnet_conv")(inputs)
    model = SaliencyModel(inputs, {"saliency_logits": keras.layers.Conv2D(1, 1, name="head")(x)})
    model.backbone = "resnet"
    return model


def apply(optimizer, model, gradients):
    """Applies the same gradients twice; returns how far each variable went."""
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    for _ in range(2):
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], model.trainable_variables)
    return [keras.ops.convert_to_numpy(v) - old for v, old in zip(model.trainable_variables, before, strict=True)]


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_backbone_moves_by_its_share_of_the_step(name):
    gradients = [np.full(v.shape, 0.5, "float32") for v in network().trainable_variables]
    moved = {}
    for rate in (1.0, 0.1):
        model = network()
        settings = Settings(optimizer=name, learning_rate=0.1, backbone_rate=rate)
        moved[rate] = apply(make_optimizer(settings, model, 10), model, gradients)
    for index, variable in enumerate(network().trainable_variables):
        factor = 0.1 if variable.path.startswith("resnet") else 1.0
        np.testing.assert_allclose(moved[0.1][index], factor * moved[1.0][index], rtol=1e-5)
    assert any(variable.path.startswith("resnet") for variable in network().trainable_variables)


def test_a_rate_for_a_backbone_that_is_not_there_is_refused():
    model = network()
    model.backbone = None
    with pytest.raises(SodkerasError, match="no backbone"):
        make_optimizer(Settings(backbone_rate=0.1), model, 10)


def test_coupled_decay_is_a_term_of_the_gradient_before_the_momentum():
    """Two steps of SGD against PyTorch's rule: v ← 0.9 v + g + wd·w; w ← w - lr v."""
    settings = Settings(optimizer="sgd", optimizer_arguments={"momentum": 0.9}, learning_rate=0.1, weight_decay=0.5)
    model = network()
    expected = []
    for variable in model.trainable_variables:
        weight, speed = keras.ops.convert_to_numpy(variable).astype("float64"), 0.0
        for _ in range(2):
            speed = 0.9 * speed + 0.5 * weight
            weight = weight - 0.1 * speed
        expected.append(weight)
    apply(make_optimizer(settings, model, 10), model, [np.zeros(v.shape, "float32") for v in model.trainable_variables])
    for variable, weight in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), weight, rtol=1e-5, atol=1e-7)


def test_exempt_variables_do_not_decay():
    """The γ of the blocks stand still where nothing pushes them, everything else shrinks."""
    keras.utils.set_random_seed(0)
    model = CSNet(plan=PLAN)
    gammas = {id(variable) for variable in exempt_gammas(model)}
    settings = Settings(optimizer="sgd", learning_rate=0.1, weight_decay=0.5, decay_exempt="gammas")
    before = [np.abs(keras.ops.convert_to_numpy(v)).sum() for v in model.trainable_variables]
    apply(make_optimizer(settings, model, 10), model, [np.zeros(v.shape, "float32") for v in model.trainable_variables])
    assert gammas
    for variable, old in zip(model.trainable_variables, before, strict=True):
        factor = 1.0 if id(variable) in gammas else 0.95**2
        np.testing.assert_allclose(np.abs(keras.ops.convert_to_numpy(variable)).sum(), factor * old, rtol=1e-5)


def test_gathered_gradients_make_the_step_of_their_mean():
    settings = Settings(optimizer="sgd", learning_rate=0.1)
    gradients = [np.full(v.shape, 0.5, "float32") for v in network().trainable_variables]
    model = network()
    gathered = apply(make_optimizer(dataclasses.replace(settings, accumulate=2), model, 10), model, gradients)
    for moved, gradient in zip(gathered, gradients, strict=True):
        np.testing.assert_allclose(moved, -0.1 * gradient, rtol=1e-5)


def test_losses_are_sums_of_their_terms():
    logits = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype("float32")
    masks = np.random.default_rng(1).integers(0, 2, (2, 16, 16, 1)).astype("float32")
    bce, iou, both = (float(make_loss(Settings(loss=name))(masks, logits)) for name in ("bce", "iou", "bce_iou"))
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    np.testing.assert_allclose(bce, -np.mean(masks * np.log(p) + (1 - masks) * np.log(1 - p)), rtol=1e-5)
    inter, union = (p * masks).sum((1, 2, 3)), (p + masks - p * masks).sum((1, 2, 3))
    np.testing.assert_allclose(iou, np.mean(1 - inter / union), rtol=1e-5)
    np.testing.assert_allclose(both, bce + iou, rtol=1e-5)
    weighted = make_loss(Settings(loss="bce_iou", loss_arguments={"factors": [1, 2]}))
    np.testing.assert_allclose(float(weighted(masks, logits)), bce + 2 * iou, rtol=1e-5)


def test_arguments_that_do_not_fit_are_one_sentence():
    with pytest.raises(SodkerasError, match="cannot have these arguments"):
        make_loss(Settings(loss="iou", loss_arguments={"smoothness": 1}))
    with pytest.raises(SodkerasError, match="cannot have these arguments"):
        make_optimizer(Settings(optimizer_arguments={"beta": 1}), network(), 10)
