"""One process of a training on one device or several; test_distribution.py starts it.

usage: python worker.py JOB STRATEGY FOLDER [ARGUMENT]
"""

import json
import os
import pathlib
import signal
import sys

import keras
import numpy as np
import tensorflow as tf

from sodkeras.callbacks import DynamicWeightDecay
from sodkeras.data import Augmentation, find_pairs
from sodkeras.data.pipeline import TrainingData, validation_data
from sodkeras.errors import SodkerasError
from sodkeras.layers.conv_norm import ConvNorm
from sodkeras.preprocessing import Preprocessing
from sodkeras.training import distribution
from sodkeras.training.map_error import MapError
from sodkeras.training.optimizers import make_optimizer
from sodkeras.training.settings import Settings

BATCH, STEPS = 4, 3
PICTURES = np.random.default_rng(0).normal(size=(4, 4, 4, 3)).astype("float32")
PICTURES[2:] += 3  # the halves of the batch are unlike each other


def training_data(machines, folder):
    preprocessing = Preprocessing(size=(32, 32))
    pairs = find_pairs([folder / "data"])
    # On two devices the seventh is left out.
    held_out = machines.even(pairs[: 6 if machines.replicas == 1 else 7])
    held_out = validation_data(held_out, preprocessing, BATCH)
    return TrainingData(pairs, preprocessing, BATCH, Augmentation(), seed=1), held_out


def tiny_network(machines):
    """Two units of a network, and a classifier; also the units' pairs of batch norm and activation."""
    with machines.scope():
        keras.utils.set_random_seed(0)
        units = [ConvNorm(4, name="first"), ConvNorm(4, name="second")]
        picture = keras.Input((32, 32, 3))
        logits = keras.layers.Conv2D(1, 1, name="classifier")(units[1](units[0](picture)))
        model = keras.Model(picture, logits)
        machines.prepare(model)
        # Adam divides by itself what is rounding alone; epsilon keeps that small.
        settings = Settings(learning_rate=0.01, weight_decay=0.1, optimizer_arguments={"epsilon": 1e-2})
        model.compile(
            make_optimizer(settings, model, STEPS),
            keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[MapError()],
            jit_compile=False,
        )
    return model, [(unit.norm, unit.activation_layer) for unit in units]


def train(machines, folder):
    """Logs and weights of a few steps with all that a recipe has, and of one step of a batch norm alone."""
    data, held_out = training_data(machines, folder)
    model, units = tiny_network(machines)
    history = model.fit(
        machines.own_part(data),
        validation_data=held_out,
        steps_per_epoch=STEPS,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[DynamicWeightDecay(3.0, units=units)],
    ).history
    results = {f"log|{key}": np.array(values) for key, values in history.items() if key != "gamma_histogram"}
    results |= {f"weight|{weight.path}": keras.ops.convert_to_numpy(weight) for weight in model.weights}
    if machines.is_chief:
        # Without the optimizer, as the trainer does.
        keras.Model(model.input, model.output).save(folder / "model.keras")
    for synchronized in (True, False):
        results |= {f"statistics|{synchronized}": statistics(machines, synchronized)}
    return results


def statistics(machines, synchronized):
    """The moving mean and variance of a batch norm after one step on PICTURES, `[2, 3]`."""
    with machines.scope():
        norm = keras.layers.BatchNormalization(momentum=0.0)
        model = keras.Sequential([keras.Input((4, 4, 3)), norm])
        machines.prepare(model, synchronized)
        model.compile("sgd", "mse", jit_compile=False)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    dataset = tf.data.Dataset.from_tensor_slices((PICTURES, PICTURES)).batch(len(PICTURES)).with_options(options)
    model.fit(dataset, verbose=0)
    return np.stack([keras.ops.convert_to_numpy(norm.moving_mean), keras.ops.convert_to_numpy(norm.moving_variance)])


def parts(machines, folder):
    """The pictures that this process's replicas take of the first two batches, by both ways of dividing them."""
    data, _ = training_data(machines, folder)
    found = {}
    strategy = machines.strategy if machines.replicas > 1 else tf.distribute.get_strategy()
    for name, dataset in (("own_part", machines.own_part(data)), ("shard", data.dataset())):
        batches = iter(strategy.experimental_distribute_dataset(dataset))
        found |= {
            f"{name}|{step}": np.concatenate(strategy.experimental_local_results(next(batches)[0])) for step in range(2)
        }
    return found


def agree(machines, folder, text):
    machines.check_agreement(text)
    return {"anyone": machines.anyone(not machines.is_chief)}


def die(machines, folder, number):
    """Trains until the worker of that number is gone."""
    data, _ = training_data(machines, folder)
    model, _ = tiny_network(machines)

    class Death(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2 and machines.strategy.cluster_resolver.task_id == int(number):
                os.kill(os.getpid(), signal.SIGKILL)

    with machines.failures():
        model.fit(machines.own_part(data), steps_per_epoch=1000, verbose=0, callbacks=[Death()])


def main(job, strategy, folder, *arguments):
    folder = pathlib.Path(folder)
    try:
        machines = distribution.devices(strategy, 2 if strategy == "mirrored" else None, wait=60)
        results = {"train": train, "parts": parts, "agree": agree, "die": die}[job](machines, folder, *arguments)
    except SodkerasError as error:
        print(f"SodkerasError: {error}", flush=True)
        return 1
    place = machines.strategy.cluster_resolver.task_id if strategy == "multiworker" else 0
    np.savez(folder / f"{strategy}{place}.npz", **results)
    print(json.dumps({"chief": machines.is_chief}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
