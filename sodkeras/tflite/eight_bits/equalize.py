"""Channel equalization: the same float network, with channels of similar ranges.

An 8-bit tensor has one scale for all its channels, and a concatenation one for all its inputs: a channel a hundred
times larger than its neighbours leaves them two or three levels. ReLU, pooling and resizing commute with a positive
scale per channel, so a channel may be divided by s where it is made and multiplied by s where it is used, exactly.
ReLU6 does not: channels that it cuts stay as they are.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, Sec. 4.1.
There it is done between two layers and the ranges are those of the weights; here along every path of the graph,
through sums and concatenations, with the ranges that pictures give.
"""

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from sodkeras.graph import Graph, copy, is_convolution, is_depthwise, tap, traits

#: No channel is multiplied by more: one that is all but dead in pictures seen may not be in others.
_LARGEST = 64


def equalize(model: keras.Model, batches: Iterable[np.ndarray], strength: float = 0.5) -> keras.Model:
    """Scales the channels of a flat network so that their ranges come closer to each other.

    Args:
        model: a flat functional Keras model (see `sodkeras.graph.flatten`).
        batches: preprocessed pictures `[B, H, W, 3]` to measure the channels' largest values on.
        strength: a channel of range r is divided by r^strength. 1 makes all ranges equal but leaves the spread to the
            weights; one half shares it between the two and was the best of ½, .7 and 1 tried on U²-Net†. Where only
            depthwise convolutions, whose weights have a scale a channel, use the channels, it is 1.

    Returns:
        A flat model of the same function, with weights of its own.
    """
    model = copy(model)
    groups = [group for group in _Groups(Graph(model)).found() if group.users]
    tensors = [tensor for group in groups for tensor in group.tensors]
    values_of = tap(model, tensors)
    peaks = [0.0] * len(tensors)
    for batch in batches:
        peaks = [
            np.maximum(peak, np.abs(value).max((0, 1, 2))) for peak, value in zip(peaks, values_of(batch), strict=True)
        ]
    of_tensor = iter(peaks)
    for group in groups:
        peak = np.max([next(of_tensor) for _ in group.tensors], axis=0)
        is_free = all(is_depthwise(layer) for layer, _ in group.users)
        scale = np.where(peak > 0, peak, 1).astype(np.float32) ** np.float32(1 if is_free else strength)
        scale = np.maximum(scale, np.float32(1 / _LARGEST))
        for layer in group.makers:
            _divide_output(layer, scale)
        for layer, offset in group.users:
            _multiply_input(layer, offset, scale)
    return model


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


class _Groups:
    """The groups of a flat network. A tensor is a list of groups, one after the other along its channels."""

    def __init__(self, graph):
        self._graph = graph
        self._parts = {id(tensor): [_Group(tensor.shape[-1], False)] for tensor in graph.model.inputs}
        self._made = []
        for call in graph:
            self._parts[id(call.output)] = self._visit(call)
            self._measure(call)
        for tensor in graph.model.outputs:
            self._fix(self._parts[id(tensor)])

    def found(self):
        """The groups whose scale may be chosen and is measured; one channel alone has no others to come closer to."""
        groups = (group for group in self._made if group.find() is group)
        return [group for group in groups if group.free and group.tensors and group.channels > 1]

    def _visit(self, call):
        layer, ways = call.layer, [self._parts[id(tensor)] for tensor in call.inputs]
        if is_convolution(layer):
            return self._convolution(layer, ways[0], call.output)
        if isinstance(layer, keras.layers.BatchNormalization):
            return self._batch_norm(layer, call.inputs[0], ways[0])
        if traits(layer).homogeneous:
            return ways[0]
        if isinstance(layer, keras.layers.Concatenate):
            return [group for way in ways for group in way]
        if isinstance(layer, keras.layers.Add) and len({tuple(group.channels for group in way) for way in ways}) == 1:
            return self._sum(ways)
        for way in ways:
            self._fix(way)
        return [_Group(call.output.shape[-1], False)]

    def _convolution(self, layer, way, output):
        offset = 0
        for group in way:
            group.find().users.append((layer, offset))
            offset += group.channels
        return [self._new(layer, output.shape[-1], not is_depthwise(layer))]

    def _batch_norm(self, layer, tensor, way):
        # What a batch norm takes in keeps its scale: the batch norm's own output is where the scale is chosen.
        self._fix(way)
        # A batch norm that folds into no convolution becomes a product with a vector of one 8-bit scale, which
        # different scales for its channels would ruin.
        maker = self._graph.maker(tensor)
        return [self._new(layer, tensor.shape[-1], maker is not None and is_convolution(maker.layer))]

    def _sum(self, ways):
        for first, *others in zip(*ways, strict=True):
            for group in others:
                first.join(group)
        return ways[0]

    def _new(self, layer, channels, free):
        group = _Group(channels, free)
        group.makers.append(layer)
        self._made.append(group)
        return group

    def _fix(self, way):
        for group in way:
            group.find().free = False

    def _measure(self, call):
        """Notes a tensor whose values tell the channels' ranges: pooling, resizing and joining make nothing larger."""
        layer, way = call.layer, self._parts[id(call.output)]
        enlarges = isinstance(layer, (keras.layers.BatchNormalization, keras.layers.Add))
        # What only a ReLU is called on is never stored: the ReLU is part of the operator that makes it.
        is_stored = any(not isinstance(user.layer, keras.layers.ReLU) for user in self._graph.users(call.output))
        if (enlarges or is_convolution(layer) or traits(layer).activation) and is_stored and len(way) == 1:
            way[0].find().tensors.append(call.output)


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
