"""sodkeras benchmark: times .tflite files on this machine, on a board or on a phone.

usage: sodkeras benchmark FILE.tflite [FILE.tflite ...] [--flag=value ...]
       sodkeras benchmark FILE.tflite [FILE.tflite ...] --adb [--benchmark_model=PATH] [--flag=value ...]

Preparing the picture, inference, and bringing the map back to the picture's size are timed apart, over warm runs, with
the median, the 90th percentile and the least. It also says how many of the file's operators the CPU's fast path
(XNNPACK) took and in how many pieces: all of them in one piece is what you want. --profile adds what operators take,
inside XNNPACK too. A board needs ai-edge-litert, OpenCV and absl-py only, no TensorFlow.

--adb runs LiteRT's own benchmark_model on an Android phone instead, which times inference only. Give your copy of that
program, built for the phone's processor, with --benchmark_model the first time; it stays on the phone.

example:
  sodkeras benchmark phone/*.tflite --threads=1 --csv=benchmarks.csv
  sodkeras benchmark phone/u2netp-320x320-static_wi8_ai8.tflite --profile
  sodkeras benchmark phone/*.tflite --adb --benchmark_model=android_aarch64_benchmark_model
"""

from absl import flags

from sodkeras.errors import UsageError

#: Columns that the CSV file has and the terminal has no room for.
_NOT_SHOWN = ("operators", "delegated", "partitions", "cpu", "system")


def define_flags(flag_values):
    flags.DEFINE_integer("threads", 1, "CPU threads.", lower_bound=1, flag_values=flag_values)
    flags.DEFINE_integer("runs", 20, "Measured runs.", lower_bound=1, flag_values=flag_values)
    flags.DEFINE_integer("warmup", 3, "Runs before them.", lower_bound=0, flag_values=flag_values)
    flags.DEFINE_string(
        "picture", None, "A picture to run on; default 640x480 pixels of noise.", flag_values=flag_values
    )
    flags.DEFINE_string("csv", None, "A file to add a row to for each model.", flag_values=flag_values)
    flags.DEFINE_bool("profile", False, "Time the operators as well.", flag_values=flag_values)
    flags.DEFINE_integer(
        "top",
        10,
        "profile: how many of the costliest single operators to list.",
        lower_bound=0,
        flag_values=flag_values,
    )
    flags.DEFINE_bool("adb", False, "Time on the Android phone that adb reaches.", flag_values=flag_values)
    flags.DEFINE_string("serial", None, "adb: which phone, if there are several.", flag_values=flag_values)
    flags.DEFINE_string(
        "benchmark_model", None, "adb: LiteRT's benchmark_model for the phone's processor.", flag_values=flag_values
    )


def run(flag_values, arguments):
    from sodkeras.tflite.timing.benchmark import append_rows

    if not arguments:
        raise UsageError("name at least one .tflite file")
    for name in ("serial", "benchmark_model"):
        if flag_values[name].value is not None and not flag_values.adb:
            raise UsageError(f"--{name} is for phones: add --adb")
    rows = _on_phone(flag_values, arguments) if flag_values.adb else _here(flag_values, arguments)
    _print_rows(rows)
    if flag_values.csv:
        append_rows(flag_values.csv, rows)
    return 0


def _here(flag_values, paths):
    import numpy as np

    from sodkeras.pictures import read_picture
    from sodkeras.tflite.timing.benchmark import benchmark, profile_file

    if flag_values.picture:
        picture = read_picture(flag_values.picture)
    else:
        picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    measured = picture, flag_values.threads, flag_values.runs, flag_values.warmup
    rows = []
    for path in paths:
        rows.append(benchmark(path, *measured))
        print(f"{path}: {rows[-1]['delegation']}")
        if flag_values.profile:
            _print_profile(profile_file(path, *measured), flag_values.top)
    print(f"picture {picture.shape[1]}x{picture.shape[0]}")
    return rows


def _on_phone(flag_values, paths):
    from sodkeras.tflite.timing.operator_profile import parse
    from sodkeras.tflite.timing.phone import Phone

    phone = Phone(flag_values.serial, flag_values.benchmark_model)
    rows = []
    for path in paths:
        row, report = phone.benchmark(
            path, flag_values.threads, flag_values.runs, flag_values.warmup, flag_values.profile
        )
        rows.append(row)
        taken = f"{row['delegated']} of {row['operators']} ops delegated, partitions: {row['partitions']}; "
        p95 = f", 95th percentile {row['inference_p95_ms']} ms" if row["inference_p95_ms"] != "" else ""
        print(f"{path}: {taken if row['operators'] else ''}mean {row['inference_mean_ms']} ms{p95}")
        if flag_values.profile:
            _print_profile(parse(report), flag_values.top)
    return rows


def _print_rows(rows):
    from sodkeras.tflite.timing.benchmark import COLUMNS

    shown = [name for name in COLUMNS if name not in _NOT_SHOWN and any(row[name] != "" for row in rows)]
    heads = [name.split("_") for name in shown]
    lines = [[head[line] if line < len(head) else "" for head in heads] for line in range(max(map(len, heads)))]
    _print_columns(lines + [[row[name] for name in shown] for row in rows])
    print(f"{rows[0]['cpu']}, {rows[0]['system']}")


def _print_profile(times, top):
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
