"""Constants and batch norms folded into convolutions."""

import collections

import keras
import numpy as np

from sodkeras.graph import Graph, along_outputs, rewrite, traits
from sodkeras.tflite.passes.new_layers import can_fold, convolution_like, depthwise, float64, weights


def fold(model: keras.Model) -> keras.Model:
    """Folds kernel scales and inference-time batch norms into the convolutions in front; exact but for rounding.

    The converter folds a batch norm into the one convolution right before it. Behind a sum or a concatenation of
    branches, and behind an upsampling, it leaves a product and a sum with constant vectors, which 8-bit XNNPACK does
    not take. A scale and a shift a channel pass through all of those, into each branch's convolution: the scale into
    every branch of a sum, the shift into the first. Where a branch holds something that they do not pass through, the
    batch norm becomes a depthwise 1×1 convolution.

    Args:
        model: a flat functional Keras model; its weights are left alone.

    Returns:
        A flat model without batch norms in which every convolution is a plain Keras layer with weights of its own.
    """
    graph = Graph(model)
    wanted, folded = _scales_and_shifts(graph)
    names: collections.Counter = collections.Counter()

    def unique(name):
        """A layer that is called twice becomes two, since each call may have a batch norm of its own."""
        names[name] += 1
        return name if names[name] == 1 else f"{name}_{names[name]}"

    def replace(call, inputs):
        layer = call.layer
        if isinstance(layer, keras.layers.BatchNormalization):
            if id(call.output) in folded:
                return inputs[0]
            scale, shift = (vector.astype("float32") for vector in wanted[id(call.output)])
            return depthwise(inputs[0], scale[None, None], shift, unique(layer.name))
        if can_fold(layer):
            scale, shift = wanted.get(id(call.output), (1.0, 0.0))
            kernel, bias = weights(layer)
            bias = (np.zeros(call.output.shape[-1]) if bias is None else bias) * scale + shift
            kernel, bias = (kernel * along_outputs(layer, scale)).astype("float32"), bias.astype("float32")
            return convolution_like(layer, inputs[0], kernel, bias, name=unique(layer.name))
        return None

    return rewrite(model, replace)


def _scales_and_shifts(graph):
    """What batch norms come to, on the way from the end of the graph to its front.

    Returns:
        (for the id of a tensor, the scale and shift a channel that it is to be made with; the ids of the outputs of
        batch norms that need no layer of their own).
    """
    wanted, folded = {}, set()
    for call in reversed(graph.calls):  # what is wanted of a tensor is known before what made it is looked at
        layer, inputs = call.layer, call.inputs
        scale, shift = wanted.get(id(call.output), (1.0, 0.0))
        if isinstance(layer, keras.layers.BatchNormalization):
            own_scale, own_shift = batch_norm_affine(layer)
            scale, shift = scale * own_scale, scale * own_shift + shift
            wanted[id(call.output)] = scale, shift
            if _passes(graph, inputs[0]):
                folded.add(id(call.output))
                wanted[id(inputs[0])] = scale, shift
        elif id(call.output) not in wanted:
            continue
        elif isinstance(layer, keras.layers.Add):
            for index, tensor in enumerate(inputs):
                wanted[id(tensor)] = scale, shift if index == 0 else np.zeros_like(shift)
        elif isinstance(layer, keras.layers.Concatenate):
            ends = np.cumsum([tensor.shape[-1] for tensor in inputs])[:-1]
            parts = zip(inputs, np.split(scale, ends), np.split(shift, ends), strict=True)
            wanted |= {id(tensor): (own_scale, own_shift) for tensor, own_scale, own_shift in parts}
        elif traits(layer).affine:
            wanted[id(inputs[0])] = scale, shift
    return wanted, folded


def _passes(graph, tensor):
    """Whether a scale and a shift a channel of a tensor can be had from the convolutions in front of it."""
    call = graph.maker(tensor)
    if call is None or graph.uses(tensor) > 1:
        return False
    layer = call.layer
    if can_fold(layer):
        return layer.activation is keras.activations.linear
    if isinstance(layer, keras.layers.Add) or (isinstance(layer, keras.layers.Concatenate) and layer.axis in (-1, 3)):
        return all(_passes(graph, source) for source in call.inputs)
    # Of what is resized like another tensor, only that other one's size counts.
    passing = isinstance(layer, keras.layers.BatchNormalization) or traits(layer).affine
    return passing and _passes(graph, call.inputs[0])


def batch_norm_affine(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """The scale and shift a channel, float64 `[C]`, that a batch norm applies at inference."""
    mean, variance = float64(layer.moving_mean), float64(layer.moving_variance)
    scale = (float64(layer.gamma) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return scale, (float64(layer.beta) if layer.center else 0.0) - mean * scale
