"""sodkeras benchmark: times .tflite files on this machine.

usage: sodkeras benchmark FILE.tflite [FILE.tflite ...] [--flag=value ...]

Preparing the picture, inference, and bringing the map back to the picture's size are timed apart, over warm runs, with
the median and the 90th percentile. It also says how many of the file's operators the CPU's fast path (XNNPACK) took and
in how many pieces: all of them in one piece is what you want. Needs LiteRT only, no TensorFlow.

example:
  sodkeras benchmark phone/*.tflite --threads=1 --csv=benchmarks.csv
"""

import csv
import pathlib

from absl import flags

from sodkeras.errors import SodkerasError, UsageError


def define_flags(flag_values):
    flags.DEFINE_integer("threads", 1, "CPU threads.", lower_bound=1, flag_values=flag_values)
    flags.DEFINE_integer("runs", 20, "Measured runs.", lower_bound=1, flag_values=flag_values)
    flags.DEFINE_integer("warmup", 3, "Runs before them.", lower_bound=0, flag_values=flag_values)
    flags.DEFINE_string(
        "picture", None, "A picture to run on; default 640x480 pixels of noise.", flag_values=flag_values
    )
    flags.DEFINE_string("csv", None, "A file to add a row to for each model.", flag_values=flag_values)


def run(flag_values, arguments):
    import numpy as np
    from tabulate import tabulate

    from sodkeras.pictures import read_picture
    from sodkeras.tflite.benchmark import COLUMNS, benchmark_file

    if not arguments:
        raise UsageError("name at least one .tflite file")
    if flag_values.picture:
        picture = read_picture(flag_values.picture)
    else:
        picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    rows = []
    for path in arguments:
        rows.append(benchmark_file(path, picture, flag_values.threads, flag_values.runs, flag_values.warmup))
        print(f"{path}: {rows[-1]['delegation']}")
    shown = COLUMNS[: COLUMNS.index("operators")]
    print(
        tabulate([[row[name] for name in shown] for row in rows], headers=[name.replace("_", "\n") for name in shown])
    )
    print(f"{rows[0]['cpu']}, {rows[0]['system']}; picture {picture.shape[1]}x{picture.shape[0]}")
    if flag_values.csv:
        _append(pathlib.Path(flag_values.csv), rows, COLUMNS)
    return 0


def _append(path, rows, columns):
    try:
        new = not path.exists() or not path.stat().st_size
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise SodkerasError(f"Cannot write the table ({error.strerror}). Received: {path}") from None
