"""Channels taken out of a trained U²-Net and what is left solved for, layer by layer: no masks and no training.

Source: He, Zhang and Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017. There as here those
channels stay from which the others follow, and then every convolution is fitted, by least squares, to what it computed
before, on what the layers before it give now. There channels are chosen for one layer after the other, by LASSO; here
for all that use them at once, since the sum at the end of a residual U-block has several users, and greedily (Farahat,
Ghodsi and Kamel, "An Efficient Greedy Method for Unsupervised Feature Selection", ICDM 2011).
"""

import collections

import keras
import numpy as np
from keras import ops

from sodkeras.flatten import calls, flatten
from sodkeras.layers import ResidualU
from sodkeras.models.u2net import U2Net

_BATCH = 8
#: Rows of a least-squares problem, drawn from all pictures alike; and of each picture where channels are chosen.
_ROWS, _ROWS_A_PICTURE = 24_000, 500
#: Of a problem's mean diagonal: where pictures leave a direction open, weights stay as they were.
_RIDGE = 3e-3


def reconstruct(model, pictures, tolerance=0.05, filters=None, seed=0):
    """A U²-Net with fewer channels at the ends of its blocks that computes nearly the same maps.

    Channels inside the residual U-blocks stay; there are few. What is left can be trained further, with
    `batch_statistics=False` where the weights came without statistics of batch norm.

    Args:
        model: a trained `U2Net`.
        pictures: `[N, H, W, 3]`, preprocessed; 20 or more, of the kind that the network is for. They need no masks. At
            320×320 U²-Net† takes 280 MB of memory for each, and 4 seconds on two cores.
        tolerance: channels are kept until those that are gone follow from them but for this share, from 0 to under 1,
            of the variance that the layers behind them see.
        filters: instead, how many channels to keep of each block: the encoder's from the outside in, then the decoder's
            from the inside out.
        seed: which pixels are looked at.

    Returns:
        `(network, errors)`: the new `U2Net`, and for each convolution, by name, which share of its output's variance is
        lost: "fusion_conv" is that of the result before the sigmoid.

    Raises:
        ValueError: for another network, pictures of another shape, or filters that do not fit.
    """
    if not isinstance(model, U2Net):
        raise ValueError(f"reconstruct takes a U2Net. Received: {type(model).__name__}")
    if np.ndim(pictures) != 4 or not len(pictures):
        raise ValueError(f"reconstruct takes pictures [N, H, W, 3]. Received: {np.shape(pictures)}")
    stages = [layer for layer in model.layers if isinstance(layer, ResidualU)]
    if filters is not None and (
        len(filters) != len(stages)
        or not all(1 <= count <= stage.filters for count, stage in zip(filters, stages, strict=True))
    ):
        raise ValueError(
            f"reconstruct takes filters for {len(stages)} blocks, at most {[stage.filters for stage in stages]}. "
            f"Received: {list(filters)}"
        )
    if filters is None and not 0 <= tolerance < 1:
        raise ValueError(f"reconstruct takes a tolerance from 0 to under 1. Received: {tolerance}")
    pictures = np.asarray(pictures, "float32")
    flat = flatten(model)
    rng = np.random.default_rng(seed)
    origins = _origins(flat, stages)
    features = _stage_features(model, stages, pictures, rng)
    counts = dict(zip((stage.name for stage in stages), filters or [None] * len(stages), strict=True))
    kept = {
        name: _choose(features[name] * weights, counts[name], tolerance)
        for name, weights in _weights(flat, origins, stages).items()
    }
    rows = [
        (stage.name, [f"RSU-{stage.height}{'F' if stage.dilated else ''}", stage.mid_filters, len(kept[stage.name])])
        for stage in stages
    ]
    variant = {part: [row for name, row in rows if name.startswith(part)] for part in ("encoder", "decoder")}
    network = U2Net.from_config(model.get_config() | {"variant": variant})
    return network, _fit_all(flat, flatten(network), pictures, origins, kept, rng)


