"""How many pictures a second one `Predictor` finds the object in, called by several threads.

usage: python tflite/benchmarks/threads.py [--model=u2netp_int8] [--pictures=48] [--csv=tflite/benchmarks/threads.csv]

Each thread has an interpreter of its own, of one CPU thread; what all find is compared with one after the other, to the
bit. In one run, each count of threads three times by turns; the best is told.
"""

import concurrent.futures
import csv
import pathlib
import time

import numpy as np
from absl import app, flags

from sodkeras import Predictor
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.tflite.timing.benchmark import cpu_model

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("model", "u2netp_int8", "A preset or a .tflite file.")
flags.DEFINE_integer("pictures", 48, "How many, the examples again and again.", lower_bound=1)
flags.DEFINE_string("csv", str(HERE / "threads.csv"), "The table to write.")
_COUNTS = (1, 2, 4)


def main(_):
    predictor = Predictor(FLAGS.model, threads=1)
    photos = [read_picture(path) for path in find_pictures([HERE.parent.parent / "examples"])]
    photos = [photos[index % len(photos)] for index in range(FLAGS.pictures)]
    expected = [predictor(photo) for photo in photos]
    best = dict.fromkeys(_COUNTS, 0.0)
    for _ in range(3):
        for count in _COUNTS:
            with concurrent.futures.ThreadPoolExecutor(count) as executor:
                list(executor.map(predictor, photos[: 2 * count]))  # each thread opens its interpreter
                start = time.perf_counter()
                found = list(executor.map(predictor, photos))
                best[count] = max(best[count], len(photos) / (time.perf_counter() - start))
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    with open(FLAGS.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "threads", "pictures_per_second", "ratio_to_one", "cpu"])
        for count, rate in best.items():
            writer.writerow([FLAGS.model, count, f"{rate:.1f}", f"{rate / best[1]:.2f}", cpu_model()])
    print(pathlib.Path(FLAGS.csv).read_text(encoding="utf-8"))


if __name__ == "__main__":
    app.run(main)
