"""The page's maps and milliseconds in Chromium, against LiteRT in Python on the same machine, in one run.

usage: python web_demo/measure.py --models=FOLDER [--photos=examples] [--rounds=10] [--csv=web_demo/results.csv]

Builds the page with the models of FOLDER, which `sodkeras convert` wrote, lets its worker find the salient object in
every photo `rounds` times, and compares the networks' maps with Python's. Both sides use one thread. Needs node, the
page's packages (npm ci) and Chromium.
"""

import csv
import json
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from absl import app, flags
from tabulate import tabulate

from sodkeras.errors import SodkerasError
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.timing.benchmark import cpu_model

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("models", None, "The folder with .tflite files and their .json.", required=True)
flags.DEFINE_string("photos", str(HERE.parent / "examples"), "A folder or glob of photos.")
flags.DEFINE_integer("rounds", 10, "Measured rounds for each photo.", lower_bound=1)
flags.DEFINE_string("csv", str(HERE / "results.csv"), "The table to write.")


def main(_):
    photos = [path.resolve() for path in find_pictures([FLAGS.photos])]
    load = os.getloadavg()[0]  # before the work begins: of others
    with tempfile.TemporaryDirectory() as scratch:
        _node(["build.mjs", f"--models={pathlib.Path(FLAGS.models).resolve()}", f"--out={scratch}/dist"])
        # One round more than is measured: the first warms up.
        job = {
            "dist": f"{scratch}/dist",
            "out": scratch,
            "rounds": FLAGS.rounds + 1,
            "pictures": list(map(str, photos)),
        }
        answer = json.loads(_node(["tests/maps.mjs"], json.dumps(job)))
        for entry in answer["maps"]:
            entry["values"] = np.fromfile(f"{scratch}/{entry['map']}", "<f4").reshape(entry["height"], entry["width"])
    models = dict.fromkeys(entry["model"] for entry in answer["maps"])
    rows = [_row(model, [entry for entry in answer["maps"] if entry["model"] == model]) for model in models]
    for row in rows:
        row |= {"photos": len(photos), "rounds": FLAGS.rounds, "threads": 1, "cpu": cpu_model()}
        row["load_average"] = f"{load:.0f} on {os.cpu_count()} cores"
        row["browser"] = answer["browser"]
    with open(FLAGS.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(tabulate(rows, headers="keys"))


def _node(arguments, text=None):
    try:
        done = subprocess.run(["node", *arguments], cwd=HERE, input=text, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise SodkerasError("Node is not installed; see web_demo/README.md. Received: no command node") from None
    except subprocess.CalledProcessError as error:
        raise SodkerasError(f"{arguments[0]} failed: {error.stderr.strip()} Received: {arguments}") from None
    return done.stdout


def _row(model, entries):
    runtime = LiteRTRuntime(pathlib.Path(FLAGS.models) / pathlib.PurePath(model).name, threads=1)
    differences, differing, pixels, in_python = [], 0, 0, []
    for entry in entries:
        batch = runtime.preprocessing(read_picture(entry["picture"]))
        (expected,) = runtime(batch)
        for _ in range(FLAGS.rounds):
            start = time.perf_counter()
            runtime(batch)
            in_python.append(1e3 * (time.perf_counter() - start))
        differences.append(float(np.abs(entry["values"] - expected).max()))
        differing += int(np.count_nonzero(entry["values"] != expected))
        pixels += expected.size
    in_browser = [times["network"] for entry in entries for times in entry["milliseconds"][1:]]
    around = [times["read"] + times["prepare"] for entry in entries for times in entry["milliseconds"][1:]]
    return {
        "model": pathlib.PurePath(model).stem,
        "browser_median_ms": round(float(np.median(in_browser)), 1),
        "browser_fastest_ms": round(min(in_browser), 1),
        "python_median_ms": round(float(np.median(in_python)), 1),
        "python_fastest_ms": round(min(in_python), 1),
        "ratio_to_python": round(float(np.median(in_browser) / np.median(in_python)), 2),
        "read_and_prepare_median_ms": round(float(np.median(around)), 1),
        "largest_difference": float(f"{max(differences):.3g}"),
        "pixels_that_differ": differing,
        "pixels": pixels,
    }


if __name__ == "__main__":
    app.run(main)
