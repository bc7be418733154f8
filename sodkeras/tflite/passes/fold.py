"""Constants and batch norms folded into convolutions."""

import collections

import keras
import numpy as np
from keras import ops

from sodkeras.layers import ResizeLike
from sodkeras.tflite.passes.rewrite import convolution_like, count_uses, depthwise, nodes, rewrite

#: Layers f with f(s·x + b) = s·f(x) + b for any s and b, channel by channel: averages with weights of sum 1.
_AFFINE = (keras.layers.UpSampling2D, keras.layers.AveragePooling2D, ResizeLike)


def fold(model):
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
    uses = count_uses(model)
    makers = {id(node.outputs[0]): node for node in nodes(model)}
    #: For the id of a tensor, the scale and shift that it is to be made with.
    wanted = {}
    #: The ids of the outputs of batch norms that need no layer of their own.
    folded = set()
    names = collections.Counter()

    def passes(tensor):
        node = makers.get(id(tensor))
        if node is None or uses[id(tensor)] > 1:
            return False
        layer = node.operation
        if _is_convolution(layer):
            return layer.activation is keras.activations.linear
        if isinstance(layer, keras.layers.Add) or (
            isinstance(layer, keras.layers.Concatenate) and layer.axis in (-1, 3)
        ):
            return all(map(passes, node.input_tensors))
        if isinstance(layer, ResizeLike):
            return passes(node.arguments.args[0])
        return isinstance(layer, (keras.layers.BatchNormalization, *_AFFINE)) and passes(node.input_tensors[0])

    # From the end to the front: what is wanted of a tensor is known before what made it is looked at.
    for node in reversed(nodes(model)):
        layer, inputs = node.operation, node.input_tensors
        scale, shift = wanted.get(id(node.outputs[0]), (1.0, 0.0))
        if isinstance(layer, keras.layers.BatchNormalization):
            own_scale, own_shift = batch_norm_affine(layer)
            scale, shift = scale * own_scale, scale * own_shift + shift
            wanted[id(node.outputs[0])] = scale, shift
            if passes(inputs[0]):
                folded.add(id(node.outputs[0]))
                wanted[id(inputs[0])] = scale, shift
        elif id(node.outputs[0]) not in wanted:
            continue
        elif isinstance(layer, keras.layers.Add):
            for index, tensor in enumerate(inputs):
                wanted[id(tensor)] = scale, shift if index == 0 else np.zeros_like(shift)
        elif isinstance(layer, keras.layers.Concatenate):
            ends = np.cumsum([tensor.shape[-1] for tensor in inputs])[:-1]
            parts = zip(inputs, np.split(scale, ends), np.split(shift, ends), strict=True)
            wanted |= {id(tensor): (own_scale, own_shift) for tensor, own_scale, own_shift in parts}
        elif isinstance(layer, _AFFINE):
            wanted[id(inputs[0])] = scale, shift

    def unique(name):
        """A layer that is called twice becomes two, since each call may have a batch norm of its own."""
        names[name] += 1
        return name if names[name] == 1 else f"{name}_{names[name]}"

    def replace(layer, inputs, output):
        if isinstance(layer, keras.layers.BatchNormalization):
            if id(output) in folded:
                return inputs[0]
            scale, shift = (vector.astype("float32") for vector in wanted[id(output)])
            return depthwise(inputs[0], scale[None, None], shift, unique(layer.name))
        if _is_convolution(layer):
            scale, shift = wanted.get(id(output), (1.0, 0.0))
            kernel, bias = weights(layer)
            # A depthwise kernel is [h, w, channels, 1].
            across = scale[:, None] if isinstance(layer, keras.layers.DepthwiseConv2D) and np.ndim(scale) else scale
            bias = (np.zeros(output.shape[-1]) if bias is None else bias) * scale + shift
            kernel, bias = (kernel * across).astype("float32"), bias.astype("float32")
            return convolution_like(layer, inputs[0], kernel, bias, name=unique(layer.name))
        return None

    return rewrite(model, replace)


def batch_norm_affine(layer):
    """The scale and shift a channel, float64 `[C]`, that a batch norm applies at inference."""
    mean, variance = _float64(layer.moving_mean), _float64(layer.moving_variance)
    scale = (_float64(layer.gamma) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return scale, (_float64(layer.beta) if layer.center else 0.0) - mean * scale


def weights(layer):
    """A convolution's kernel as it is applied, and its bias or None, in float64."""
    kernel = _float64(layer.kernel) * getattr(layer, "kernel_scale", 1)
    return kernel, _float64(layer.bias) if layer.use_bias else None


def _float64(variable):
    return ops.convert_to_numpy(variable).astype(np.float64)


def _is_convolution(layer):
    if not isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        return False
    return not isinstance(layer, keras.layers.DepthwiseConv2D) or layer.depth_multiplier == 1
