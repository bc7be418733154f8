"""Weights for a smaller network by least squares, one convolution after the other, from what a trained one computes.

Source: the asymmetric reconstruction of He, Zhang and Sun, "Channel Pruning for Accelerating Very Deep Neural
Networks", ICCV 2017: every convolution comes to what the trained one gave, on what those before it give now.
"""

import collections

import cv2
import keras
import numpy as np
from keras import ops

from sodkeras.graph import Call, Graph, tap
from sodkeras.progress import progress_bar

#: How many pictures are computed at once: in the new network layer by layer, in the trained one with all its layers.
_BATCH, _PROBED = 8, 2
#: Rows of a least-squares problem, drawn from all pictures alike, and how many are in double precision at once.
_ROWS, _CHUNK = 48_000, 4_000
#: The share of pixels that are looked at because the object is there.
_OBJECTS = 0.25
#: Of a problem's mean diagonal: where pictures leave a direction open, weights stay as they were.
_RIDGE = 3e-3
#: How often least squares are solved in front of a ReLU.
_ROUNDS = 10
#: What half precision holds.
_LARGEST = 65504


def refit(flat, new_flat, pictures, new_pictures, channels, rng, progress=False):
    """Gives a network that has some of a trained one's channels its weights.

    Args:
        flat: the trained network, flat (`sodkeras.graph`).
        new_flat: the new one, flat and of fixed size, with the same layers by name.
        pictures: `[N, H, W, 3]`, preprocessed for the trained one.
        new_pictures: `[N, h, w, 3]`, the same as the new one takes them.
        channels: by layer, which of its input's and of its output's channels the new one has: two arrays of indices.
        rng: chooses the pixels that are looked at.
        progress: whether bars are shown.

    Returns:
        By convolution, the share of its output's variance that is lost, behind the ReLU where one follows.
    """
    for layer in new_flat.layers:
        if layer.weights and not isinstance(layer, keras.layers.Conv2D):
            for old, new in zip(flat.get_layer(layer.name).weights, layer.weights, strict=True):
                new.assign(ops.convert_to_numpy(old)[channels[layer.name][1]])
    norms = _norms_before_relus(new_flat)
    pixels, seen = _look(flat, new_flat, pictures, channels, rng, progress)
    graph = Graph(new_flat)
    maps = _Maps(graph, new_pictures)
    errors = {}
    for call in progress_bar(list(graph), "fitting", unit="layer", disable=not progress):
        layer = call.layer
        if isinstance(layer, keras.layers.Conv2D):
            chosen = pixels.pop(layer.name)
            around = [
                _patches(batch, chosen[rows], layer.kernel_size, layer.dilation_rate)
                for rows, batch in maps.batches(call.inputs[0])
            ]
            errors[layer.name] = _fit(
                flat.get_layer(layer.name),
                layer,
                channels[layer.name],
                norms.get(layer.name),
                *seen.pop(layer.name),
                np.concatenate(around),
            )
        maps.run(call)
    return errors


def _norms_before_relus(flat):
    """By convolution, the batch norm behind it, where a ReLU and nothing else follows that."""
    graph, found = Graph(flat), {}
    for call in graph:
        match isinstance(call.layer, keras.layers.Conv2D) and graph.users(call.output):
            case [Call(layer=keras.layers.BatchNormalization() as norm, output=normalised)]:
                if [type(user.layer) for user in graph.users(normalised)] == [keras.layers.ReLU]:
                    found[call.layer.name] = norm
    return found


def _look(flat, new_flat, pictures, channels, rng, progress):
    """By convolution, which pixels of the new network's are looked at, [N, pixels], and what there is in the old one.

    That is what it gives, and what it takes where channels of that are gone: (taken or None, given).
    """
    sizes = {call.layer.name: tuple(call.output.shape[1:3]) for call in Graph(new_flat)}
    saliency = _saliency(flat, pictures)
    chosen = {size: _choose_pixels(saliency, size, rng) for size in sorted(set(sizes.values()))}
    probes, pixels = {}, {}
    for call in Graph(flat):
        name = call.layer.name
        if isinstance(call.layer, keras.layers.Conv2D):
            gone = len(channels[name][0]) < call.inputs[0].shape[-1]
            probes[name] = [*call.inputs, call.output] if gone else [call.output]
            pixels[name] = chosen[sizes[name]]
    look = tap(flat, probes)
    seen = collections.defaultdict(list)
    starts = range(0, len(pictures), _PROBED)
    for start in progress_bar(starts, "looking", unit="batch", disable=not progress):
        rows = slice(start, start + _PROBED)
        for name, found in look(pictures[rows]).items():
            found[-1] = found[-1][..., channels[name][1]]
            seen[name].append([_at(maps, pixels[name][rows], sizes[name]) for maps in found])
    for name, batches in seen.items():
        *taken, given = [np.concatenate(rows) for rows in zip(*batches, strict=True)]
        seen[name] = (taken[0] if taken else None), given
    return pixels, seen


