"""Do .tflite files compute on ARM what they compute here, and in how many instructions?

usage: python tflite/arm/instructions.py FOLDER FILE.tflite [FILE.tflite ...] [--cpus=cortex-a76,cortex-a53]
           [--csv=tflite/arm/instructions.csv]

FOLDER is what setup.sh made. Each file runs here and under emulation (run.sh). Eight bits must agree bit for bit; float
within 1e-5, or, for networks that magnify rounding further (those with random weights do), within four times what a
change in the last digits of the input makes of the result here; float16 within 5e-2, for the A76 computes it in half
precision (half_precision.py says what that does to maps). Else the command fails. The instructions of one
inference are emulated: they are not a time. Rows are added to the table as they are made; those of the same network,
numerics, size and processor are replaced.
"""

import csv
import importlib.metadata
import io
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags
from guest import open_model, run

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes
from sodkeras.runtimes import read_metadata

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_list("cpus", ["cortex-a76", "cortex-a53"], "Processors that QEMU emulates.")
flags.DEFINE_string("csv", str(HERE / "instructions.csv"), "The table.")
#: The largest difference of a value in [0, 1] that the order of float's sums may make.
FLOAT_TOLERANCE = 1e-5
HALF_TOLERANCE = 5e-2


def run_here(path):
    """What the file gives on this machine, and how far a change of the input's last digits moves that."""
    interpreter, values = open_model(path)
    expected = run(interpreter, values)
    if values.dtype != np.float32:
        return expected, 0.0
    moved = run(interpreter, values * np.float32(1 + 2**-20))
    return expected, float(np.abs(moved - expected).max())


def run_emulated(folder, outputs, path, cpu):
    """What the file gives on an emulated processor, and the instructions of one inference."""
    command = [HERE / "run.sh", folder, outputs, path]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CPU": cpu})
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    if len(rows) != 1:
        lines = result.stderr.strip().splitlines() or ["no message"]
        raise SodkerasError(f"The emulated {cpu} did not run {path}. Received: {lines[-1]}")
    return np.load(outputs / f"{path.stem}.npy"), int(rows[0]["instructions_emulated_not_a_time"])


def measure(folder, path, cpu):
    """The row of one file on one processor, and whether its values are as they should be."""
    expected, rounding = run_here(path)
    with tempfile.TemporaryDirectory() as scratch:
        actual, instructions = run_emulated(folder, pathlib.Path(scratch), path, cpu)
    metadata = read_metadata(read_bytes(path), path)
    least = HALF_TOLERANCE if metadata["numerics"] == "float16" else FLOAT_TOLERANCE
    allowed = max(least, 4 * rounding) if expected.dtype == np.float32 else 0
    difference = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    row = {
        "network": path.stem.partition("-")[0],
        "numerics": metadata["numerics"],
        "size": "x".join(str(size) for size in metadata["preprocessing"]["size"]),
        "cpu": cpu,
        "million_instructions_emulated_not_a_time": round(instructions / 1e6, 1),
        "values": expected.size,
        "values_that_differ_from_x86": int(np.count_nonzero(difference)),
        "largest_difference_from_x86": f"{difference.max():.2g}",
        "largest_difference_allowed": f"{allowed:.2g}",
        "litert": importlib.metadata.version("ai-edge-litert"),
    }
    return row, difference.max() <= allowed


def main(arguments):
    if len(arguments) < 3:
        raise app.UsageError("name what setup.sh made, and at least one .tflite file")
    folder, *paths = (pathlib.Path(argument) for argument in arguments[1:])
    table = pathlib.Path(FLAGS.csv)
    rows = {}
    if table.exists():
        with table.open(encoding="utf-8") as file:
            rows = {tuple(row.values())[:4]: row for row in csv.DictReader(file)}
    wrong = []
    for path in paths:
        for cpu in FLAGS.cpus:
            row, right = measure(folder, path, cpu)
            rows[tuple(row.values())[:4]] = row
            print(row, flush=True)
            wrong += [] if right else [f"{path} on {cpu}"]
            with table.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, row, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows.values())
    if wrong:
        print(f"not what x86 computes: {', '.join(wrong)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    app.run(main)
