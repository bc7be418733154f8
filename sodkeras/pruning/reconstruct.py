"""Channels taken out of a trained U²-Net and what is left solved for, layer by layer: no masks and no training.

Source: He, Zhang and Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017. There as here those
channels stay from which the others follow, and then every convolution is fitted (`refit`). There channels are chosen
for one layer after the other, by LASSO; here for all that use them at once, since the sum at the end of a residual
U-block has several users, and greedily (Farahat, Ghodsi and Kamel, "An Efficient Greedy Method for Unsupervised Feature
Selection", ICDM 2011).
"""

import collections
import dataclasses

import keras
import numpy as np
from keras import ops

from sodkeras.graph import Graph, flatten, tap
from sodkeras.layers import ResidualU
from sodkeras.models.u2net import U2Net
from sodkeras.progress import progress_bar
from sodkeras.pruning.refit import refit

_BATCH = 8
#: How many pixels of each picture channels are chosen by.
_PIXELS = 500


def reconstruct(model, pictures, tolerance=0.05, filters=None, seed=0, resized=None, progress=False):
    """A U²-Net with fewer channels at the ends of its blocks that computes nearly the same maps.

    Channels inside the residual U-blocks stay; there are few. What is left can be trained further, with
    `batch_statistics=False` where the weights came without statistics of batch norm.

    Args:
        model: a trained `U2Net`.
        pictures: `[N, H, W, 3]`, preprocessed; 20 or more, of the kind that the network is for. They need no masks. At
            320×320 U²-Net† takes 30 MB of memory for each, 4 GB for all, and 2 seconds a picture on two cores.
        tolerance: channels are kept until those that are gone follow from them but for this share, from 0 to under 1,
            of the variance that the layers behind them see.
        filters: instead, how many channels to keep of each block: the encoder's from the outside in, then the decoder's
            from the inside out.
        seed: which pixels are looked at.
        resized: `[N, h, w, 3]`, the same pictures as preprocessed in another size, for a network that takes that size
            and gives what the trained one gives of `pictures`: of 224×224 it takes half the time of 320×320.
        progress: whether bars are shown: choosing channels, looking at the trained network, fitting the new one.

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
    if resized is not None and (np.ndim(resized) != 4 or len(resized) != len(pictures)):
        raise ValueError(f"reconstruct takes all {len(pictures)} pictures resized. Received: {np.shape(resized)}")
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
    features = _stage_features(model, stages, pictures, rng, progress)
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
    config = model.get_config() | {"variant": variant}
    if resized is not None:
        size = np.shape(resized)[1:3]
        config["preprocessing"] = dataclasses.replace(model.preprocessing, size=size).to_dict()
        config["input_shape"] = [length and new for length, new in zip(model.input_shape[1:], (*size, 3), strict=True)]
    network = U2Net.from_config(config)
    new_pictures = pictures if resized is None else np.asarray(resized, "float32")
    channels = {
        call.layer.name: (_kept(origins[id(call.inputs[0])], kept), _kept(origins[id(call.output)], kept))
        for call in Graph(flat)
    }
    return network, refit(
        flat, flatten(network, new_pictures.shape[1:]), pictures, new_pictures, channels, rng, progress
    )


def _origins(flat, stages):
    """By each tensor's id, which block's end its channels belong to: a list of (block or None, channel)."""
    ends = {
        conv: stage.name for stage in stages for conv in (stage.input_unit.conv.name, stage.decoder_units[-1].conv.name)
    }
    origins = {id(tensor): [(None, channel) for channel in range(tensor.shape[-1])] for tensor in flat.inputs}
    for call in Graph(flat):
        if isinstance(call.layer, keras.layers.Conv2D):
            found = [(ends.get(call.layer.name), channel) for channel in range(call.layer.filters)]
        elif isinstance(call.layer, keras.layers.Concatenate):
            found = [origin for tensor in call.inputs for origin in origins[id(tensor)]]
        else:
            found = origins[id(call.inputs[0])]
        origins[id(call.output)] = found
    return origins


def _kept(origin, kept):
    """Indices of the channels of a tensor that stay."""
    return np.flatnonzero([name is None or channel in kept[name] for name, channel in origin])


def _weights(flat, origins, stages):
    """By block, how much each channel of its end counts with those that use it: [channels]."""
    weights = {stage.name: np.zeros(stage.filters) for stage in stages}
    for call in Graph(flat):
        if not isinstance(call.layer, keras.layers.Conv2D):
            continue
        energy = (ops.convert_to_numpy(call.layer.kernel).astype("float64") ** 2).sum((0, 1, 3))
        used = collections.defaultdict(list)
        for position, (name, channel) in enumerate(origins[id(call.inputs[0])]):
            if name is not None:
                used[name].append((position, channel))
        for name, places in used.items():
            positions, channels = np.transpose(places)
            weights[name][channels] += energy[positions] / (energy[positions].sum() or 1)
    return {name: np.sqrt(values) for name, values in weights.items()}


def _stage_features(model, stages, pictures, rng, progress):
    """By block, what its end gives at some pixels, without its mean: [pixels, channels]."""
    ends = tap(model, [model.get_layer(stage.name).output for stage in stages])
    found = collections.defaultdict(list)
    starts = range(0, len(pictures), _BATCH)
    for start in progress_bar(starts, "choosing channels", unit="batch", disable=not progress):
        for stage, maps in zip(stages, ends(pictures[start : start + _BATCH]), strict=True):
            for values in maps.reshape(len(maps), -1, maps.shape[-1]):
                chosen = rng.choice(len(values), min(len(values), _PIXELS), replace=False)
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
