"""How fast pictures come, and how fast CSNet ×1 trains on them: the first should be three times the second at least.

    python training/benchmarks/data_pipeline.py --data=FOLDER
    python training/benchmarks/data_pipeline.py --data=FOLDER --settings=224x24,320x12 --steps=5

FOLDER holds the data sets, as `sodkeras data` takes them. The pipeline alone, with CSNet's augmentation, is timed
decoding every picture anew, from the cache on disk, and from decoded pictures in memory; training is `fit` fed from
memory, without its first step. A row for each setting, SIZExBATCH, is added to data_pipeline.csv beside this file.

Speeds are pictures a second of the clock, and of CPU time, all threads together: other programs on the machine disturb
the latter less, so the ratios are those of CPU time. The machine's load before the run is in the row.
"""

import csv
import os
import pathlib
import tempfile
import time

import keras
import tensorflow as tf
from absl import app, flags

from sodkeras import Preprocessing
from sodkeras.data import Augmentation, find_pairs
from sodkeras.data.pipeline import TrainingData
from sodkeras.models import CSNet
from sodkeras.tflite.timing.benchmark import cpu_model

_DATA = flags.DEFINE_multi_string("data", None, "Data sets.", required=True)
_SETTINGS = flags.DEFINE_list("settings", ["224x24", "224x8", "128x24", "320x12"], "SIZExBATCH, several.")
_STEPS = flags.DEFINE_integer("steps", 4, "Steps of training that are timed.", lower_bound=1)
_BATCHES = flags.DEFINE_integer("batches", 40, "Batches of the pipeline alone that are timed.", lower_bound=1)
_CSV = pathlib.Path(__file__).with_suffix(".csv")


def main(argv):
    del argv
    pairs = find_pairs(_DATA.value)
    for text in _SETTINGS.value:
        size, batch = map(int, text.split("x"))
        load = os.getloadavg()[0]
        row = {"network": "CSNet x1", "size": f"{size}x{size}", "batch": batch, "pictures": len(pairs)}
        row |= measure(pairs, size, batch)
        row |= {"cpu": cpu_model(), "cores": os.cpu_count(), "load_before": round(load, 1)}
        row |= {"tensorflow": tf.__version__}
        print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        is_new = not _CSV.exists()
        with _CSV.open("a", newline="") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(row)


def measure(pairs, size, batch):
    """Pictures per second of each, and the ratios."""
    augmentation = Augmentation(left_right=0.25, up_down=0.25, one_flip=True, border_crop=15)
    watches = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, cache in (("files", None), ("disk", folder), ("memory", "memory")):
            data = TrainingData(pairs, Preprocessing((size, size)), batch, augmentation, cache=cache)
            batches = iter(data.dataset())
            # Before the clock runs, memory is filled: an epoch or two see every picture.
            for _ in range(2 * data.steps_per_epoch if cache == "memory" else 5):
                next(batches)
            watches[name] = Watch()
            for _ in range(_BATCHES.value):
                next(batches)
            watches[name].stop(batch * _BATCHES.value)
            del batches
    watches["training"] = train(data)
    row = {}
    for name, watch in watches.items():
        row[f"{name}_per_second"] = round(watch.pictures / watch.seconds, 2)
        row[f"{name}_per_cpu_second"] = round(watch.pictures / watch.cpu_seconds, 2)
    for name in ("files", "disk", "memory"):
        ratio = row[f"{name}_per_cpu_second"] / row["training_per_cpu_second"]
        row[f"{name}_to_training"] = round(ratio, 1)
    return row


def train(data):
    """A `Watch` over some steps of training that the pipeline feeds."""
    keras.utils.set_random_seed(0)
    model = CSNet()
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    watch = Watch()

    def begin(step, logs=None):
        if step == 1:  # the first one is traced
            watch.start()

    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_begin=begin)]
    model.fit(data.dataset(), steps_per_epoch=_STEPS.value + 1, shuffle=False, verbose=0, callbacks=callbacks)
    watch.stop(data.batch * _STEPS.value)
    return watch


class Watch:
    """Seconds of the clock and of the process's CPU time."""

    def __init__(self):
        self.start()

    def start(self):
        self._began = time.monotonic(), time.process_time()

    def stop(self, pictures):
        self.pictures = pictures
        self.seconds = time.monotonic() - self._began[0]
        self.cpu_seconds = time.process_time() - self._began[1]


if __name__ == "__main__":
    app.run(main)
