"""The table to choose a network by, of all that was measured of the networks in the package.

usage: python training/weights/table.py

Joins scores.csv (scores.py), tflite/benchmarks/latency.csv (accuracy_latency.py there), tflite/arm/instructions.csv
(`make arm`) and the presets into table.csv, beside this file, a row a file, best on PASCAL-S first. A file that was not
timed, or whose instructions were not counted, has an empty place there; in the row of a network in Keras both are those
of LiteRT in float32.
"""

import csv
import pathlib

from sodkeras.weights import file_names, preset

_HERE = pathlib.Path(__file__).parent
_TFLITE = _HERE.parents[1] / "tflite"
_SETS = {"PASCAL-S": "pascal_s", "ECSSD": "ecssd", "unseen horses": "horses"}
#: How the tables of times and instructions call what a file computes in.
_NUMERICS = {"int8": "static_wi8_ai8", "float16": "float16", "keras": "float32"}


def rows():
    """A dict of columns to texts for each file that was scored."""
    scores = {(row["set"], row["model"]): row for row in _read(_HERE / "scores.csv")}
    times = {
        (row["network"], row["numerics"]): row["processor_median_ms"]
        for row in _read(_TFLITE / "benchmarks/latency.csv")
    }
    counts = {
        (row["network"], row["numerics"]): row["million_instructions_emulated_not_a_time"]
        for row in _read(_TFLITE / "arm/instructions.csv")
        if row["cpu"] == "cortex-a76"
    }
    found = []
    for name in file_names():
        facts = preset(name)
        if ("PASCAL-S", name) not in scores:
            continue
        numerics, network = _NUMERICS[facts["kind"]], facts["name"]
        row = {"network": name}
        for title, column in _SETS.items():
            score = scores.get((title, name), {})
            for key in ("max_f", "max_f_interval", "mae", "mae_interval"):
                row[f"{column}_{key}"] = score.get(key, "")
        row |= {
            "parameters": f"{facts['parameters']:,}",
            "megabytes": f"{facts['bytes'] / 1e6:.2f}",
            "a76_million_instructions": counts.get((name, numerics), counts.get((network, numerics), "")),
            "milliseconds": times.get((network, numerics), ""),
            "licence": facts["licence"],
        }
        found.append(row)
    return sorted(found, key=lambda row: row["pascal_s_max_f"], reverse=True)


def _read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    table = rows()
    with (_HERE / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