def _saliency(flat, pictures):
    """What the trained network finds: [N, H, W]."""
    saliency = tap(flat, ops.sigmoid(next(iter(flat.output.values()))))
    found = [saliency(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH)]
    return np.concatenate(found)[..., 0]


def _choose_pixels(saliency, size, rng):
    """Pixels of maps of a size, [N, pixels]: most of them anywhere, the others where the object is.

    It often takes but little of a picture, and with pixels from anywhere alone what is rare is fitted to be less.
    """
    count = max(1, _ROWS // len(saliency))
    chosen = []
    for picture in saliency:
        there = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA).ravel().astype("float64") + 1e-6
        share = (1 - _OBJECTS) / there.size + _OBJECTS * there / there.sum()
        chosen.append(rng.choice(there.size, count, p=share / share.sum()))
    return np.stack(chosen)


class _Maps:
    """What a network's layers give for all pictures, as far as it is still needed.

    Convolutions' outputs and sums are held, in half precision; what is quickly made of them is made anew.
    """

    def __init__(self, graph, pictures):
        self._graph = graph
        self._held = {id(graph.model.inputs[0]): pictures}
        self._batches = [slice(start, start + _BATCH) for start in range(0, len(pictures), _BATCH)]
        self._count = len(pictures)
        self._users = collections.Counter(
            source for call in graph if _is_held(call.layer) for source in self._sources(call.inputs)
        )

    def run(self, call):
        """Computes a layer's output, if it is one to hold, and forgets what nothing else needs."""
        if not _is_held(call.layer):
            return
        if self._users[id(call.output)]:
            held = np.empty((self._count, *call.output.shape[1:]), "float16")
            for rows in self._batches:
                held[rows] = ops.convert_to_numpy(self._made(call.output, rows)).clip(-_LARGEST, _LARGEST)
            self._held[id(call.output)] = held
        for source in self._sources(call.inputs):
            self._users[source] -= 1
            if not self._users[source]:
                del self._held[source]

    def batches(self, tensor):
        """`(rows, maps)` of a few pictures at a time."""
        for rows in self._batches:
            yield rows, ops.convert_to_numpy(self._made(tensor, rows))

    def _made(self, tensor, rows):
        if id(tensor) in self._held:
            return ops.convert_to_tensor(self._held[id(tensor)][rows].astype("float32"))
        call = self._graph.maker(tensor)
        return call.again({id(below): self._made(below, rows) for below in call.inputs})

    def _sources(self, tensors):
        """The ids of those to hold that tensors are made of."""
        found = set()
        for tensor in tensors:
            call = self._graph.maker(tensor)
            found |= {id(tensor)} if call is None or _is_held(call.layer) else self._sources(call.inputs)
        return found


def _is_held(layer):
    return isinstance(layer, (keras.layers.Conv2D, keras.layers.Add))


def _fit(old, new, channels, norm, taken, wanted, inputs):
    """Gives a convolution the weights that come nearest to what the old one computed; returns the share lost.

    Where a ReLU follows, what was under zero may be anything under zero. So least squares are solved again with what
    came out in the place of what was wanted there, and so on: each time they are nearer behind the ReLU. (Zhang et al.,
    "Accelerating Very Deep Convolutional Networks for Classification and Detection", TPAMI 2016, Sec. 2.2, solve the
    same problem in another way.)
    """
    incoming, outgoing = channels
    kernel, bias = _without(old, taken, incoming)
    kernel, bias = kernel[..., outgoing], bias[outgoing]
    matrix = kernel.reshape(-1, len(outgoing))
    first = _product(inputs, matrix) + bias
    mean = inputs.mean(0, dtype="float64")
    inverse = np.linalg.inv(_gram(inputs, mean))
    scale, shift = _affine(norm)
    on = scale * wanted + shift > 0
    aim = wanted
    for _ in range(_ROUNDS if norm else 1):
        missing = aim - first
        offset = missing.mean(0)
        change = inverse @ _product(inputs.T, missing - offset)
        given = first + offset - mean @ change + _product(inputs, change)
        if norm:
            under = np.where(scale * given + shift > 0, -shift / np.where(scale, scale, 1), given)
            aim = np.where(on, wanted, under)
    new.kernel.assign((matrix + change).reshape(kernel.shape))
    new.bias.assign(bias + offset - mean @ change)
    if norm:
        wanted, given = (np.maximum(scale * values + shift, 0) for values in (wanted, given))
    return float(((wanted - given) ** 2).mean(0).sum() / (wanted.var(0).sum() or 1))


