"""Pictures and scenes on one GPU, labelled there, for own_weights_gpu.py: a pack in, batches out.

Scenes are made as `sodkeras.data.scenes` makes them on a CPU: a part of a picture, and 0 to 3 objects of sure pictures
pasted in.
"""

import concurrent.futures
import io
import json
import pathlib
import time
import zlib

import cv2
import keras
import numpy as np
import torch

from sodkeras import models
from sodkeras.layers import ConvUnit
from sodkeras.preprocessing import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
#: Pictures that are labelled at a time.
LABELLED = 64
_CANVAS = 320  # of packed pictures, and what U²-Net sees
_STORED = 288  # of what waits for the students
# Probabilities of 0, 1, 2 and 3 pasted objects.
_OBJECTS = (0.4, 0.3, 0.2, 0.1)


def read_pack(path):
    """Pictures `[P, 320, 320, 3]`, masks `[P, 320, 320]`, whether by hand and crowded `[P]`, the teacher."""
    packed = np.load(io.BytesIO(zlib.decompress(pathlib.Path(path).read_bytes())))
    executor = concurrent.futures.ThreadPoolExecutor()

    def parts(name, mode):
        pieces = np.split(packed[name + "s"], np.cumsum(packed[name + "_bytes"])[:-1])
        return list(executor.map(lambda piece: cv2.imdecode(piece, mode) if len(piece) else None, pieces))

    pictures = np.stack(parts("picture", cv2.IMREAD_COLOR))[..., ::-1].copy()
    masks = parts("mask", cv2.IMREAD_GRAYSCALE)
    by_hand = np.array([mask is not None for mask in masks])
    nothing = np.zeros(pictures.shape[1:3], np.uint8)
    masks = np.stack([nothing if mask is None else mask for mask in masks])
    described = json.loads(str(packed["teacher"]))
    teacher = getattr(models, described["class"]).from_config(described["config"])
    weights = []
    for index in range(len(teacher.weights)):
        weight = packed[f"weight{index}"]
        weights.append(weight * packed[f"scale{index}"] if weight.dtype == np.int8 else weight)
    teacher.set_weights(weights)
    fold(teacher)
    return pictures, masks, by_hand, packed["crowded"], teacher


def fold(teacher):
    """Folds U²-Net's batch norms into their convolutions, and keeps Keras from casting back to float32."""
    for layer in teacher._flatten_layers():
        layer.autocast = False
        if isinstance(layer, ConvUnit):
            norm = layer.batch_norm
            factor = norm.gamma / keras.ops.sqrt(norm.moving_variance + norm.epsilon)
            layer.conv.kernel.assign(layer.conv.kernel * factor)
            layer.conv.bias.assign((layer.conv.bias - norm.moving_mean) * factor + norm.beta)
            norm.call = lambda x, **_: x


def normalise(pictures):
    """RGB in [0, 1], channels last, to a network's input."""
    mean, deviation = IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION
    return (pictures - _constant(mean)) / _constant(deviation)


_CONSTANTS = {}


def _constant(values):
    """A tensor on the device; made once, for a graph that is captured cannot copy from the host."""
    if values not in _CONSTANTS:
        _CONSTANTS[values] = torch.tensor(values, device=DEVICE)
    return _CONSTANTS[values]


@torch.no_grad()
def label(teacher, pictures):
    """The teacher's maps in [0, 1], `[B, 320, 320]`, of pictures `[B, 320, 320, 3]` of 0 to 255."""
    x = pictures.float()
    x = normalise(x / x.amax((1, 2, 3), keepdim=True).clamp(min=1)).contiguous()
    with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
        logits = next(iter(teacher(x, training=False).values()))
    return torch.sigmoid(logits.float())[..., 0]


def certainty(masks):
    """As `sodkeras.data.pseudo_labels.certainty`, of `[B, H, W]` in [0, 1]."""
    area = masks.sum((1, 2))
    doubtful = torch.minimum(masks, 1 - masks).sum((1, 2))
    return torch.where(area < 1e-3 * masks[0].numel(), 0.0, 1 - doubtful / area.clamp(min=1e-3))


def label_pictures(pictures, masks, by_hand, crowded, teacher, counting):
    """What scenes are made of, on the GPU: pictures, masks by hand or of the teacher, boxes, and who may be pasted.

    `counting`: how many times a crowded one counts.
    """
    pictures, masks, by_hand, crowded = (
        torch.as_tensor(array, device=DEVICE) for array in (pictures, masks, by_hand, crowded)
    )
    for start in range(0, len(pictures), LABELLED):
        part = slice(start, start + LABELLED)
        maps = (label(teacher, pictures[part]) + label(teacher, pictures[part].flip(2)).flip(2)) / 2
        masks[part] = torch.where(by_hand[part, None, None], masks[part], (maps * 255).round().to(torch.uint8))
    sure = torch.where(by_hand, 1.0, torch.cat([certainty(part.float() / 255) for part in masks.split(256)]))
    areas = (masks > 127).float().mean((1, 2))
    return {
        "pictures": pictures,
        "masks": masks,
        "by_hand": by_hand,
        "boxes": torch.as_tensor(boxes(masks.cpu().numpy()), device=DEVICE),
        "certainty": sure,
        "counts": torch.where(crowded, counting, 1),
        "sure": torch.nonzero((sure >= 0.5) & (areas >= 0.02) & (areas <= 0.6))[:, 0],
    }