def _origins(flat, stages):
    """By each tensor's id, which block's end its channels belong to: a list of (block or None, channel)."""
    ends = {
        conv: stage.name for stage in stages for conv in (stage.input_unit.conv.name, stage.decoder_units[-1].conv.name)
    }
    origins = {id(tensor): [(None, channel) for channel in range(tensor.shape[-1])] for tensor in flat.inputs}
    for layer, inputs, output in calls(flat):
        if isinstance(layer, keras.layers.Conv2D):
            found = [(ends.get(layer.name), channel) for channel in range(layer.filters)]
        elif isinstance(layer, keras.layers.Concatenate):
            found = [origin for tensor in inputs for origin in origins[id(tensor)]]
        else:
            found = origins[id(inputs[0])]
        origins[id(output)] = found
    return origins


def _kept(origin, kept):
    """Indices of the channels of a tensor that stay."""
    return np.flatnonzero([name is None or channel in kept[name] for name, channel in origin])


def _weights(flat, origins, stages):
    """By block, how much each channel of its end counts with those that use it: [channels]."""
    weights = {stage.name: np.zeros(stage.filters) for stage in stages}
    for layer, (tensor, *_), _ in calls(flat):
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        energy = (ops.convert_to_numpy(layer.kernel).astype("float64") ** 2).sum((0, 1, 3))
        used = collections.defaultdict(list)
        for position, (name, channel) in enumerate(origins[id(tensor)]):
            if name is not None:
                used[name].append((position, channel))
        for name, places in used.items():
            positions, channels = np.transpose(places)
            weights[name][channels] += energy[positions] / (energy[positions].sum() or 1)
    return {name: np.sqrt(values) for name, values in weights.items()}


def _stage_features(model, stages, pictures, rng):
    """By block, what its end gives at some pixels, without its mean: [pixels, channels]."""
    ends = keras.Model(model.inputs, [model.get_layer(stage.name).output for stage in stages])
    found = collections.defaultdict(list)
    for start in range(0, len(pictures), _BATCH):
        for stage, maps in zip(stages, ends.predict_on_batch(pictures[start : start + _BATCH]), strict=True):
            for values in maps.reshape(len(maps), -1, maps.shape[-1]):
                chosen = rng.choice(len(values), min(len(values), _ROWS_A_PICTURE), replace=False)
                found[stage.name].append(values[chosen].astype("float64"))
    features = {name: np.concatenate(values) for name, values in found.items()}
    return {name: values - values.mean(0) for name, values in features.items()}


def _choose(features, count, tolerance):
    """Columns that the others follow from best, ascending: so many, or until under the tolerance is left."""
    left = features.T @ features / len(features)
    total = np.trace(left)
    least = 1e-12 * (total or 1)
    chosen = []
    while len(chosen) < (count or len(left)):
        variance = np.diag(left)
        gain = (left**2).sum(0) / np.maximum(variance, least)
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        left = left - np.outer(left[:, best], left[best]) / max(left[best, best], least)
        if count is None and np.trace(left) <= tolerance * total:
            break
    return np.sort(chosen)


def _fit_all(flat, new_flat, pictures, origins, kept, rng):
    """Runs both networks side by side and fits each new convolution when its turn comes."""
    twins = {layer.name: layer for layer in new_flat.layers}
    uses = collections.Counter(id(tensor) for _, inputs, _ in calls(flat) for tensor in inputs)
    values = {id(flat.inputs[0]): (pictures, pictures)}
    errors = {}
    for layer, inputs, output in calls(flat):
        befores, afters = zip(*(values[id(tensor)] for tensor in inputs), strict=True)
        twin, before = twins[layer.name], _apply(layer, befores)
        outgoing = _kept(origins[id(output)], kept)
        if isinstance(layer, keras.layers.Conv2D):
            incoming = _kept(origins[id(inputs[0])], kept)
            errors[layer.name] = _fit(layer, twin, befores[0], before, afters[0], incoming, outgoing, rng)
        else:
            for old, new in zip(layer.weights, twin.weights, strict=True):
                new.assign(ops.convert_to_numpy(old)[outgoing])
        values[id(output)] = before, _apply(twin, afters)
        for tensor in inputs:
            uses[id(tensor)] -= 1
            if not uses[id(tensor)]:
                del values[id(tensor)]
    return errors


