"""Do float16 files, which ARM computes in half precision, give the maps there that they give here in single precision?

usage: python tflite/arm/half_precision.py FOLDER FILE.tflite [FILE.tflite ...] --pictures=FOLDER [--count=20]
           [--cpu=cortex-a76] [--csv=tflite/arm/half_precision.csv]

FOLDER is what setup.sh made. Some of the pictures, evenly spread, go through each file here and on the emulated
processor; it fails where the maps differ by more than `sodkeras verify` lets float16. Rows are added to
the table; those of the same network, size and processor are replaced. Emulation takes seconds a picture.
"""

import csv
import os
import pathlib
import subprocess
import tempfile

import numpy as np
from absl import app, flags

from sodkeras.errors import SodkerasError
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.check.agreement import TOLERANCES, agreement

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("pictures", None, "A folder or glob of pictures.", required=True)
flags.DEFINE_integer("count", 20, "How many of them.", lower_bound=1)
flags.DEFINE_string("cpu", "cortex-a76", "The processor that QEMU emulates.")
flags.DEFINE_string("csv", str(HERE / "half_precision.csv"), "The table.")


def emulated(folder, path, inputs):
    """The file's outputs on the emulated processor for float inputs `[N, h, w, 3]`."""
    with tempfile.TemporaryDirectory() as scratch:
        np.save(f"{scratch}/inputs.npy", inputs)
        environment = os.environ | {"CPU": FLAGS.cpu, "INPUTS": f"{scratch}/inputs.npy"}
        command = [HERE / "run.sh", folder, scratch, path]
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
        outputs = pathlib.Path(scratch) / f"{path.stem}.npy"
        if not outputs.exists():
            lines = result.stderr.strip().splitlines() or ["no message"]
            raise SodkerasError(f"The emulated {FLAGS.cpu} did not run {path}. Received: {lines[-1]}")
        return np.load(outputs)[..., 0]


def main(arguments):
    if len(arguments) < 3:
        raise app.UsageError("name what setup.sh made, and at least one .tflite file")
    folder, *paths = (pathlib.Path(argument) for argument in arguments[1:])
    found = find_pictures([FLAGS.pictures])
    chosen = [found[index] for index in np.linspace(0, len(found) - 1, min(FLAGS.count, len(found))).astype(int)]
    table = pathlib.Path(FLAGS.csv)
    rows = {}
    if table.exists():
        with table.open(encoding="utf-8") as file:
            rows = {tuple(row.values())[:3]: row for row in csv.DictReader(file)}
    wrong = False
    for path in paths:
        here = LiteRTRuntime(path, threads=1)
        inputs = np.concatenate([here.preprocessing(read_picture(picture)) for picture in chosen])
        names = [picture.name for picture in chosen]
        there = emulated(folder, path, inputs)
        agreed = agreement(dict(zip(names, here(inputs), strict=True)), dict(zip(names, there, strict=True)))
        problems = agreed.violations(TOLERANCES["float16"])
        wrong |= bool(problems)
        size = "x".join(map(str, here.preprocessing.size))
        row = {"network": here.name, "size": size, "cpu": FLAGS.cpu, "pictures": len(names)}
        row |= {name: f"{value:.3g}" for name, value in agreed.summary().items()}
        rows[tuple(row.values())[:3]] = row
        print(row, *problems, sep="\n", flush=True)
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())
    return int(wrong)


if __name__ == "__main__":
    app.run(main)