def uniform(shape, low=0.0, high=1.0):
    return torch.rand(shape, device=DEVICE) * (high - low) + low


def resampling(start, length, size, target, first=None, last=None, mirrored=None):
    """Matrices `[B, target, size]` that resample one axis, from `length` pixels behind `start`, each `[B]`.

    Bilinear, smoothed where it shrinks. Outside `first` to `last` they are 0; where `mirrored`, turned round.
    """
    scale = (length / target)[:, None]
    steps = torch.arange(target, device=DEVICE) + 0.5
    if mirrored is not None:
        steps = torch.where(mirrored[:, None], target - steps, steps)
    centres = start[:, None] + steps * scale
    sources = torch.arange(size, device=DEVICE) + 0.5
    weights = (1 - (sources - centres[..., None]).abs() / scale.clamp(min=1)[..., None]).clamp(min=0)
    weights = weights / weights.sum(2, keepdim=True).clamp(min=1e-6)
    if first is not None:
        weights = weights * ((centres >= first[:, None]) & (centres <= last[:, None]))[..., None]
    return weights


def resample(pictures, rows, columns):
    """`[B, H, W, C]` to `[B, h, w, C]`."""
    batch, height, width, channels = pictures.shape
    tall = torch.bmm(rows, pictures.reshape(batch, height, width * channels)).reshape(batch, -1, width, channels)
    return torch.einsum("bqw,bhwc->bhqc", columns, tall)


def boxes(masks):
    """First and last row and column of each object, `[P, 4]`."""
    found = np.zeros((len(masks), 4), np.float32)
    for index, mask in enumerate(masks):
        rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
        if len(rows):
            found[index] = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return found


def make_scenes(count, sources):
    """Scenes, RGB and the mask of what the background had and what was pasted, `[count, 320, 320, 4]` of 0 to 255.

    Also where that mask is by hand and holds: where nothing was pasted.
    """
    index = torch.multinomial(sources["counts"].float(), count, replacement=True)
    is_part = uniform(count) < 0.8
    share = torch.where(is_part, uniform(count, 0.3), 1.0)
    aspect = torch.where(is_part, uniform(count, -0.15, 0.15).exp(), 1.0)
    sides = [(_CANVAS * share.sqrt() * factor).clamp(max=_CANVAS) for factor in (aspect, 1 / aspect)]
    rows, columns = (
        resampling(uniform(count) * (_CANVAS - side), side, _CANVAS, _CANVAS, mirrored=mirrored)
        for side, mirrored in zip(sides, (None, uniform(count) < 0.5), strict=True)
    )
    canvas = resample(with_masks(sources, index), rows, columns)
    objects = torch.multinomial(_constant(_OBJECTS), count, replacement=True)
    for number in range(len(_OBJECTS) - 1):
        canvas = torch.where((number < objects)[:, None, None, None], paste(canvas, sources), canvas)
    return canvas, sources["by_hand"][index] & (objects == 0)


def with_masks(sources, index):
    return torch.cat([sources["pictures"][index], sources["masks"][index][..., None]], -1).float()


def paste(canvas, sources):
    """Canvases, each with another picture's object somewhere on it."""
    count = len(canvas)
    index = sources["sure"][torch.randint(len(sources["sure"]), (count,), device=DEVICE)]
    first, last = sources["boxes"][index][:, ::2], sources["boxes"][index][:, 1::2]
    sides = last - first
    wanted = _CANVAS * uniform((count, 1), 0.25, 0.8)
    sizes = sides * wanted / sides.amax(1, keepdim=True) * uniform((count, 2), -0.15, 0.15).exp()
    # Up to a sixth of it lies outside.
    places = -sizes / 6 + uniform((count, 2)) * (_CANVAS - sizes * 2 / 3)
    scales = sides / sizes
    mirrored = uniform(count) < 0.5
    # Mirrored is the object, not the canvas: its place, too.
    places[:, 1] = torch.where(mirrored, _CANVAS - places[:, 1] - sizes[:, 1], places[:, 1])
    rows, columns = (
        resampling(
            first[:, axis] - places[:, axis] * scales[:, axis],
            _CANVAS * scales[:, axis],
            _CANVAS,
            _CANVAS,
            first[:, axis],
            last[:, axis],
            mirrored if axis else None,
        )
        for axis in range(2)
    )
    other = resample(with_masks(sources, index), rows, columns)
    opacity = other[..., 3:] / 255
    colours = canvas[..., :3] * (1 - opacity) + other[..., :3] * opacity
    return torch.cat([colours, torch.maximum(canvas[..., 3:] * (1 - opacity), other[..., 3:])], -1)


