"""Trains wider copies of a CSNet on one GPU, in minutes: scenes made on it, and U²-Net that labels them there.

usage: python benchmarks/own_weights_gpu.py --pack=FILE --out=FOLDER [--seconds=480]
           [--students=NAME:FACTOR:SHARE,...] [--start=csnet_l_x1]

FILE is what own_weights_pack.py made. Needs PyTorch beside Keras; TensorFlow is not needed. NOTES.md says what its runs
gave.

1. U²-Net labels the packed pictures, each as it is and mirrored; masks by hand stay.
2. Scenes are made as `sodkeras.data.scenes` makes them on a CPU: a part of a picture, and 0 to 3 objects of sure
   pictures pasted in; COCO128's crowded photos count --crowded times. U²-Net labels them in bfloat16; those cut from
   pictures with a mask by hand that got no object keep that.
3. Each student is --start with FACTOR times the channels, computing the same to begin with. It sees parts of scenes, in
   other colours, and learns by BCE + IoU, a scene weighing as much as its label is sure. Students take turns, each for
   its SHARE of the time, and the learning rate follows the clock: up for a fiftieth of a student's time, then down
   along a cosine to 0. The first half of it they see smaller pictures.
4. NAME.keras is a student, check.npz has logits in float32 for own_weights_check.py, log.csv the losses, history.json
   what package_weights.py says of the training, profile.txt the kernels that a step of the first student spends its
   time in.

What comes of it has seen parts of scenes and their statistics, not photos as they are used: own_weights.py --start=FILE
--wide=0 ends the training on these.

A student's step (csnet_on_gpu.py) is a CUDA graph: its thousand small kernels are launched as one.
"""

import concurrent.futures
import csv
import io
import json
import multiprocessing
import os
import pathlib
import time
import zlib

os.environ["KERAS_BACKEND"] = "torch"

import cv2
import keras
import numpy as np
import torch
from absl import app, flags
from csnet_on_gpu import forward, loss, warm_up
from torch.profiler import ProfilerActivity, profile

from sodkeras import models
from sodkeras.layers import ConvUnit
from sodkeras.preprocessing import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION
from sodkeras.pruning import widen
from sodkeras.weights import load_model, preset

