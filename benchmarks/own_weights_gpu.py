"""Trains small networks on one GPU, in minutes: scenes made on it, and U²-Net that labels them there.

usage: python benchmarks/own_weights_gpu.py --pack=FILE --out=FOLDER [--seconds=480]
           [--students=NAME:START:FACTOR:SHARE,...]

FILE is what own_weights_pack.py made. Needs PyTorch beside Keras; TensorFlow is not needed. NOTES.md says what its runs
gave.

1. U²-Net labels the packed pictures, each as it is and mirrored; masks by hand stay.
2. Scenes are made (scenes_on_gpu.py); COCO128's crowded photos count --crowded times. U²-Net labels them in bfloat16;
   those cut from pictures with a mask by hand that got no object keep that.
3. Each student is the preset START, a CSNet, with FACTOR times the channels, computing the same to begin with; or START
   is a .keras file of a network of any kind with random weights, for pictures of any size, and FACTOR 1: a DNL without
   modules, which `sodkeras train` gives it afterwards (`--set=arguments=…`). It sees parts of photos and
   of scenes, in other colours, and learns by BCE + IoU, each weighing as much as its label is sure. Students take
   turns, each for its SHARE of the time. In the first half of it they see smaller pictures; in the other batch norms
   keep their statistics. In both the learning rate follows the clock, up for a while, then down along a cosine to 0.
4. NAME.keras is a student, check.npz has logits in float32 for own_weights_check.py, log.csv the losses, history.json
   what package_weights.py says of the training, profile.txt the kernels that a step of the first student spends its
   time in.

A student's step (a CSNet's is csnet_on_gpu.py) is a CUDA graph: its thousand small kernels are launched as one.
"""

import csv
import json
import multiprocessing
import os
import pathlib
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from absl import app, flags
from csnet_on_gpu import forward, loss, warm_up
from scenes_on_gpu import DEVICE, label_pictures, make_pool, read_pack, training_batch, write_sheet
from torch.profiler import ProfilerActivity, profile

from sodkeras.models import CSNet
from sodkeras.pruning import re_estimate_statistics, widen
from sodkeras.weights import load_model, preset, preset_names

