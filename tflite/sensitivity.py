"""Which layers' weights do not fit into 8 bits."""

import keras
import numpy as np
from keras import ops

from sodkeras.flatten import calls


def weight_noise(model, batches):
    """How loud the rounding of each convolution's weights is in its own output.

    A convolution's weights have one 8-bit scale for each output channel. Where one input channel carries hundreds of
    times the weight and the signal of the others, rounding leaves nothing of those: the noise is as loud as the signal.

    Args:
        model: a flat functional Keras model (see `sodkeras.flatten`).
        batches: preprocessed pictures `[B, H, W, 3]`.

    Returns:
        A dict of each convolution's name to the ratio in decibels of its output's variance over the pictures' pixels to
        the mean square of what rounding the weights changes.
    """
    found = [
        (layer, inputs[0], output) for layer, inputs, output in calls(model) if isinstance(layer, keras.layers.Conv2D)
    ]
    taps = keras.Model(model.input, [tensor for _, before, after in found for tensor in (before, after)])
    signal, noise = np.zeros(len(found)), np.zeros(len(found))
    errors = [_rounding_error(layer) for layer, _, _ in found]
    for batch in batches:
        values = taps(batch, training=False)
        for index, (layer, _, _) in enumerate(found):
            before, after = values[2 * index], values[2 * index + 1]
            change = ops.conv(before, errors[index], layer.strides, layer.padding, dilation_rate=layer.dilation_rate)
            noise[index] += float(ops.mean(ops.square(change)))
            signal[index] += float(ops.mean(ops.var(after, axis=(0, 1, 2))))
    tiny = np.finfo(float).tiny
    decibels = 10 * np.log10((signal + tiny) / (noise + tiny))
    return {layer.name: float(value) for (layer, _, _), value in zip(found, decibels, strict=True)}


def _rounding_error(layer):
    """What LiteRT's rounding changes: symmetric, 127 steps to the largest weight of each output channel."""
    kernel = ops.convert_to_numpy(layer.kernel) * getattr(layer, "kernel_scale", 1)  # of a `ScaledConv2D`
    step = np.abs(kernel).max(axis=(0, 1, 2), keepdims=True) / 127
    return np.where(step > 0, np.round(kernel / np.where(step > 0, step, 1)) * step - kernel, 0).astype(kernel.dtype)