_PACK = flags.DEFINE_string("pack", None, "What own_weights_pack.py made.", required=True)
_OUT = flags.DEFINE_string("out", None, "The folder for the weights.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 480, "All in all, but for the last files.", lower_bound=1)
_STUDENTS = flags.DEFINE_list(
    "students", ["csnet_l_x1:1.4:0.4", "csnet_l_x2:2:0.6"], "NAME:FACTOR:SHARE of each: its channels, and its time."
)
_START = flags.DEFINE_string("start", "csnet_l_x1", "The preset that students begin as.")
_RATE = flags.DEFINE_float("rate", 4e-3, "The highest learning rate.", lower_bound=0)
_LABEL_SHARE = flags.DEFINE_float("label_share", 0.22, "Of these, until scenes are labelled.")
_SCENES = flags.DEFINE_integer("scenes", 60_000, "At most.", lower_bound=64)
_CROWDED = flags.DEFINE_integer("crowded", 4, "How many times COCO128's photos count.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 32, "Pictures a step.")
_SIZES = flags.DEFINE_list("sizes", ["160", "224"], "Sides of the students' pictures, of the first half and the other.")

_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
_CANVAS = 320  # of packed pictures, and what U²-Net sees
_STORED = 288  # of scenes that wait for the students
_LABELLED = 64  # at a time
# Probabilities of 0, 1, 2 and 3 pasted objects.
_OBJECTS = (0.4, 0.3, 0.2, 0.1)


# Pictures


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
        _CONSTANTS[values] = torch.tensor(values, device=_DEVICE)
    return _CONSTANTS[values]


@torch.no_grad()
def label(teacher, pictures):
    """The teacher's maps in [0, 1], `[B, 320, 320]`, of pictures `[B, 320, 320, 3]` of 0 to 255."""
    x = pictures.float()
    x = normalise(x / x.amax((1, 2, 3), keepdim=True).clamp(min=1)).contiguous()
    with torch.autocast(_DEVICE, torch.bfloat16, enabled=_DEVICE == "cuda"):
        logits = next(iter(teacher(x, training=False).values()))
    return torch.sigmoid(logits.float())[..., 0]


def certainty(masks):
    """As `sodkeras.data.pseudo_labels.certainty`, of `[B, H, W]` in [0, 1]."""
    area = masks.sum((1, 2))
    doubtful = torch.minimum(masks, 1 - masks).sum((1, 2))
    return torch.where(area < 1e-3 * masks[0].numel(), 0.0, 1 - doubtful / area.clamp(min=1e-3))


def uniform(shape, low=0.0, high=1.0):
    return torch.rand(shape, device=_DEVICE) * (high - low) + low


def resampling(start, length, size, target, first=None, last=None, mirrored=None):
    """Matrices `[B, target, size]` that resample one axis, from `length` pixels behind `start`, each `[B]`.

    Bilinear, smoothed where it shrinks. Outside `first` to `last` they are 0; where `mirrored`, turned round.
    """
    scale = (length / target)[:, None]
    steps = torch.arange(target, device=_DEVICE) + 0.5
    if mirrored is not None:
        steps = torch.where(mirrored[:, None], target - steps, steps)
    centres = start[:, None] + steps * scale
    sources = torch.arange(size, device=_DEVICE) + 0.5
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
    index = torch.multinomial(sources["shares"], count, replacement=True)
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
    index = sources["sure"][torch.randint(len(sources["sure"]), (count,), device=_DEVICE)]
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
    whole = torch.full((count,), float(_CANVAS), device=_DEVICE)
    smaller = resampling(torch.zeros_like(whole), whole, _CANVAS, _STORED)
    stacked = resample(torch.cat([pictures, masks[..., None] * 255], -1), smaller, smaller)
    return stacked.clamp(0, 255).round().to(torch.uint8), sure


def training_batch(pool, count, size):
    """Normalised pictures `[B, size, size, 3]`, masks `[B, size, size, 1]` and weights `[B]` from the pool."""
    index = torch.randint(len(pool["scenes"]), (count,), device=_DEVICE)
    # A part, of other proportions in one case of two.
    side = _STORED * uniform(count, 0.7)
    changed = uniform(count) < 0.5
    sides = [side * torch.where(changed, uniform(count, 0.85), 1.0) for _ in range(2)]
    rows, columns = (
        resampling(uniform(count) * (_STORED - side), side, _STORED, size, mirrored=mirrored)
        for side, mirrored in zip(sides, (None, uniform(count) < 0.5), strict=True)
    )
    parts = resample(pool["scenes"][index].float(), rows, columns) / 255
    pictures, masks = parts[..., :3], parts[..., 3:].clamp(0, 1)
    brightness, contrast, saturation = (uniform((count, 1, 1, 1), -1.0) for _ in range(3))
    grey = (pictures * _constant((0.299, 0.587, 0.114))).sum(-1, keepdim=True)
    coloured = grey + (pictures - grey) * (1 + 0.4 * saturation)
    mean = grey.mean((1, 2), keepdim=True)
    coloured = mean + (coloured - mean) * (1 + 0.3 * contrast) + 0.15 * brightness
    pictures = torch.where(uniform((count, 1, 1, 1)) < 0.8, coloured, pictures).clamp(0, 1)
    return normalise(pictures).contiguous(), masks.contiguous(), pool["sure"][index]


# Students


class Student:
    """A network in training.

    Args:
        name: of its file.
        model: a `CSNet`.
        share: of the students' time.
    """

    def __init__(self, name, model, share):
        self.name, self.model, self.share = name, model, share
        self.used, self.steps, self.log = 0.0, 0, []
        self._graphs = {}
        self._all = [variable.value for variable in model.weights]
        self._rate = torch.tensor(0.0, device=_DEVICE)
        cuda = {"capturable": True, "fused": True} if _DEVICE == "cuda" else {}
        learned = [variable.value for variable in model.trainable_variables]
        self._optimizer = torch.optim.Adam(learned, lr=self._rate, betas=(0.9, 0.99), eps=1e-8, **cuda)
        self._loss_sum = torch.zeros((), device=_DEVICE)

    def restart(self):
        """The optimizer forgets."""
        with torch.no_grad():
            for memory in self._optimizer.state.values():
                for value in memory.values():
                    value.zero_()
            self._loss_sum.zero_()

    def _step(self, pool, size):
        self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            x, y, sure = training_batch(pool, _BATCH.value, size)
        value = loss(forward(self.model, x), y, sure)
        value.backward()
        self._optimizer.step()
        with torch.no_grad():
            self._loss_sum.add_(value)

    def prepare(self, pool, size, memory=None):
        """Captures the step for pictures of this size; its weights stay as they were."""
        before = [value.detach().clone() for value in self._all]
        self._rate.fill_(0.0)
        if _DEVICE == "cuda":
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(2):
                    self._step(pool, size)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=memory):
                self._step(pool, size)
            self._graphs[size] = graph.replay
        else:
            self._step(pool, size)
            self._graphs[size] = lambda: self._step(pool, size)
        with torch.no_grad():
            torch._foreach_copy_(self._all, before)
        self.restart()

    def forget(self):
        """Gives the memory of captured steps back."""
        self._graphs.clear()
        if _DEVICE == "cuda":
            torch.cuda.empty_cache()

    def speed(self, size, steps=6):
        """Pictures a second."""
        self._graphs[size]()
        synchronise()
        begin = time.monotonic()
        for _ in range(steps):
            self._graphs[size]()
        synchronise()
        return steps * _BATCH.value / (time.monotonic() - begin)

    def train(self, steps, progress):
        """Some steps at the rate and the size for this progress, in [0, 1]."""
        begin = time.monotonic()
        sizes = sorted(self._graphs)
        size = sizes[min(int(progress * len(sizes)), len(sizes) - 1)]
        self._rate.fill_(_RATE.value * min(1.0, progress / 0.02) * 0.5 * (1 + np.cos(np.pi * min(progress, 1.0))))
        for _ in range(steps):
            self._graphs[size]()
        self.steps += steps
        loss = self._loss_sum.item() / steps
        self._loss_sum.zero_()
        if not np.isfinite(loss):
            raise FloatingPointError(f"{self.name} is lost at step {self.steps}")
        self.log.append((self.steps, size, loss))
        self.used += time.monotonic() - begin


def synchronise():
    if _DEVICE == "cuda":
        torch.cuda.synchronize()


# The run


def compile_kernels(start, factors):
    """For a process beside the run, which finds them in Triton's cache then."""
    for factor in factors:
        warm_up(widen(load_model(start), factor)[0])


def main(_):
    begin = time.monotonic()
    out = pathlib.Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)

    def say(text):
        print(f"{time.monotonic() - begin:6.1f} s  {text}", flush=True)

    say(torch.cuda.get_device_name() if _DEVICE == "cuda" else "no GPU")
    wanted = [student.split(":") for student in _STUDENTS.value]
    factors = [float(factor) for _, factor, _ in wanted]
    compiling = multiprocessing.get_context("spawn").Process(target=compile_kernels, args=(_START.value, factors))
    compiling.start()
    pictures, masks, by_hand, crowded, teacher = read_pack(_PACK.value)
    say(f"{len(pictures)} pictures are unpacked")
    students = [
        Student(name, widen(load_model(_START.value), factor)[0], float(share))
        for (name, _, share), factor in zip(wanted, factors, strict=True)
    ]
    for student in students:
        say(f"{student.name} has {student.model.count_params()} parameters")

    sources = label_pictures(pictures, masks, by_hand, crowded, teacher)
    say(f"pictures are labelled; {len(sources['sure'])} objects can be pasted")
    most = _SCENES.value // _LABELLED * _LABELLED
    scenes = torch.zeros((most, _STORED, _STORED, 4), dtype=torch.uint8, device=_DEVICE)
    sureness = torch.zeros(len(scenes), device=_DEVICE)
    filled = 0
    while filled < len(scenes) and (filled == 0 or time.monotonic() - begin < _LABEL_SHARE.value * _SECONDS.value):
        part = slice(filled, filled + _LABELLED)
        scenes[part], sureness[part] = labelled_scenes(_LABELLED, sources, teacher)
        filled += _LABELLED
        synchronise()
    pool = {"scenes": scenes[:filled], "sure": sureness[:filled]}
    say(f"{filled} scenes are labelled, their mean weight is {pool['sure'].mean().item():.3f}")
    write_sheet(out / "scenes.jpg", pool["scenes"][:32].cpu().numpy())
    del teacher, sources

    compiling.join()
    if compiling.exitcode:
        raise RuntimeError(f"compiling the kernels failed. Received: exit code {compiling.exitcode}")
    say("kernels are compiled")
    memory = torch.cuda.graph_pool_handle() if _DEVICE == "cuda" else None
    sizes = [int(size) for size in _SIZES.value]
    for student in students:
        for size in sizes:
            student.prepare(pool, size, memory)
            say(f"{student.name} is ready at {size}×{size}: {student.speed(size):.0f} pictures/s")
        if student is students[0]:
            write_profile(out / "profile.txt", student, sizes[-1])
        student.restart()
    run(students, out, begin + _SECONDS.value, say)
    write_log(out / "log.csv", students)
    write_history(out / "history.json", students, filled)
    say("done")


