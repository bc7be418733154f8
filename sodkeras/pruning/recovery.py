"""What a pruned network needs before it is used: statistics of batch norm that fit it, and training."""

import keras
import numpy as np

from sodkeras.keras_private import all_layers


def re_estimate_statistics(model, batches):
    """Gives every batch norm the mean of its batches' statistics; no weight is trained.

    Args:
        model: a network.
        batches: an iterable of preprocessed pictures `[B, H, W, 3]`; the larger the batches, the better.

    Returns:
        The number of batches.

    Raises:
        ValueError: if there is no batch.
    """
    variables = [variable for norm in _norms(model) for variable in (norm.moving_mean, norm.moving_variance)]
    means = [0.0] * len(variables)
    for number in _observe(model, batches):
        found = (np.array(keras.ops.convert_to_numpy(variable), "float64") for variable in variables)
        means = [mean + (values - mean) / number for mean, values in zip(means, found, strict=True)]
    for variable, mean in zip(variables, means, strict=True):
        variable.assign(mean)
    return number


def fine_tune(model, x, y=None, epochs=20, learning_rate=1e-4, jit_compile="auto", **arguments):
    """Trains a pruned network.

    Adam with the recipe's decay rates (0.9, 0.99), binary cross entropy, no dynamic weight decay.

    Args:
        model: a `SaliencyModel`; it is compiled anew.
        x, y: pictures and masks, as `fit` takes them: a dataset of both as `x`, or two arrays.
        epochs, learning_rate: the papers prune and fine-tune for the last 20 of 300 epochs.
        jit_compile: as `compile` takes it; False on a CPU, where TensorFlow compiles longer than a short run trains.
        **arguments: further arguments of `fit`.

    Returns:
        The `History` of `fit`.
    """
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.9, beta_2=0.99)
    # Variables made while a graph is traced make TensorFlow trace it twice.
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=jit_compile)
    return model.fit(x, y, epochs=epochs, **arguments)


def _norms(model):
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


class _InTraining(keras.Model):
    """A network in training mode, to be run by `predict`, which compiles it; nothing but its statistics is wanted."""

    def __init__(self, network):
        super().__init__(dtype=network.dtype_policy, name="in_training")
        self.network = network
        self.jit_compile = keras.backend.backend() == "jax"  # XLA compiles longer than this runs

    def call(self, pictures):
        self.network(pictures, training=True)
        return pictures[:, 0, 0, 0]


def _observe(model, batches):
    """Runs a network in training mode; gives the number of each batch behind it, whose statistics its norms have."""
    norms = _norms(model)
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    network = _InTraining(model)
    number = 0
    try:
        for number, batch in enumerate(batches, start=1):
            network.predict_on_batch(batch)
            yield number
    finally:
        for norm, value in zip(norms, before, strict=True):
            norm.momentum = value
    if not number:
        raise ValueError("Statistics need at least one batch. Received: none")
