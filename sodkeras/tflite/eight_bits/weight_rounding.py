"""What rounding a layer's weights to 8 bits does to its output."""

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from sodkeras.graph import Graph, convolve, copy, is_convolution, kernel_axes, tap
from sodkeras.layers import DepthwiseNonLocal, ResizeLike


@dataclasses.dataclass(frozen=True)
class RoundingEffect:
    """What a convolution's output changes by when its weights are rounded.

    Args:
        decibels: how far the change stays under the output: the ratio of the output's variance over the pictures'
            pixels to the change's mean square.
        mean: the mean change of each output channel, `[C]`.
    """

    decibels: float
    mean: np.ndarray


def rounding_effects(model: keras.Model, batches: Iterable[np.ndarray]) -> dict[str, RoundingEffect]:
    """Measures what rounding the weights of each convolution changes in its own output.

    A convolution's weights have one 8-bit scale for each output channel. Where one input channel carries hundreds of
    times the weight and the signal of the others, rounding leaves nothing of those: the change is as loud as the
    signal.

    Args:
        model: a flat functional Keras model, lowered (see `sodkeras.tflite.passes.lower`).
        batches: preprocessed pictures `[B, H, W, 3]`.

    Returns:
        A dict of the convolutions' names to their `RoundingEffect`.
    """
    found = [call for call in Graph(model) if is_convolution(call.layer)]
    values_of = tap(model, [tensor for call in found for tensor in (call.inputs[0], call.output)])
    signal, noise = np.zeros(len(found)), np.zeros(len(found))
    mean = [np.zeros(1) for _ in found]
    errors = [rounding_error(call.layer) for call in found]
    count = 0
    for batch in batches:
        count += 1
        values = values_of(batch)
        for index, call in enumerate(found):
            before, after = values[2 * index], values[2 * index + 1]
            change = convolve(call.layer, before, errors[index])
            noise[index] += float(ops.mean(ops.square(change)))
            signal[index] += float(np.mean(np.var(after, axis=(0, 1, 2))))
            mean[index] = mean[index] + ops.convert_to_numpy(ops.mean(change, axis=(0, 1, 2)))
    tiny = np.finfo(float).tiny
    decibels = 10 * np.log10((signal + tiny) / (noise + tiny))
    return {
        call.layer.name: RoundingEffect(float(decibels[index]), mean[index] / count) for index, call in enumerate(found)
    }


def correct_biases(model: keras.Model, effects: dict[str, RoundingEffect]) -> keras.Model:
    """Takes the mean change that rounding will make out of the biases, so that it leaves no shift.

    Behind a ReLU all inputs are positive, and rounding errors of one sign add up. Source: Nagel et al., "Data-Free
    Quantization Through Weight Equalization and Bias Correction", ICCV 2019, Sec. 4.2, with means that pictures give.

    Args:
        model: what `effects` was measured on.
        effects: as `rounding_effects` gives them; of the layers to correct.

    Returns:
        A flat model with weights of its own.
    """
    model = copy(model)
    for layer in model.layers:
        if layer.name in effects and layer.use_bias:
            layer.bias.assign(layer.bias - effects[layer.name].mean)
    return model


def rounding_error(layer: keras.Layer) -> np.ndarray:
    """What LiteRT's rounding adds to a kernel: symmetric, 127 steps to the largest weight of each output channel."""
    kernel = ops.convert_to_numpy(layer.kernel)
    step = np.abs(kernel).max(axis=kernel_axes(layer), keepdims=True) / 127
    return np.where(step > 0, np.round(kernel / np.where(step > 0, step, 1)) * step - kernel, 0).astype(kernel.dtype)


def runs_in_float(layer: keras.Layer) -> bool:
    """Whether a layer is made of what XNNPACK has in float only; in 8 bits it would split the graph and take longer.

    These are products of matrices (DNL's modules, whose softmax suffers as well, and CII's resizing with aligned
    corners), the reciprocal root of a group norm, whose variances do not suit 8 bits either, and average pooling where
    `average_pool` found no convolution for it.
    """
    if isinstance(layer, ResizeLike):
        return layer.align_corners
    return isinstance(layer, (DepthwiseNonLocal, keras.layers.GroupNormalization, keras.layers.AveragePooling2D))