def label_pictures(pictures, masks, by_hand, crowded, teacher):
    """What scenes are made of, on the GPU: pictures, masks by hand or of the teacher, boxes, and who may be pasted."""
    pictures, masks, by_hand, crowded = (
        torch.as_tensor(array, device=_DEVICE) for array in (pictures, masks, by_hand, crowded)
    )
    for start in range(0, len(pictures), _LABELLED):
        part = slice(start, start + _LABELLED)
        maps = (label(teacher, pictures[part]) + label(teacher, pictures[part].flip(2)).flip(2)) / 2
        masks[part] = torch.where(by_hand[part, None, None], masks[part], (maps * 255).round().to(torch.uint8))
    sure = torch.where(by_hand, 1.0, torch.cat([certainty(part.float() / 255) for part in masks.split(256)]))
    areas = (masks > 127).float().mean((1, 2))
    return {
        "pictures": pictures,
        "masks": masks,
        "by_hand": by_hand,
        "boxes": torch.as_tensor(boxes(masks.cpu().numpy()), device=_DEVICE),
        "shares": torch.where(crowded, float(_CROWDED.value), 1.0),
        "sure": torch.nonzero((sure >= 0.5) & (areas >= 0.02) & (areas <= 0.6))[:, 0],
    }


def write_profile(path, student, size):
    """The kernels of a step, the longest first."""
    with profile(activities=[ProfilerActivity.CUDA if _DEVICE == "cuda" else ProfilerActivity.CPU]) as profiled:
        student.speed(size, steps=1)
    table = profiled.key_averages().table(sort_by=f"self_{_DEVICE}_time_total", row_limit=40)
    path.write_text(table, encoding="utf-8")


