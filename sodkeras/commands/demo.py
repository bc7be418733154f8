"""sodkeras demo: shows everything once, from weights to .tflite files, on the example photos.

usage: sodkeras demo [--flag=value ...]

Makes saliency maps of the photos with Keras, converts the network to float and int8 .tflite, compares the three on
every photo, times them on one thread, and writes to --out what is listed below. The default network, U²-Net†, comes
with this package, as do csnet_l_x1 and csnet_l_x2, which are quicker and find less.

  PHOTO/photo.jpg map.png overlay.png cutout.png     for each photo, from the Keras model
  contact_sheet.png                                  all photos, all three networks
  results.csv                                        size, latency, agreement
  report.html                                        all of it on one page
  *.tflite                                           the converted networks
"""

import concurrent.futures
import csv
import json
import pathlib
import time

from sodkeras.progress import say as say_line

# Masks whose IoU is less are not the same to a person who looks at them.
_OTHER_MASK = 0.9

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "convert"


def define_flags(options):
    options.out(default="out/demo")
    options.model(default="u2netp")
    options.pictures("Files, folders or globs of photos to take instead of the examples.")
    options.whole("runs", 10, "Measured runs for the latency.")
    options.json()


def run(options, arguments):
    import os

    from tabulate import tabulate

    from sodkeras import weights
    from sodkeras.commands.startup import open_keras, silent_stderr
    from sodkeras.pictures import example_pictures, find_pictures, read_picture
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.convert import convert
    from sodkeras.tflite.timing.benchmark import cpu_model

    start = time.monotonic()

    def say(text):
        say_line(f"[{time.monotonic() - start:5.0f} s] {text}")

    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"  # the latencies are for one thread, Keras's too
    out = pathlib.Path(options.out)
    found = find_pictures(options.pictures) if options.pictures else example_pictures()
    pictures = {path.stem: read_picture(path) for path in found}
    if not options.model.endswith(".keras"):
        in_keras = f"{weights.preset(options.model)['name']}_keras"
        if weights.cached(in_keras) is None:
            say(f"fetching {options.model}")
        weights.fetch(in_keras)
    calibration = found if len(found) > 1 else [*found, *example_pictures()]  # one photo is too few
    say(f"converting to float32 and static_wi8_ai8 (8-bit integer), calibrated with {len(calibration)} photos")
    with concurrent.futures.ThreadPoolExecutor(1) as executor:  # a child process works while Keras starts here
        conversion = executor.submit(convert, options.model, out, ["float32", "static_wi8_ai8"], calibration)
        predictor = open_keras(options.model)
        files = conversion.result()
    runtimes = {"Keras": predictor.runtime}
    for file in files:
        with silent_stderr():
            runtime = LiteRTRuntime(file, threads=1)
        runtimes[f"LiteRT {runtime.numerics}"] = runtime

    say("running all three on every photo")
    maps = {name: {} for name in runtimes}
    agreements = {
        name: _compare(runtimes["Keras"], name, runtime, pictures, maps) for name, runtime in runtimes.items()
    }
    say(f"timing each, {options.runs} runs on one thread")
    rows = _rows(runtimes, [None, *files], agreements, pictures, options.runs)
    say("writing the pictures and the report")
    _write(out, predictor, pictures, maps, rows, f"{cpu_model()}, one thread, {options.runs} runs")
    if options.json:
        print(json.dumps(list(rows.values()), indent=1, ensure_ascii=False))
    else:
        print(tabulate(rows.values(), headers="keys", disable_numparse=True))
    say(f"done: open {out / 'report.html'}")
    return 0


def _compare(reference, name, runtime, pictures, maps):
    """An `Agreement` with Keras, None for Keras itself; notes the maps by runtime and photo."""
    from sodkeras.tflite.check.agreement import compare

    def note(stem, picture, expected, received):
        maps["Keras"][stem], maps[name][stem] = expected, received

    return None if runtime is reference else compare(reference, runtime, pictures.items(), observe=note)


