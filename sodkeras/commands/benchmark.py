"""sodkeras benchmark: times .tflite files on this machine, on a board or on a phone.

usage: sodkeras benchmark FILE.tflite [FILE.tflite ...] [--flag=value ...]
       sodkeras benchmark FILE.tflite [FILE.tflite ...] --adb [--benchmark_model=PATH] [--flag=value ...]

Preparing the picture, inference, and bringing the map back to the picture's size are timed apart, over warm runs, with
the median, the 90th percentile and the least. It also says how many of the file's operators the CPU's fast path
(XNNPACK) took and in how many pieces: all of them in one piece is what you want. --operators adds what operators
take, inside XNNPACK too. A board needs ai-edge-litert, OpenCV and absl-py only, no TensorFlow.

--adb runs LiteRT's own benchmark_model on an Android phone instead, which times inference only. Give your copy of that
program, built for the phone's processor, with --benchmark_model the first time; it stays on the phone.

example:
  sodkeras benchmark phone/*.tflite --threads=1 --csv=benchmarks.csv
  sodkeras benchmark phone/u2netp-320x320-static_wi8_ai8.tflite --operators
  sodkeras benchmark phone/*.tflite --adb --benchmark_model=android_aarch64_benchmark_model
"""

import dataclasses
import json

from sodkeras.errors import UsageError

#: Columns that the CSV file has and the terminal has no room for.
_NOT_SHOWN = ("operators", "delegated", "partitions", "cpu", "system")


def define_flags(options):
    options.whole("threads", 1, "CPU threads.")
    options.whole("runs", 20, "Measured runs.")
    options.whole("warmup", 3, "Runs before them.", least=0)
    options.pictures("Pictures to run on, one after the other; default 640x480 pixels of noise.")
    options.text("csv", None, "A file to add a row to for each model.")
    options.switch("operators", False, "Time the operators as well.")
    options.whole("top", 10, "operators: how many of the costliest single ones to list.", least=0)
    options.switch("adb", False, "Time on the Android phone that adb reaches.")
    options.text("serial", None, "adb: which phone, if there are several.")
    options.text("benchmark_model", None, "adb: LiteRT's benchmark_model for the phone's processor.")
    options.json()


def run(options, arguments):
    from sodkeras.tflite.timing.benchmark import append_rows

    if not arguments:
        raise UsageError("name at least one .tflite file")
    for name in ("serial", "benchmark_model"):
        if getattr(options, name) is not None and not options.adb:
            raise UsageError(f"--{name} is for phones: add --adb")
    if options.pictures and options.adb:
        raise UsageError("a phone times inference alone, on noise: leave out --pictures")
    rows = []
    for path in arguments:
        row, remarks, times = (_on_phone if options.adb else _here)(options, path)
        rows.append(row)
        if options.json:
            row["operator_times"] = [dataclasses.asdict(time) for time in times]
            continue
        print(f"{path}: {remarks}")
        if times:
            _print_operators(times, options.top)
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        _print_rows(rows)
    if options.csv:
        append_rows(options.csv, rows)
    return 0


def _here(options, path):
    """A row, what is said of the file, and its operators' times if they are wanted."""
    import numpy as np

    from sodkeras.pictures import find_pictures, read_picture
    from sodkeras.tflite.timing.benchmark import benchmark, profile_file

    if options.pictures:
        pictures = [read_picture(picture) for picture in find_pictures(options.pictures)]
    else:
        pictures = [np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)]
    measured = options.threads, options.runs, options.warmup
    row = benchmark(path, pictures, *measured)
    return row, row.pop("delegation"), profile_file(path, pictures[0], *measured) if options.operators else []


def _on_phone(options, path):
    """The same, of a phone."""
    from sodkeras.tflite.timing.operator_profile import parse
    from sodkeras.tflite.timing.phone import Phone

    phone = Phone(options.serial, options.benchmark_model)
    row, report = phone.benchmark(path, options.threads, options.runs, options.warmup, options.operators)
    taken = f"{row['delegated']} of {row['operators']} ops delegated, partitions: {row['partitions']}; "
    p95 = f", 95th percentile {row['inference_p95_ms']} ms" if row["inference_p95_ms"] != "" else ""
    remark = f"{taken if row['operators'] else ''}mean {row['inference_mean_ms']} ms{p95}"
    return row, remark, parse(report) if options.operators else []


def _print_rows(rows):
    from sodkeras.tflite.timing.benchmark import COLUMNS

    shown = [name for name in COLUMNS if name not in _NOT_SHOWN and any(row[name] != "" for row in rows)]
    heads = [name.split("_") for name in shown]
    lines = [[head[line] if line < len(head) else "" for head in heads] for line in range(max(map(len, heads)))]
    _print_columns(lines + [[row[name] for name in shown] for row in rows])
    print(f"{rows[0]['cpu']}, {rows[0]['system']}")


def _print_operators(times, top):
    from sodkeras.tflite.timing.operator_profile import by_kind

    rows = [("operators", "count", "ms", "share")]
    rows += [(kind, count, f"{ms:.3f}", f"{share:.1%}") for kind, count, ms, share in by_kind(times)]
    _print_columns(rows)
    if top:
        total = sum(time.milliseconds for time in times) or 1.0
        rows = [("costliest", "place", "ms", "share")]
        for time in sorted(times, key=lambda time: -time.milliseconds)[:top]:
            rows.append((time.kind, time.order + 1, f"{time.milliseconds:.3f}", f"{time.milliseconds / total:.1%}"))
        _print_columns(rows)


def _print_columns(rows):
    """Aligned columns, the first to the left; a library for tables is more than a board needs."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [f"{cell!s:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([f"{first!s:<{widths[0]}}", *cells]))