def run(students, out, end, say):
    """Lets the students take turns until the time is over."""
    total = end - time.monotonic()
    saved = time.monotonic()
    while time.monotonic() < end:
        student = min(students, key=lambda one: one.used / one.share)
        student.train(20, student.used / (student.share * total))
        if time.monotonic() - saved > 100:
            save(students, out, say)
            saved = time.monotonic()
    save(students, out, say)
    write_check(out / "check.npz", [student.name for student in students if student.steps])


def save(students, out, say):
    for student in (one for one in students if one.steps):
        student.model.save(out / f"{student.name}.keras")
        rate = student.steps * _BATCH.value / max(student.used, 1e-9)
        recent = np.mean([value for _, _, value in student.log[-20:]])
        say(f"{student.name}: {student.steps} steps, {rate:.0f} pictures/s, loss {recent:.4f}")


def write_log(path, students):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("student", "step", "size", "loss"))
        for student in students:
            writer.writerows((student.name, step, size, f"{loss:.5f}") for step, size, loss in student.log)


def write_history(path, students, scenes):
    begun = f"{_START.value} ({preset(_START.value)['sha256'][:8]}), wider"
    facts = {
        student.name: {
            "command": f"python benchmarks/own_weights_gpu.py --pack=FILE --out=FOLDER --seconds={_SECONDS.value:g} "
            f"--students={','.join(_STUDENTS.value)}",
            "start": begun,
            "scenes": {"count": scenes, "teacher": "u2net"},
            "epochs": {f"steps of {_BATCH.value} scenes on a GPU": student.steps},
            "minutes": {"on a GPU": round(student.used / 60, 1)},
            "hardware": torch.cuda.get_device_name() if _DEVICE == "cuda" else "a CPU",
        }
        for student in students
    }
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")


@torch.no_grad()
def write_check(path, students):
    """Noise of eight pictures' size, and the logits of the saved weights in full float32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    x = np.random.default_rng(0).normal(size=(8, 224, 224, 3)).astype("float32")
    logits = {}
    for name in students:
        model = keras.saving.load_model(path.parent / f"{name}.keras")
        logits[name] = keras.ops.convert_to_numpy(model(torch.as_tensor(x, device=_DEVICE))["saliency_logits"])
    np.savez_compressed(path, x=x, **logits)


def write_sheet(path, scenes):
    """Scenes above their labels, to look at."""
    rows = []
    for start in range(0, len(scenes), 8):
        part = scenes[start : start + 8, ::2, ::2]
        masks = np.concatenate(list(part[..., 3:]), 1)
        rows += [np.concatenate(list(part[..., :3]), 1), np.repeat(masks, 3, 2)]
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


if __name__ == "__main__":
    app.run(main)