_PACK = flags.DEFINE_string("pack", None, "What own_weights_pack.py made.", required=True)
_OUT = flags.DEFINE_string("out", None, "The folder for the weights.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 480, "All in all, but for the last files.", lower_bound=1)
_STUDENTS = flags.DEFINE_list(
    "students",
    ["csnet_l_x1:csnet_l_x1:1:0.4", "csnet_l_x2:csnet_l_x2:1:0.6"],
    "NAME:START:FACTOR:SHARE of each: what it begins as, how many times wider, and its share of the time.",
)
_LABEL_SHARE = flags.DEFINE_float("label_share", 0.22, "Of these, until scenes are labelled.")
_SCENES = flags.DEFINE_integer("scenes", 60_000, "At most.", lower_bound=64)
_CROWDED = flags.DEFINE_integer("crowded", 4, "How many times COCO128's photos count.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 32, "Pictures a step.")

# Sides of the students' pictures in the two halves of their time.
_SIZES = (160, 224)
# The highest learning rates there, and the batches that the statistics of the second half are of.
_RATES, _STATISTICS = (4e-3, 1e-3), 16


class Student:
    """A network in training.

    In the first half of its time batch norms use the batch's statistics, in the other those of many batches, which stay
    as they are: so it is trained as it will be used.

    Args:
        name: of its file.
        start: what it begins as, for its model card.
        model: a `SaliencyModel` with one output.
        share: of the students' time.
    """

    def __init__(self, name, start, model, share):
        self.name, self.start, self.model, self.share = name, start, model, share
        self.used, self.steps, self.log = 0.0, 0, []
        self._graphs, self._half = [], 0
        self._all = [variable.value for variable in model.weights]
        self._rate = torch.tensor(0.0, device=DEVICE)
        cuda = {"capturable": True, "fused": True} if DEVICE == "cuda" else {}
        learned = [variable.value for variable in model.trainable_variables]
        self._optimizer = torch.optim.Adam(learned, lr=self._rate, betas=(0.9, 0.99), eps=1e-8, **cuda)
        self._loss_sum = torch.zeros((), device=DEVICE)

    def _restart(self):
        """The optimizer forgets."""
        with torch.no_grad():
            for memory in self._optimizer.state.values():
                for value in memory.values():
                    value.zero_()
            self._loss_sum.zero_()

    def _step(self, pool, half):
        self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            x, y, sure = training_batch(pool, _BATCH.value, _SIZES[half])
        if isinstance(self.model, CSNet):
            logits = forward(self.model, x, training=half == 0)
        else:
            logits = self.model(x, training=half == 0)["saliency_logits"]
        value = loss(logits, y, sure)
        value.backward()
        self._optimizer.step()
        with torch.no_grad():
            self._loss_sum.add_(value)

    def prepare(self, pool, half, memory=None):
        """Captures the step of a half, the first one first; weights stay as they were. Returns pictures a second."""
        before = [value.detach().clone() for value in self._all]
        self._rate.fill_(0.0)
        if DEVICE == "cuda":
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(2):
                    self._step(pool, half)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=memory):
                self._step(pool, half)
            self._graphs.append(graph.replay)
        else:
            self._step(pool, half)
            self._graphs.append(lambda: self._step(pool, half))
        speed = self.speed(half)
        with torch.no_grad():
            torch._foreach_copy_(self._all, before)
        self._restart()
        return speed

    def speed(self, half, steps=6):
        """Pictures a second."""
        self._graphs[half]()
        synchronise()
        begin = time.monotonic()
        for _ in range(steps):
            self._graphs[half]()
        synchronise()
        return steps * _BATCH.value / (time.monotonic() - begin)

    def train(self, steps, progress, pool):
        """Some steps, as this progress asks for, in [0, 1]."""
        begin = time.monotonic()
        half = min(int(2 * progress), 1)
        if half > self._half:
            batches = (training_batch(pool, 4 * _BATCH.value, _SIZES[1])[0] for _ in range(_STATISTICS))
            with torch.no_grad():
                re_estimate_statistics(self.model, batches)
            self._restart()
            self._half = half
        done = min(2 * progress - half, 1.0)
        self._rate.fill_(_RATES[half] * min(1.0, done / 0.04) * 0.5 * (1 + np.cos(np.pi * done)))
        for _ in range(steps):
            self._graphs[half]()
        self.steps += steps
        value = self._loss_sum.item() / steps
        self._loss_sum.zero_()
        if not np.isfinite(value):
            raise FloatingPointError(f"{self.name} is lost at step {self.steps}")
        self.log.append((self.steps, _SIZES[half], value))
        self.used += time.monotonic() - begin


def synchronise():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


# The run


def compile_kernels(students):
    """For a process beside the run, which finds them in Triton's cache then."""
    for _, start, factor, _ in students:
        model = begun(start, float(factor))
        if isinstance(model, CSNet):
            warm_up(model)


def begun(start, factor):
    """The network that a student begins as."""
    model = load_model(start)
    if isinstance(model, CSNet):
        return widen(model, factor)[0]
    if factor != 1:
        raise app.UsageError(f"Only a CSNet is made wider; give FACTOR as 1. Received: {start}:{factor}")
    return model


def began_as(start, factor):
    if start not in preset_names():
        return "random weights"
    return f"{start} ({preset(start)['sha256'][:8]}){', wider' if factor > 1 else ''}"


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

    say(torch.cuda.get_device_name() if DEVICE == "cuda" else "no GPU")
    wanted = [student.split(":") for student in _STUDENTS.value]
    compiling = multiprocessing.get_context("spawn").Process(target=compile_kernels, args=(wanted,))
    compiling.start()
    pictures, masks, by_hand, crowded, teacher = read_pack(_PACK.value)
    say(f"{len(pictures)} pictures are unpacked")
    students = [
        Student(name, began_as(start, float(factor)), begun(start, float(factor)), float(share))
        for name, start, factor, share in wanted
    ]
    for student in students:
        say(f"{student.name} has {student.model.count_params()} parameters")

    sources = label_pictures(pictures, masks, by_hand, crowded, teacher, _CROWDED.value)
    say(f"pictures are labelled; {len(sources['sure'])} objects can be pasted")
    pool = make_pool(sources, teacher, _SCENES.value, begin + _LABEL_SHARE.value * _SECONDS.value)
    say(f"{pool['scenes']} scenes are labelled, the mean weight of all is {pool['sure'].mean().item():.3f}")
    write_sheet(out / "scenes.jpg", pool["pictures"][-32:].cpu().numpy())
    labelled_by = teacher.name
    del teacher, sources

    compiling.join()
    if compiling.exitcode:
        raise RuntimeError(f"compiling the kernels failed. Received: exit code {compiling.exitcode}")
    say("kernels are compiled")
    memory = torch.cuda.graph_pool_handle() if DEVICE == "cuda" else None
    for student in students:
        for half, size in enumerate(_SIZES):
            say(f"{student.name} is ready at {size}×{size}: {student.prepare(pool, half, memory):.0f} pictures/s")
    write_profile(out / "profile.txt", students[0])
    run(students, pool, out, begin + _SECONDS.value, say)
    write_log(out / "log.csv", students)
    write_history(out / "history.json", students, {"count": pool["scenes"], "teacher": labelled_by})
    say("done")


def write_profile(path, student):
    """The kernels of two steps of the second half, the longest first."""
    with profile(activities=[ProfilerActivity.CUDA if DEVICE == "cuda" else ProfilerActivity.CPU]) as profiled:
        student.speed(1, steps=1)
    table = profiled.key_averages().table(sort_by=f"self_{DEVICE}_time_total", row_limit=40)
    path.write_text(table, encoding="utf-8")


def run(students, pool, out, end, say):
    """Lets the students take turns until the time is over."""
    total = end - time.monotonic()
    saved = time.monotonic()
    while time.monotonic() < end:
        student = min(students, key=lambda one: one.used / one.share)
        student.train(20, student.used / (student.share * total), pool)
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
    facts = {
        student.name: {
            "command": f"python benchmarks/own_weights_gpu.py --pack=FILE --out=FOLDER --seconds={_SECONDS.value:g} "
            f"--students={','.join(_STUDENTS.value)}",
            "start": student.start,
            "scenes": scenes,
            "epochs": {f"steps of {_BATCH.value} on a GPU": student.steps},
            "minutes": {"on a GPU": round(student.used / 60, 1)},
            "hardware": torch.cuda.get_device_name() if DEVICE == "cuda" else "a CPU",
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
        logits[name] = keras.ops.convert_to_numpy(model(torch.as_tensor(x, device=DEVICE))["saliency_logits"])
    np.savez_compressed(path, x=x, **logits)


if __name__ == "__main__":
    app.run(main)
