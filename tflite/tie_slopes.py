"""PReLUs with one slope for all channels: what 8 bits compute for next to nothing.

A slope a channel takes two convolutions and a sum in 8 bits (see `sodkeras.tflite.prelu`), which a network that was
trained with PReLU pays for in every layer. One slope for the tensor changes the function, in some layers much, in
others little, and training has to make up for it.
"""

import keras
import numpy as np

from sodkeras.flatten import flatten
from sodkeras.tflite.prelu import slopes
from sodkeras.tflite.rewrite import count_uses, nodes

#: A smaller slope is not worth the operator: ReLU is part of the convolution before it.
SMALLEST_SLOPE = 0.02
#: Of a channel that does not vary at all, no ratio of variances can be taken.
_CONSTANT = 1e-7
#: How many of the pictures tell what a layer alone changes.
_FEW = 8


def tie_slopes(model, pictures, change=0.03):
    """The network with one slope instead of many in those of its PReLUs where that changes least and saves most.

    The slope s of a layer makes Σ (α_c - s)²·E[min(z_c, 0)²] the smallest; a negative one becomes 0, for there is no
    such operator, as does one under `SMALLEST_SLOPE`. Behind it, up to the output, the statistics of every batch norm
    are moved so that its results have the mean and the variance that they had before. What that does to the map is
    measured for each layer alone, and changes of several layers count as independent: their squares add up. Layers are
    taken in the order of what they change, squared, for each value that they compute. Train what comes of it on with
    `freeze="*/alpha"` in the settings, or the slopes part again.

    Args:
        model: a network with PReLUs that share their slopes over height and width, such as a `CSNet`; its first output
            is of logits.
        pictures: preprocessed, `[N, H, W, 3]`; some dozens. All of them go through the network at once.
        change: how much the map, in [0, 1], may change on average, about (0.03 became 0.05 and 0.07 in our two CSNets);
            the more, the cheaper.

    Returns:
        The new network, and a dict of the paths of the slopes that were tied to what they are now.

    Raises:
        ValueError: if slopes differ from pixel to pixel.
    """
    tied = type(model).from_config(model.get_config())
    tied.set_weights(model.get_weights())
    tied.preprocessing = model.preprocessing
    flat, few = flatten(tied, pictures.shape[1:]), pictures[:_FEW]  # the weights are shared
    before, seen = _observe(flat, few)
    costs = []
    for node, measured in zip(_watched(flat), seen, strict=True):
        layer = node.operation
        if isinstance(layer, keras.layers.PReLU) and np.ptp(slopes(layer)):
            after, _ = _tie(flat, few, seen, {layer.alpha.path})
            costs.append((np.mean(np.abs(after - before)) ** 2, measured[1], layer.alpha.path))
            tied.set_weights(model.get_weights())
    chosen, total = set(), 0.0
    for squared, _, path in sorted(costs, key=lambda cost: cost[0] / cost[1]):
        total += squared
        if total > change**2:
            break
        chosen.add(path)
    _, seen = _observe(flat, pictures)
    return tied, _tie(flat, pictures, seen, chosen)[1]


def _watched(flat):
    kinds = (keras.layers.BatchNormalization, keras.layers.PReLU)
    return [node for node in nodes(flat) if isinstance(node.operation, kinds)]


def _observe(flat, pictures):
    """The maps, and of what each batch norm and PReLU is called on: moments, or the negative half's energy and size."""
    seen = []

    def look(layer, x):
        if isinstance(layer, keras.layers.PReLU):
            seen.append((np.mean(np.square(np.minimum(x, 0)), axis=(0, 1, 2), dtype="float64"), x[0].size))
        else:
            seen.append(_moments(x))

    return _walk(flat, pictures, look), seen


def _tie(flat, pictures, seen, paths):
    """The maps with some slopes tied and all batch norms moved, which changes the network; and what the slopes are."""
    remaining, found = iter(seen), {}

    def look(layer, x):
        measured = next(remaining)
        if not isinstance(layer, keras.layers.PReLU):
            _match(layer, _moments(x), measured)
        elif layer.alpha.path in paths:
            energy = measured[0]
            slope = float(np.sum(slopes(layer) * energy) / max(np.sum(energy), np.finfo("float64").tiny))
            found[layer.alpha.path] = slope = 0.0 if slope < SMALLEST_SLOPE else min(slope, 1.0)
            layer.alpha.assign(np.full(layer.alpha.shape, slope))

    return _walk(flat, pictures, look), found


def _walk(flat, pictures, look):
    """A flat network's maps; `look` is shown each batch norm and PReLU, and its input, before it is called.

    Values are let go of once nothing needs them: all of them at once would be gigabytes.
    """
    known, uses = {id(flat.inputs[0]): keras.ops.convert_to_tensor(pictures)}, count_uses(flat)
    watched = {id(node) for node in _watched(flat)}
    for node in nodes(flat):
        arguments, keywords = node.arguments.fill_in(known)
        if id(node) in watched:
            look(node.operation, keras.ops.convert_to_numpy(arguments[0]))
        made = keras.tree.flatten(node.operation(*arguments, **keywords))
        known |= {id(tensor): value for tensor, value in zip(node.outputs, made, strict=True)}
        for tensor in node.input_tensors:
            uses[id(tensor)] -= 1
            if not uses[id(tensor)]:
                del known[id(tensor)]
    return keras.ops.convert_to_numpy(keras.ops.sigmoid(known[id(flat.outputs[0])]))


def _moments(x):
    return np.mean(x, axis=(0, 1, 2), dtype="float64"), np.var(x, axis=(0, 1, 2), dtype="float64")


def _match(norm, now, before):
    """Moves a batch norm's statistics: what it made of `before`, it makes of `now`, in mean and variance."""
    (mean, variance), (old_mean, old_variance) = now, before
    varies = (variance > _CONSTANT) & (old_variance > _CONSTANT)
    ratio = np.sqrt(np.where(varies, variance, 1) / np.where(varies, old_variance, 1))
    deviation = np.sqrt(keras.ops.convert_to_numpy(norm.moving_variance) + norm.epsilon)
    offset = old_mean - keras.ops.convert_to_numpy(norm.moving_mean)
    norm.moving_mean.assign(mean - ratio * offset)
    norm.moving_variance.assign(np.maximum((ratio * deviation) ** 2 - norm.epsilon, 0))