def _rows(runtimes, files, agreements, pictures, runs):
    """For each runtime, what the table says of it."""
    import numpy as np

    from sodkeras.tflite.check.agreement import TOLERANCES
    from sodkeras.tflite.check.partitions import count_partitions
    from sodkeras.tflite.timing.benchmark import measure

    rows = {}
    for (name, runtime), file in zip(runtimes.items(), files, strict=True):
        times = measure(runtime, [next(iter(pictures.values()))], runs)["inference"]
        row = {
            "network": name,
            "MB": f"{file.stat().st_size / 1e6:.2f}" if file else "",
            "median ms": f"{np.median(times):.1f}",
            "p90 ms": f"{np.percentile(times, 90):.1f}",
            "mask IoU median (worst)": "",
            "MAE median (worst)": "",
            "against Keras": "",
            "layers in float": "all",
            "XNNPACK": "",
        }
        if file:
            against = agreements[name]
            summary = against.summary()
            violations = against.violations(TOLERANCES[runtime.numerics])
            row["mask IoU median (worst)"] = f"{summary['median_iou']:.4f} ({summary['worst_iou']:.4f})"
            row["MAE median (worst)"] = f"{summary['median_mae']:.2g} ({summary['worst_mae']:.2g})"
            if "float_layers" in runtime.metadata:
                row["layers in float"] = str(len(runtime.metadata["float_layers"]))
            row["against Keras"] = _verdict(against, violations)
            row["XNNPACK"] = str(count_partitions(runtime.interpreter)).split(";")[0]
        rows[name] = row
    return rows


def _verdict(against, violations):
    """Whether a file agrees with Keras, in a few words: the worst picture by name where its mask is another there."""
    at = against.worst_first()[0]
    worst = f"; {against.names[at]} worst, {against.iou[at]:.2f}" if against.iou[at] < _OTHER_MASK else ""
    if violations:
        return f"outside: {', '.join(violation.split()[0] for violation in violations)}{worst}"
    return f"agrees{worst}"


def _write(out, predictor, pictures, maps, rows, machine):
    from sodkeras import report
    from sodkeras.files import whole_file
    from sodkeras.pictures import CutOut, Photo, compositing, encode_jpeg, encode_png

    sheet = []
    parts = [
        report.paragraph(
            f"{predictor.runtime.name}: the same network in Keras and, converted, in LiteRT. "
            f"Latency of inference on {machine}."
        ),
        report.table([list(row.values()) for row in rows.values()], list(next(iter(rows.values())))),
        report.paragraph(
            "Mask IoU and MAE compare the maps with the Keras model's at the network's size, masks at 0.5, over all "
            "photos below. 'agrees' is within the limits of sodkeras verify."
        ),
    ]
    for stem, picture in pictures.items():
        at_size = {
            name: predictor.preprocessing.restore(by_stem[stem], picture.shape[:2]) for name, by_stem in maps.items()
        }
        keras_map = at_size["Keras"]
        images = {
            "photo.jpg": encode_jpeg(picture),
            "map.png": encode_png(compositing.grey(keras_map)),
            "overlay.png": encode_png(compositing.overlay(picture, keras_map)),
            "cutout.png": encode_png(CutOut()(Photo(picture), keras_map)),
        }
        for name, content in images.items():
            with whole_file(out / stem / name) as temporary:
                temporary.write_bytes(content)
        others = {
            f"{name}: map": encode_png(compositing.grey(values)) for name, values in at_size.items() if name != "Keras"
        }
        parts.append(report.heading(stem))
        parts.append(
            report.figures(
                [
                    (name, content, "image/jpeg" if name.endswith(".jpg") else "image/png")
                    for name, content in {**images, **others}.items()
                ]
            )
        )
        sheet.append(
            (
                stem,
                [
                    picture,
                    *(compositing.grey(values) for values in at_size.values()),
                    compositing.overlay(picture, keras_map),
                    CutOut()(Photo(picture), keras_map),
                ],
            )
        )
    report.contact_sheet(out / "contact_sheet.png", sheet, ["photo", *maps, "overlay", "cut-out"])
    report.write_page(out / "report.html", "sodkeras demo", parts)
    with whole_file(out / "results.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, next(iter(rows.values())), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