def _product(inputs, factor):
    """In single precision, as the inputs are: they are the largest there is, and are gone through many times."""
    return (inputs @ factor.astype("float32")).astype("float64")


def _gram(inputs, mean):
    """The covariance of columns times their length, with the ridge."""
    gram = np.zeros((len(mean), len(mean)))
    for start in range(0, len(inputs), _CHUNK):
        centred = inputs[start : start + _CHUNK] - mean
        gram += centred.T @ centred
    gram[np.diag_indices_from(gram)] += _RIDGE * (np.trace(gram) / len(gram) or 1)
    return gram


def _affine(norm):
    """What a batch norm, as it is used, multiplies channels by and then adds."""
    if norm is None:
        return np.ones(1), np.zeros(1)
    gamma, beta, mean, variance = (
        ops.convert_to_numpy(weight).astype("float64")
        for weight in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale


def _without(conv, taken, incoming):
    """Kernel and bias with the part of the channels that are gone given to those from which they follow."""
    kernel = ops.convert_to_numpy(conv.kernel).astype("float64")
    bias = ops.convert_to_numpy(conv.bias).astype("float64")
    if taken is None:
        return kernel, bias
    gone = np.setdiff1d(np.arange(kernel.shape[2]), incoming)
    taken = taken.astype("float64")
    mean = taken.mean(0)
    covariance = (taken - mean).T @ (taken - mean)
    among = covariance[np.ix_(incoming, incoming)]
    among[np.diag_indices_from(among)] += 1e-4 * (np.trace(covariance) / len(covariance) or 1)
    shares = np.linalg.solve(among, covariance[np.ix_(incoming, gone)])
    bias = bias + np.einsum("d,hwdo->o", mean[gone] - mean[incoming] @ shares, kernel[:, :, gone])
    return kernel[:, :, incoming] + np.einsum("id,hwdo->hwio", shares, kernel[:, :, gone]), bias


def _at(maps, chosen, size):
    """What maps are at chosen pixels of maps of another size, (height, width): [pixels, channels]."""
    y, x = np.divmod(chosen, size[1])
    (top, bottom, down), (left, right, across) = (
        _between(places, there, here) for places, there, here in zip((y, x), size, maps.shape[1:3], strict=True)
    )
    picture = np.arange(len(maps))[:, None]
    above = maps[picture, top, left] * (1 - across) + maps[picture, top, right] * across
    below = maps[picture, bottom, left] * (1 - across) + maps[picture, bottom, right] * across
    return (above * (1 - down) + below * down).reshape(-1, maps.shape[-1])


def _between(places, there, here):
    """For places on an axis of one length the two on an axis of another that they lie between, and how far along."""
    exact = ((places + 0.5) * (here / there) - 0.5).clip(0, here - 1)
    first = np.floor(exact).astype(int)
    return first, np.minimum(first + 1, here - 1), (exact - first).astype("float32")[..., None]


def _patches(maps, chosen, kernel_size, dilation_rate):
    """What a convolution that keeps the size sees around the chosen pixels: [pixels, taps · channels]."""
    height, width = maps.shape[1:3]
    y, x = np.divmod(chosen, width)
    picture = np.arange(len(maps))[:, None]
    taps = []
    for row in range(kernel_size[0]):
        for column in range(kernel_size[1]):
            there_y = y + (row - kernel_size[0] // 2) * dilation_rate[0]
            there_x = x + (column - kernel_size[1] // 2) * dilation_rate[1]
            inside = (there_y >= 0) & (there_y < height) & (there_x >= 0) & (there_x < width)
            there = maps[picture, there_y.clip(0, height - 1), there_x.clip(0, width - 1)]
            taps.append(there * inside[..., None])
    return np.stack(taps, 2).reshape(chosen.size, -1)