def _apply(layer, arrays):
    found = []
    for start in range(0, len(arrays[0]), _BATCH):
        tensors = [ops.convert_to_tensor(array[start : start + _BATCH]) for array in arrays]
        merges = isinstance(layer, (keras.layers.Add, keras.layers.Concatenate))
        found.append(ops.convert_to_numpy(layer(tensors) if merges else layer(*tensors)))
    return np.concatenate(found)


def _fit(old, new, before, target, after, incoming, outgoing, rng):
    """Gives a convolution the weights that come nearest to what the old one computed; returns the share lost."""
    pixels = before.shape[1] * before.shape[2]
    count = max(1, min(pixels, _ROWS // len(before)))
    chosen = np.stack([rng.choice(pixels, count, replace=False) for _ in before])
    kernel, bias = _without(old, _rows(before, chosen), incoming)
    kernel, bias = kernel[..., outgoing], bias[outgoing]
    inputs = _patches(after, chosen, old.kernel_size, old.dilation_rate)
    wanted = _rows(target, chosen)[:, outgoing]
    matrix = kernel.reshape(-1, len(outgoing))
    missing = wanted - inputs @ matrix - bias
    mean, offset = inputs.mean(0), missing.mean(0)
    centred = inputs - mean
    gram = centred.T @ centred
    gram[np.diag_indices_from(gram)] += _RIDGE * (np.trace(gram) / len(gram) or 1)
    change = np.linalg.solve(gram, centred.T @ (missing - offset))
    bias = bias + offset - mean @ change
    matrix = matrix + change
    new.kernel.assign(matrix.reshape(kernel.shape))
    new.bias.assign(bias)
    lost = ((wanted - inputs @ matrix - bias) ** 2).mean(0).sum()
    return float(lost / (wanted.var(0).sum() or 1))


def _without(conv, features, incoming):
    """Kernel and bias with the part of the channels that are gone given to those from which they follow."""
    kernel = ops.convert_to_numpy(conv.kernel).astype("float64")
    bias = ops.convert_to_numpy(conv.bias).astype("float64")
    gone = np.setdiff1d(np.arange(kernel.shape[2]), incoming)
    if not gone.size:
        return kernel, bias
    mean = features.mean(0)
    covariance = (features - mean).T @ (features - mean)
    among = covariance[np.ix_(incoming, incoming)]
    among[np.diag_indices_from(among)] += 1e-4 * (np.trace(covariance) / len(covariance) or 1)
    shares = np.linalg.solve(among, covariance[np.ix_(incoming, gone)])
    bias = bias + np.einsum("d,hwdo->o", mean[gone] - mean[incoming] @ shares, kernel[:, :, gone])
    return kernel[:, :, incoming] + np.einsum("id,hwdo->hwio", shares, kernel[:, :, gone]), bias


def _rows(maps, chosen):
    """The values at the chosen pixels of each picture: [pixels, channels]."""
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    return np.take_along_axis(flat, chosen[..., None], axis=1).reshape(-1, maps.shape[-1]).astype("float64")


def _patches(maps, chosen, kernel_size, dilation_rate):
    """What a convolution that keeps the size sees around the chosen pixels: [pixels, taps · channels]."""
    height, width = maps.shape[1:3]
    y, x = np.divmod(chosen, width)
    taps = []
    for row in range(kernel_size[0]):
        for column in range(kernel_size[1]):
            there_y = y + (row - kernel_size[0] // 2) * dilation_rate[0]
            there_x = x + (column - kernel_size[1] // 2) * dilation_rate[1]
            inside = (there_y >= 0) & (there_y < height) & (there_x >= 0) & (there_x < width)
            there = there_y.clip(0, height - 1) * width + there_x.clip(0, width - 1)
            taps.append(_rows(maps, there) * inside.reshape(-1, 1))
    return np.stack(taps, 1).reshape(chosen.size, -1)