@torch.no_grad()
def labelled_scenes(count, sources, teacher):
    """Scenes with labels, uint8 `[count, 288, 288, 4]`, and how sure these are."""
    canvas, by_hand = make_scenes(count, sources)
    pictures = canvas[..., :3].clamp(0, 255).round()
    masks = torch.where(by_hand[:, None, None], canvas[..., 3] / 255, label(teacher, pictures))
    sure = torch.where(by_hand, 1.0, certainty(masks))
    return stored(pictures, masks * 255), sure


def stored(pictures, masks):
    """RGB and mask as they wait, uint8 `[B, 288, 288, 4]`."""
    whole = torch.full((len(pictures),), float(_CANVAS), device=DEVICE)
    smaller = resampling(torch.zeros_like(whole), whole, _CANVAS, _STORED)
    return resample(torch.cat([pictures, masks[..., None]], -1), smaller, smaller).clamp(0, 255).round().byte()


def make_pool(sources, teacher, most, end):
    """What students learn from: photos, crowded ones several times, and scenes, labelled until the clock says `end`.

    At least one batch of scenes, at most `most`. Returns `pictures` `[N, 288, 288, 4]`, `sure` `[N]`, how many `photos`
    stand first, and `scenes`.
    """
    parts = [
        stored(with_masks(sources, index)[..., :3], sources["masks"][index].float())
        for index in torch.arange(len(sources["pictures"]), device=DEVICE).split(256)
    ]
    photos = torch.cat(parts).repeat_interleave(sources["counts"], 0)
    sure = sources["certainty"].repeat_interleave(sources["counts"], 0)
    most = max(most // LABELLED, 1) * LABELLED
    pictures = torch.cat([photos, torch.zeros((most, _STORED, _STORED, 4), dtype=torch.uint8, device=DEVICE)])
    sure = torch.cat([sure, torch.zeros(most, device=DEVICE)])
    filled = 0
    while filled < most and (filled == 0 or time.monotonic() < end):
        part = slice(len(photos) + filled, len(photos) + filled + LABELLED)
        pictures[part], sure[part] = labelled_scenes(LABELLED, sources, teacher)
        filled += LABELLED
        if DEVICE == "cuda":
            torch.cuda.synchronize()
    count = len(photos) + filled
    return {"pictures": pictures[:count], "sure": sure[:count], "photos": len(photos), "scenes": filled}


def training_batch(pool, count, size):
    """Normalised pictures `[B, size, size, 3]`, masks `[B, size, size, 1]` and weights `[B]` from the pool.

    One half of them are photos, as far as chance will have it, the other scenes.
    """
    photo = torch.randint(pool["photos"], (count,), device=DEVICE)
    scene = torch.randint(pool["photos"], len(pool["pictures"]), (count,), device=DEVICE)
    index = torch.where(uniform(count) < 0.5, photo, scene)
    # A part, of other proportions in one case of two.
    side = _STORED * uniform(count, 0.85)
    changed = uniform(count) < 0.5
    sides = [side * torch.where(changed, uniform(count, 0.85), 1.0) for _ in range(2)]
    rows, columns = (
        resampling(uniform(count) * (_STORED - side), side, _STORED, size, mirrored=mirrored)
        for side, mirrored in zip(sides, (None, uniform(count) < 0.5), strict=True)
    )
    parts = resample(pool["pictures"][index].float(), rows, columns) / 255
    pictures, masks = parts[..., :3], parts[..., 3:].clamp(0, 1)
    brightness, contrast, saturation = (uniform((count, 1, 1, 1), -1.0) for _ in range(3))
    grey = (pictures * _constant((0.299, 0.587, 0.114))).sum(-1, keepdim=True)
    coloured = grey + (pictures - grey) * (1 + 0.4 * saturation)
    mean = grey.mean((1, 2), keepdim=True)
    coloured = mean + (coloured - mean) * (1 + 0.3 * contrast) + 0.15 * brightness
    pictures = torch.where(uniform((count, 1, 1, 1)) < 0.8, coloured, pictures).clamp(0, 1)
    return normalise(pictures).contiguous(), masks.contiguous(), pool["sure"][index]


def write_sheet(path, scenes):
    """Scenes above their labels, to look at."""
    rows = []
    for start in range(0, len(scenes), 8):
        part = scenes[start : start + 8, ::2, ::2]
        masks = np.concatenate(list(part[..., 3:]), 1)
        rows += [np.concatenate(list(part[..., :3]), 1), np.repeat(masks, 3, 2)]
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])
