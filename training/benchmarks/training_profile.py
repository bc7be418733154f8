"""Where a training step of CSNet ×1 spends its time, by kind of operator.

usage: python training/benchmarks/training_profile.py [--size=224] [--batch=24]

With batch norm and activation as layers of Keras and as one operation (sodkeras/layers/fused_normalisation.py), with
the batch's statistics and with fixed ones (the trainer's batch_statistics=false); the four take turns. The shares are
of the time that TensorFlow's profiler saw operators run in one step, after two others, all threads together, without
what XLA runs, which it does not see; pictures a second are of the quickest of nine steps without the profiler. Writes
training_profile.csv beside this file; NOTES.md says what was tried with it.
"""

import collections
import csv
import glob
import pathlib
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from sodkeras.layers import fused_normalisation
from sodkeras.models import CSNet
from sodkeras.tflite.timing.benchmark import cpu_model

_SIZE = flags.DEFINE_integer("size", 224, "Height and width.", lower_bound=16)
_BATCH = flags.DEFINE_integer("batch", 24, "Pictures a step.", lower_bound=1)
_CSV = pathlib.Path(__file__).with_suffix(".csv")
# What an operator's name begins with, behind "_MklNative".
_KINDS = {
    "convolution": ("Conv2D",),
    "depthwise convolution": ("DepthwiseConv2d", "SpaceToBatch", "BatchToSpace"),
    "resize and pool": ("Resize", "MaxPool", "AvgPool"),
}
# Batch norm, PReLU, sums of branches and the optimizer are made of these.
_REST = "elementwise and reductions"


def main(_):
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(_BATCH.value, _SIZE.value, _SIZE.value, 3)).astype("float32")
    masks = rng.integers(0, 2, (_BATCH.value, _SIZE.value, _SIZE.value, 1)).astype("float32")
    steps = {
        (statistics, form): training_step(pictures, masks, form == "one operation", statistics == "batch")
        for statistics in ("batch", "fixed")
        for form in ("layers", "one operation")
    }
    seconds = {name: [] for name in steps}
    for _ in range(9):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    rows = []
    for name, step in steps.items():
        milliseconds = profile(step)
        total = sum(milliseconds.values())
        for kind, spent in sorted(milliseconds.items(), key=lambda item: -item[1]):
            row = {
                "network": "CSNet x1",
                "size": f"{_SIZE.value}x{_SIZE.value}",
                "batch": _BATCH.value,
                "statistics": name[0],
                "normalisation": name[1],
                "pictures_per_second": f"{_BATCH.value / min(seconds[name]):.1f}",
                "operators": kind,
                "milliseconds": round(spent),
                "share": round(spent / total, 3),
                "cpu": cpu_model(),
                "tensorflow": tf.__version__,
            }
            print(
                f"{name[0]:<6} {name[1]:<15} {row['pictures_per_second']:>6} pictures/s  {kind:<28} "
                f"{row['milliseconds']:>7} ms {row['share']:>6.1%}"
            )
            rows.append(row)
    with _CSV.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def training_step(pictures, masks, fuse, batch_statistics):
    """A function that trains on the batch once; it has been called twice."""
    model = CSNet(width=1)
    model.batch_statistics = batch_statistics
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    can_fuse = fused_normalisation.can_fuse
    fused_normalisation.can_fuse = lambda *inputs: fuse and can_fuse(*inputs)
    try:  # the step is traced in these
        for _ in range(2):
            model.train_on_batch(pictures, masks)
    finally:
        fused_normalisation.can_fuse = can_fuse
    return lambda: model.train_on_batch(pictures, masks)


def profile(step):
    """Milliseconds of each kind of operator in a step."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            step()
        space = xplane_pb2.XSpace()
        space.ParseFromString(pathlib.Path(glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)[0]).read_bytes())
    milliseconds = collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            node, _, operator = name.rpartition(":")
            # SCOPE/NODE:OPERATOR; events without a scope are the executor's own and have operators inside them.
            if "/" in node and not operator.startswith("_" * 2):
                milliseconds[_kind(operator.removeprefix("_MklNative"))] += event.duration_ps / 1e9
    return milliseconds


def _kind(operator):
    return next((kind for kind, beginnings in _KINDS.items() if operator.startswith(beginnings)), _REST)


if __name__ == "__main__":
    app.run(main)
