"""Batch norms whose statistics an exporter folded away."""

import itertools

import keras
import numpy as np

from sodkeras.graph import Graph, flatten, tap

# How far the outputs may move, as a share of their largest magnitude: float32 rounds, and does so layer upon layer.
_TOLERANCE = 1e-3


def restore_statistics(model, batches, prefix=""):
    """Gives batch norms the statistics of their inputs without changing what the network computes.

    A batch norm with scale γ, offset β and statistics μ₀, σ₀² becomes, for an input of mean μ and variance σ²,

        γ' = γ · √(σ² + ε) / √(σ₀² + ε),    β' = β + γ · (μ - μ₀) / √(σ₀² + ε),

    with the statistics μ and σ²: at inference the same function, and in training it now normalises by what it knows.
    Files whose batch norms were folded into convolutions need it before they are trained, whether the biases went into
    the convolutions (μ₀ = 0, γ = 1, β = 0) or into the batch norms (β is the bias).

    Args:
        model: a functional network.
        batches: an iterable of preprocessed pictures `[B, H, W, 3]`; a few dozen pictures are enough.
        prefix: what the names of the batch norms start with: a backbone's name, or "" for all.

    Returns:
        The number of batch norms set.

    Raises:
        ValueError: if there is no picture.
        ArithmeticError: if what the network computes has changed; its weights are then as they were.
    """
    flat = flatten(model)
    found = [
        (call.layer, call.inputs[0])
        for call in Graph(flat)
        if isinstance(call.layer, keras.layers.BatchNormalization) and call.layer.name.startswith(prefix)
    ]
    norms = [norm for norm, _ in found]
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        raise ValueError("restore_statistics needs at least one picture. Received: none")
    outputs = tap(flat, flat.output)
    before = keras.tree.flatten(outputs(first))
    statistics = list(_statistics(tap(flat, [tensor for _, tensor in found]), itertools.chain([first], batches)))
    weights = [norm.get_weights() for norm in norms]
    for norm, old, (mean, variance) in zip(norms, weights, statistics, strict=True):
        gamma, beta, old_mean, old_variance = (value.astype(np.float64) for value in old)
        old_deviation = np.sqrt(old_variance + norm.epsilon)
        norm.set_weights(
            [
                gamma * np.sqrt(variance + norm.epsilon) / old_deviation,
                beta + gamma * (mean - old_mean) / old_deviation,
                mean,
                variance,
            ]
        )
    after = keras.tree.flatten(outputs(first))
    moved = max(np.abs(new - old).max() / np.abs(old).max() for old, new in zip(before, after, strict=True))
    if not moved <= _TOLERANCE:
        for norm, old in zip(norms, weights, strict=True):
            norm.set_weights(old)
        raise ArithmeticError(
            f"Restoring the statistics would change what the network computes by {moved:.2g} of its largest value. "
            f"Received: {model.name}"
        )
    return len(norms)


def _statistics(inputs_of, batches):
    """Mean and variance by channel, float64, of each tensor that a function gives of a batch."""
    count, sums = 0, None
    for batch in batches:
        moments = []
        for values in inputs_of(batch):
            values = values.astype(np.float64).reshape(-1, values.shape[-1])
            moments.append(np.stack([values.mean(0), (values**2).mean(0)]))
        sums = [len(batch) * new + old for new, old in zip(moments, sums or itertools.repeat(0.0), strict=False)]
        count += len(batch)
    for total in sums:
        mean, square = total / count
        yield mean, np.maximum(square - mean**2, 0)
