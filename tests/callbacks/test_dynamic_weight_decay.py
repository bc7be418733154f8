"""Dynamic weight decay: the equations, the same in every way of running a step, and no trace left behind."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from sodkeras.callbacks import DynamicWeightDecay, block_units, mean_activity
from sodkeras.models import CSNet, U2Net

STRENGTH = 3.0
FORMS = ["coupled", "decoupled"]
PICTURES = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype("float32")
PICTURES[4:] *= 3  # the replicas' halves of a batch are unlike each other
MASKS = (PICTURES[..., :1] > 0).astype("float32")


def network(synchronized=False):
    """Two units of convolution, batch norm and PReLU, and the pairs to decay."""
    keras.utils.set_random_seed(0)
    picture = keras.Input((8, 8, 3))
    x, pairs = picture, []
    for number in range(2):
        x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        norm = keras.layers.BatchNormalization(
            synchronized=synchronized, gamma_initializer=keras.initializers.RandomUniform(0.5, 1.5, seed=number)
        )
        slope = keras.layers.PReLU(shared_axes=[1, 2])
        x = slope(norm(x))
        pairs.append((norm, slope))
    x = keras.layers.Conv2D(1, 1, dtype="float32", name="head")(x)
    return keras.Model(picture, x), pairs


def no_loss(y_true, y_pred):
    return 0 * keras.ops.mean(y_pred)


def gammas(pairs):
    return np.concatenate([norm.gamma.numpy() for norm, _ in pairs])


def measure(model, pairs, pictures):
    """S of every unit in a training forward pass, from the definition."""
    outputs = keras.Model(model.input, [slope.output for _, slope in pairs])(pictures, training=True)
    return np.concatenate([np.abs(np.float32(y).mean((1, 2))).mean(0) for y in outputs])


def fit(form=None, strength=STRENGTH, synchronized=False, optimizer=None, **arguments):
    """Trains for a few steps; returns the network, its pairs and the losses."""
    compiling = {name: arguments.pop(name) for name in ("run_eagerly", "steps_per_execution") if name in arguments}
    model, pairs = network(synchronized)
    model.compile(optimizer or keras.optimizers.SGD(0.05), keras.losses.MeanSquaredError(), **compiling)
    arguments = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0} | arguments
    callbacks = [DynamicWeightDecay(strength, form, pairs)] if form else []
    return model, pairs, model.fit(PICTURES, MASKS, callbacks=callbacks, **arguments).history["loss"]


def mirrored():
    """The script of the test below: both forms on one device and on two replicas."""
    import tensorflow as tf

    strategies = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for form in FORMS:
        runs = []
        for strategy in strategies:
            with strategy.scope():
                optimizer = keras.optimizers.Adam(0.01, epsilon=1e-3)
                runs.append(fit(form, synchronized=True, batch_size=8, optimizer=optimizer))
        (_, single, loss), (_, double, mirrored_loss) = runs
        print(
            "difference", np.abs(gammas(single) - gammas(double)).max(), np.abs(np.subtract(loss, mirrored_loss)).max()
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_gamma_changes_by_the_equation_and_nothing_else_does(form, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model, pairs = network()
        before = [weight.numpy() for weight in model.trainable_weights]
        gamma, s = gammas(pairs), measure(model, pairs, PICTURES)
        # Under mixed_float16 `compile` scales the loss, of which γ must not see anything.
        model.compile(keras.optimizers.SGD(0.01), no_loss)
        model.fit(PICTURES, MASKS, batch_size=8, verbose=0, callbacks=[DynamicWeightDecay(STRENGTH, form, pairs)])
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(gammas(pairs), gamma - 0.01 * STRENGTH * s * gamma, rtol=1e-6)
    decayed = {id(norm.gamma) for norm, _ in pairs}
    for weight, old in zip(model.trainable_weights, before, strict=True):
        if id(weight) not in decayed:
            np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("form", FORMS)
def test_every_way_of_running_a_step_gives_the_same(form):
    _, graph, losses = fit(form)
    _, eager, eager_losses = fit(form, run_eagerly=True)
    _, several, _ = fit(form, steps_per_execution=2)
    _, without, _ = fit()
    np.testing.assert_allclose(gammas(eager), gammas(graph), rtol=0, atol=1e-6)
    np.testing.assert_allclose(gammas(several), gammas(graph), rtol=0, atol=1e-6)
    np.testing.assert_allclose(eager_losses, losses, rtol=1e-5)
    assert (gammas(graph) < gammas(without)).all()


def test_two_replicas_equal_one_device_with_the_doubled_batch():
    script = (
        "import tensorflow as tf; cpu = tf.config.list_physical_devices('CPU')[0];"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2);"
        "import test_dynamic_weight_decay as test; test.mirrored()"
    )
    here = pathlib.Path(__file__).resolve().parent
    path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    differences = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("difference")]
    assert len(differences) == len(FORMS), done.stderr[-2000:]
    of_gamma, of_loss = np.float64(differences).T
    assert of_gamma.max() <= 1e-6
    assert of_loss.max() <= 1e-5


@pytest.mark.parametrize("form", FORMS)
def test_a_strength_of_0_is_plain_training(form):
    model, _, losses = fit(form, strength=0)
    plain, _, plain_losses = fit()
    np.testing.assert_allclose(losses, plain_losses, rtol=1e-6)
    for weight, other in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-6)


def test_schedule_gives_each_epoch_its_strength():
    _, never, _ = fit("coupled", strength=0)
    _, late, _ = fit("coupled", strength=lambda epoch: STRENGTH * (epoch >= 1))
    _, beyond, _ = fit("coupled", strength=lambda epoch: STRENGTH * (epoch >= 2))
    _, always, _ = fit("coupled")
    np.testing.assert_allclose(gammas(beyond), gammas(never), atol=1e-6)
    assert (gammas(always) < gammas(late)).all()
    assert (gammas(late) < gammas(never)).all()


@pytest.mark.parametrize("form", FORMS)
def test_evaluation_and_later_training_know_nothing_of_it(form):
    model, pairs, _ = fit(form)
    other, _ = network()
    other.set_weights(model.get_weights())
    other.compile(keras.optimizers.SGD(0.05), keras.losses.MeanSquaredError())
    evaluations = [each.evaluate(PICTURES, MASKS, verbose=0) for each in (model, other)]
    np.testing.assert_allclose(*evaluations, rtol=1e-6)
    for each in (model, other):
        each.fit(PICTURES, MASKS, batch_size=4, shuffle=False, verbose=0)
    for weight, expected in zip(model.weights, other.weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)
    assert all(slope.activity_regularizer is None for _, slope in pairs)


class Interruption(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        raise KeyboardInterrupt


@pytest.mark.parametrize("form", FORMS)
def test_training_goes_on_after_an_interruption(form):
    """As in a notebook, where Keras then ends no callback."""
    model, pairs = network()
    model.compile(keras.optimizers.SGD(0.05), keras.losses.MeanSquaredError())
    with pytest.raises(KeyboardInterrupt):
        model.fit(PICTURES, MASKS, verbose=0, callbacks=[DynamicWeightDecay(units=pairs), Interruption()])
    decay = DynamicWeightDecay(form=form, units=pairs)
    model.fit(PICTURES, MASKS, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[decay])
    _, undisturbed, _ = fit(form)
    np.testing.assert_allclose(gammas(pairs), gammas(undisturbed), atol=1e-6)


def test_validation_loss_is_that_of_the_network(tmp_path):
    """Also: what a checkpoint saved during training gives back."""
    model, pairs = network()
    model.compile(keras.optimizers.SGD(0.05), keras.losses.MeanSquaredError())
    file = tmp_path / "model.keras"
    history = model.fit(
        PICTURES,
        MASKS,
        validation_data=(PICTURES, MASKS),
        verbose=0,
        callbacks=[DynamicWeightDecay(100.0, units=pairs), keras.callbacks.ModelCheckpoint(file)],
    ).history
    loaded = keras.models.load_model(file)
    np.testing.assert_allclose(loaded.evaluate(PICTURES, MASKS, verbose=0), history["val_loss"][0], rtol=1e-5)
    assert history["loss"][0] > 10 * history["val_loss"][0]


def test_own_metric():
    model, pairs = network()
    gamma = gammas(pairs)
    model.compile(keras.optimizers.SGD(0.01), no_loss)
    decay = DynamicWeightDecay(2.0, units=pairs, metric=lambda y: keras.ops.ones(y.shape[-1]))
    model.fit(PICTURES, MASKS, batch_size=8, verbose=0, callbacks=[decay])
    np.testing.assert_allclose(gammas(pairs), gamma * (1 - 0.01 * 2), rtol=1e-6)


def test_log_of_sparsity_histogram_and_deviation():
    model, pairs = network()
    values = pairs[0][0].gamma.numpy()
    values[:2] = [1e-22, -1e-22]
    pairs[0][0].gamma.assign(values)
    model.compile(keras.optimizers.SGD(0.0), no_loss)
    decay = DynamicWeightDecay(units=pairs, monitor=PICTURES)
    history = model.fit(PICTURES, MASKS, epochs=2, verbose=0, callbacks=[decay]).history
    assert history["gamma_sparsity"] == [0.25, 0.25]
    outputs = keras.Model(model.input, [slope.output for _, slope in pairs])(PICTURES)
    deviations = [np.std(mean_activity(y)) for y in outputs]
    np.testing.assert_allclose(history["channel_deviation"][1], np.mean(deviations), rtol=1e-5)
    counts, edges = decay.history[1]["gamma_histogram"]
    assert counts.sum() == 8
    assert edges[-1] == np.abs(gammas(pairs)).max()


def test_histogram_of_scales_that_have_hardly_moved():
    model, pairs = network()
    for norm, _ in pairs:
        norm.gamma.assign(np.ones(norm.gamma.shape))
    values = np.ones(pairs[0][0].gamma.shape, "float32")
    values[0] = np.nextafter(np.float32(1), np.float32(0))
    pairs[0][0].gamma.assign(values)
    model.compile(keras.optimizers.SGD(0.0), no_loss)
    decay = DynamicWeightDecay(units=pairs)
    model.fit(PICTURES, MASKS, verbose=0, callbacks=[decay])
    counts, _ = decay.history[0]["gamma_histogram"]
    assert counts.sum() == 8 and counts[0] == 1


def test_units_of_csnet_are_those_of_its_blocks():
    units = block_units(CSNet())
    assert len(units) == 99
    assert not any(norm.name.startswith("fusion") for norm, _ in units)
    with pytest.raises(ValueError, match="Received: U2Net"):
        block_units(U2Net("small"))


def test_unknown_form_is_refused():
    with pytest.raises(ValueError, match="Received: 'both'"):
        DynamicWeightDecay(form="both")


def test_csnet_decays_in_its_blocks_and_not_in_its_fusion():
    fusion = {"stages": [4], "mixed": [2], "dilation_rates": [1], "dilated": [[2]], "filters": 2}
    model = CSNet(plan={"stages": [[[2, 2]], [[2, 2]], [[2, 2]], [[2, 2]], [[3]]], "fusion": fusion})
    before = {weight.path: weight.numpy() for weight in model.trainable_weights}
    model.compile(keras.optimizers.SGD(0.01), no_loss, run_eagerly=True)
    pictures = np.random.default_rng(1).normal(size=(2, 32, 32, 3)).astype("float32")
    model.fit(pictures, np.zeros((2, 32, 32, 1)), verbose=0, callbacks=[DynamicWeightDecay()])
    changed = {w.path for w in model.trainable_weights if (w.numpy() != before[w.path]).any()}
    assert changed == {norm.gamma.path for norm, _ in block_units(model)}
