"""Channel equalization: the same float network, with channels of like range.

An 8-bit tensor has one scale for all its channels, and a concatenation one for all its inputs: a channel a hundred
times larger than its neighbours leaves them two or three levels. ReLU, pooling and resizing commute with a positive
scale per channel, so a channel may be divided by s where it is made and multiplied by s where it is used, exactly.
ReLU6 does not: channels that it cuts stay as they are.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, Sec. 4.1.
There it is done between two layers and the ranges are those of the weights; here along every path of the graph,
through sums and concatenations, with the ranges that pictures give.
"""

import keras
import numpy as np
from keras import ops

from sodkeras.flatten import calls, tap
from sodkeras.layers import ResizeLike

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
_ACTIVATIONS = (keras.layers.ReLU, keras.layers.PReLU, keras.layers.LeakyReLU)
#: Layers f with f(s·x) = s·f(x) for s > 0, channel by channel.
_HOMOGENEOUS = (
    *_ACTIVATIONS,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.UpSampling2D,
    ResizeLike,
)

#: No channel is multiplied by more: one that is all but dead in pictures seen may not be in others.
_LARGEST = 64


def equalize(model, batches, strength=0.5):
    """Scales the channels of a flat network in place so that their ranges come closer to each other.

    Args:
        model: a flat functional Keras model (see `sodkeras.flatten`). Its weights are changed, its function is not.
        batches: preprocessed pictures `[B, H, W, 3]` to measure the channels' largest values on.
        strength: a channel of range r is divided by r^strength. 1 makes all ranges equal but leaves the spread to the
            weights; one half shares it between the two and was the best of ½, .7 and 1 tried on U²-Net†. Where only
            depthwise convolutions, whose weights have a scale a channel, use the channels, it is 1.

    Returns:
        The number of channels that changed by more than a factor of two.
    """
    groups = [group for group in _groups(model) if group.free and group.users]
    tensors = [tensor for group in groups for tensor in group.tensors]
    values_of = tap(model, tensors)
    peaks = [0.0] * len(tensors)
    for batch in batches:
        peaks = [
            np.maximum(peak, np.abs(value).max((0, 1, 2))) for peak, value in zip(peaks, values_of(batch), strict=True)
        ]
    peaks = iter(peaks)
    changed = 0
    for group in groups:
        peak = np.max([next(peaks) for _ in group.tensors], axis=0)
        is_free = all(isinstance(layer, keras.layers.DepthwiseConv2D) for layer, _ in group.users)
        scale = np.where(peak > 0, peak, 1).astype(np.float32) ** np.float32(1 if is_free else strength)
        scale = np.maximum(scale, np.float32(1 / _LARGEST))
        changed += int(np.count_nonzero(np.abs(np.log2(scale)) > 1))
        for layer in group.makers:
            _divide_output(layer, scale)
        for layer, offset in group.users:
            _multiply_input(layer, offset, scale)
    return changed


class _Group:
    """Tensors whose channels must keep one common scale, with the layers that make and use them."""

    def __init__(self, channels, free):
        self.channels = channels
        self.free = free  # whether the scale may be chosen at all
        self.makers, self.users, self.tensors = [], [], []
        self._joined = None

    def find(self):
        return self if self._joined is None else self._joined.find()

    def join(self, other):
        first, second = self.find(), other.find()
        if first is not second:
            first.free = first.free and second.free
            for name in ("makers", "users", "tensors"):
                getattr(first, name).extend(getattr(second, name))
            second._joined = first


def _groups(model):
    """The groups of a flat model. A tensor is a list of groups, one after the other along its channels."""
    parts = {id(tensor): [_Group(tensor.shape[-1], False)] for tensor in model.inputs}
    found = []
    # What only a ReLU is called on is never rounded: the ReLU is part of the operator that makes it.
    stored = {
        id(tensor) for layer, inputs, _ in calls(model) if not isinstance(layer, keras.layers.ReLU) for tensor in inputs
    }
    convolved = {id(output) for layer, _, output in calls(model) if isinstance(layer, _CONVOLUTIONS)}
    for layer, inputs, output in calls(model):
        ways = [parts[id(tensor)] for tensor in inputs]
        is_convolution = isinstance(layer, _CONVOLUTIONS)
        if is_convolution:
            offset = 0
            for group in ways[0]:
                group.find().users.append((layer, offset))
                offset += group.channels
        if isinstance(layer, keras.layers.BatchNormalization):
            # What a batch norm takes in keeps its scale: the batch norm's own output is where the scale is chosen.
            for group in ways[0]:
                group.find().free = False
        if is_convolution or isinstance(layer, keras.layers.BatchNormalization):
            # A batch norm that folds into no convolution becomes a product with a vector of one 8-bit scale, which
            # different scales for its channels would ruin.
            folds = isinstance(layer, keras.layers.BatchNormalization) and id(inputs[0]) in convolved
            group = _Group(output.shape[-1], free=folds or isinstance(layer, keras.layers.Conv2D))
            group.makers.append(layer)
            found.append(group)
            parts[id(output)] = [group]
        elif isinstance(layer, _HOMOGENEOUS) and getattr(layer, "max_value", None) is None:
            parts[id(output)] = ways[0]
        elif isinstance(layer, keras.layers.Concatenate):
            parts[id(output)] = [group for way in ways for group in way]
        elif isinstance(layer, keras.layers.Add) and len({tuple(g.channels for g in way) for way in ways}) == 1:
            for same in zip(*ways, strict=True):
                for group in same[1:]:
                    same[0].join(group)
            parts[id(output)] = ways[0]
        else:
            for way in ways:
                for group in way:
                    group.find().free = False
            parts[id(output)] = [_Group(output.shape[-1], False)]
        # Pooling and resizing make nothing larger, and concatenating neither.
        measured = isinstance(layer, (*_CONVOLUTIONS, *_ACTIVATIONS, keras.layers.BatchNormalization, keras.layers.Add))
        if measured and id(output) in stored and len(parts[id(output)]) == 1:
            parts[id(output)][0].find().tensors.append(output)
    for tensor in model.outputs:
        for group in parts[id(tensor)]:
            group.find().free = False
    # One channel alone has no others to come closer to.
    return [group for group in found if group.find() is group and group.tensors and group.channels > 1]


def _divide_output(layer, scale):
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.gamma.assign(layer.gamma / scale)
        layer.beta.assign(layer.beta / scale)
    else:
        layer.kernel.assign(layer.kernel / scale)
        if layer.use_bias:
            layer.bias.assign(layer.bias / scale)


def _multiply_input(layer, offset, scale):
    kernel = np.array(ops.convert_to_numpy(layer.kernel))
    kernel[:, :, offset : offset + len(scale)] *= scale[:, None]
    layer.kernel.assign(kernel)
