"""Batch norm whose statistics were folded away by an exporter."""

import keras
import numpy as np
from keras import ops

from sodkeras.flatten import calls, flatten


def restore_statistics(model, batches):
    """Gives identity batch norms their statistics back, without changing what the network computes.

    Each batch norm is set to mean μ and variance σ² of its input over `batches`, with scale √(σ² + ε) and offset μ:
    at inference it is still the identity, and in training it now normalises by what it knows.

    Args:
        model: a network whose batch norms are the identity, as after an ONNX import.
        batches: an iterable of preprocessed pictures `[B, H, W, 3]`; a few dozen pictures are enough.

    Returns:
        The number of batch norms set.

    Raises:
        ValueError: if there is no picture.
    """
    flat = flatten(model)
    found = [
        (layer, inputs[0]) for layer, inputs, _ in calls(flat) if isinstance(layer, keras.layers.BatchNormalization)
    ]
    norms = [norm for norm, _ in found]
    taps = keras.Model(flat.input, [tap for _, tap in found])
    count, sums, squares = 0, [0.0] * len(norms), [0.0] * len(norms)
    for batch in batches:
        for index, tap in enumerate(taps(batch, training=False)):
            values = ops.convert_to_numpy(tap).astype(np.float64).reshape(-1, tap.shape[-1])
            sums[index] = sums[index] + values.mean(0) * len(batch)
            squares[index] = squares[index] + (values**2).mean(0) * len(batch)
        count += len(batch)
    if not count:
        raise ValueError("restore_statistics needs at least one picture. Received: none")
    for norm, total, square in zip(norms, sums, squares, strict=True):
        mean = total / count
        variance = np.maximum(square / count - mean**2, 0)
        norm.set_weights([np.sqrt(variance + norm.epsilon), mean, mean, variance])
    return len(norms)
