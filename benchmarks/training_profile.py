"""Where a training step of CSNet ×1 spends its time, by kind of operator, with Keras's batch norm and with ours.

usage: python benchmarks/training_profile.py [--size=224] [--batch=24] [--steps=3]

Both networks start from the same weights and see the same pictures in one process. CPU seconds are of all threads,
which other programs disturb less than the clock's; the shares are of the time that TensorFlow's profiler saw operators
run in one further step. Writes training_profile.csv beside this file.
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

from sodkeras.layers import BatchNormalization
from sodkeras.models import CSNet
from sodkeras.tflite.benchmark import cpu_model

_SIZE = flags.DEFINE_integer("size", 224, "Height and width.", lower_bound=16)
_BATCH = flags.DEFINE_integer("batch", 24, "Pictures a step.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 3, "Steps that are timed.", lower_bound=1)
_CSV = pathlib.Path(__file__).with_suffix(".csv")
# What an operator's name begins with, behind "_MklNative"; the rest is counted as elementwise and reductions, of which
# batch norm, PReLU and the sums of branches are made.
_KINDS = {
    "convolution": ("Conv2D",),
    "depthwise convolution": ("DepthwiseConv2d", "SpaceToBatch", "BatchToSpace"),
    "fused batch norm": ("FusedBatchNorm",),
    "resize and pool": ("Resize", "MaxPool", "AvgPool"),
}


def main(_):
    rows = []
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(_BATCH.value, _SIZE.value, _SIZE.value, 3)).astype("float32")
    masks = rng.integers(0, 2, (_BATCH.value, _SIZE.value, _SIZE.value, 1)).astype("float32")
    fused = BatchNormalization.call
    for name, call in (("Keras", keras.layers.BatchNormalization.call), ("sodkeras", fused)):
        BatchNormalization.call = call
        keras.utils.set_random_seed(0)
        model = CSNet(width=1)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
        losses = [float(model.train_on_batch(pictures, masks)) for _ in range(2)]
        clock, cpu = time.perf_counter(), time.process_time()
        for _ in range(_STEPS.value):
            model.train_on_batch(pictures, masks)
        seen = _STEPS.value * _BATCH.value
        row = {
            "batch_norm": name,
            "size": f"{_SIZE.value}x{_SIZE.value}",
            "batch": _BATCH.value,
            "pictures_per_second": round(seen / (time.perf_counter() - clock), 2),
            "pictures_per_cpu_second": round(seen / (time.process_time() - cpu), 2),
            "second_loss": round(losses[1], 5),
        }
        row |= profile(lambda model=model: model.train_on_batch(pictures, masks))
        rows.append(row | {"cpu": cpu_model(), "tensorflow": tf.__version__})
        print("  ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
    BatchNormalization.call = fused
    with _CSV.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def profile(step):
    """The share of each kind of operator in a step's operator time."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            step()
        space = xplane_pb2.XSpace()
        space.ParseFromString(pathlib.Path(glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)[0]).read_bytes())
    seconds = collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            _, colon, operator = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if colon and "/" not in operator:
                seconds[_kind(operator.removeprefix("_MklNative"))] += event.duration_ps
    total = sum(seconds.values())
    return {f"{kind} share": round(seconds[kind] / total, 3) for kind in [*_KINDS, "elementwise and reductions"]}


def _kind(operator):
    for kind, beginnings in _KINDS.items():
        if operator.startswith(beginnings):
            return kind
    return "elementwise and reductions"


if __name__ == "__main__":
    app.run(main)
