"""Accuracy against latency and size for every network and numerics whose accuracy was measured: a table and a plot.

usage: python tflite/benchmarks/accuracy_latency.py [NAME=FILE.tflite ...] [--rounds=30]

Accuracy is read from pascal_s*.csv here and training/weights/scores.csv (maxF on 195 pictures of PASCAL-S). With files,
they are timed first, one thread, taking turns in one run, so that a change of the machine's speed meets all; that
writes latency.csv, beside this file. NAME is the network as the plot writes it: "CSNet-L ×1" for the authors',
"u2netp", "csnet_l_x1" and so on for what is in the package; the numerics are in the file. Without files only the plot,
accuracy_latency.png, is drawn anew. The processor's time is what is drawn: where a machine does other work, the clock's
is not the network's.
"""

import csv
import pathlib
import re
import time

import numpy as np
from absl import app, flags

from sodkeras.errors import SodkerasError
from sodkeras.tflite.numerics import resolve

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 30, "Measured rounds.", lower_bound=1)
flags.DEFINE_string("picture", str(HERE.parent.parent / "examples/astronaut.jpg"), "What the files are timed on.")
flags.DEFINE_string("latency", str(HERE / "latency.csv"), "The table of times.")
flags.DEFINE_string("plot", str(HERE / "accuracy_latency.png"), "The picture to draw.")
#: A table of accuracy, how one of its columns names network and numerics, and what the plot calls it.
SOURCES = {
    "pascal_s.csv": ("method", r"LiteRT (?P<numerics>\S+)", "u2netp"),
    "pascal_s_csnet_l.csv": ("method", r"(?P<width>×\d), (?P<numerics>\S+)", "CSNet-L {width}"),
    "../../training/weights/scores.csv": ("model", r"(?P<name>\w+)_(?P<numerics>float16|int8)", "{name}"),
}


def measure(named_files, rounds, picture):
    """A row for each file: its times, and what they were measured with."""
    from sodkeras.pictures import read_picture
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.timing.benchmark import cpu_model, system

    runtimes = {(name, path): LiteRTRuntime(path, threads=1) for name, path in named_files}
    batches = {key: runtime.preprocessing(read_picture(picture)) for key, runtime in runtimes.items()}
    times = {key: [] for key in runtimes}
    for turn in range(rounds + 2):
        for key, runtime in runtimes.items():
            clock, processor = time.perf_counter(), time.process_time()
            runtime(batches[key])
            if turn >= 2:
                times[key].append((1e3 * (time.perf_counter() - clock), 1e3 * (time.process_time() - processor)))
    rows = []
    for (name, path), runtime in runtimes.items():
        median, processor_median = np.median(times[name, path], axis=0)
        rows.append(
            {
                "network": name,
                "numerics": runtime.numerics,
                "size": "x".join(map(str, runtime.preprocessing.size)),
                "megabytes": round(pathlib.Path(path).stat().st_size / 1e6, 3),
                "median_ms": round(float(median), 2),
                "processor_median_ms": round(float(processor_median), 2),
                "rounds": rounds,
                "threads": 1,
                "cpu": cpu_model(),
                "system": system(),
            }
        )
        print(rows[-1], flush=True)
    return rows


def read_accuracy(folder):
    """(network, numerics) to maxF, from the tables in `SOURCES`."""
    scores = {}
    for name, (column, pattern, network) in SOURCES.items():
        with (folder / name).open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                method = re.fullmatch(pattern, row[column])
                if method and row.get("set", "PASCAL-S") == "PASCAL-S":
                    numerics = resolve([method["numerics"]])[0]
                    scores[network.format(**method.groupdict()), numerics] = float(row["max_f"])
    return scores


def join(latencies, scores):
    """The rows of latency that have a score, with it under "max_f".

    Raises:
        SodkerasError: if there is none, as when the names differ.
    """
    joined = []
    for row in latencies:
        score = scores.get((row["network"], row["numerics"]))
        if score is not None:
            joined.append(row | {"max_f": score})
    if not joined:
        names = ", ".join(sorted({network for network, _ in scores}))
        raise SodkerasError(
            f"No file that was timed has a score; the networks that have one are {names}. Received: none"
        )
    return joined


def draw(rows, path):
    """Two panels: maxF over milliseconds and over megabytes; a network's numerics are joined by a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    markers = {"float32": "o", "float16": "D", "dynamic_wi8_afp32": "^", "static_wi8_ai8": "s"}
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
    for panel, (column, label) in zip(
        panels, {"processor_median_ms": "ms of the processor, one thread", "megabytes": "MB"}.items(), strict=True
    ):
        for color, network in enumerate(networks):
            mine = sorted(
                (float(row[column]), row["max_f"], row["numerics"]) for row in rows if row["network"] == network
            )
            panel.plot(*list(zip(*mine, strict=True))[:2], color=f"C{color}", linewidth=0.8, alpha=0.6)
            for value, score, numerics in mine:
                panel.plot(value, score, markers.get(numerics, "x"), color=f"C{color}", markersize=8)
        panel.set_xscale("log")
        panel.set_xlabel(label)
        panel.grid(alpha=0.3, which="both")
        panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter("")
    panels[0].set_ylabel("maxF, PASCAL-S (195 pictures)")
    handles = [pyplot.Line2D([], [], color=f"C{color}", label=network) for color, network in enumerate(networks)]
    for numerics in dict.fromkeys(row["numerics"] for row in rows):
        marker = markers.get(numerics, "x")
        handles.append(pyplot.Line2D([], [], color="grey", marker=marker, linestyle="", label=numerics))
    panels[1].legend(handles=handles, fontsize=8)
    figure.suptitle(f"{rows[0]['cpu']}, all in one run", fontsize=9)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main(arguments):
    table = pathlib.Path(FLAGS.latency)
    if arguments[1:]:
        named = [argument.rpartition("=")[::2] for argument in arguments[1:]]
        rows = measure(named, FLAGS.rounds, FLAGS.picture)
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    with table.open(encoding="utf-8") as file:
        latencies = list(csv.DictReader(file))
    draw(join(latencies, read_accuracy(HERE)), FLAGS.plot)
    print(FLAGS.plot)


if __name__ == "__main__":
    app.run(main)
