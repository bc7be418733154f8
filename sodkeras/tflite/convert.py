"""Keras to `.tflite`, in a process of its own, `sodkeras.tflite.convert_process`."""

import csv
import json
import os
import pathlib

from sodkeras.errors import SodkerasError, UsageError
from sodkeras.files import scratch_folder, whole_file
from sodkeras.tflite import child_process
from sodkeras.tflite.calibration import check_different, choose, to_try
from sodkeras.tflite.inside import DEFAULT, check_parts
from sodkeras.tflite.numerics import interfaces, needs_calibration, resolve

#: How 8-bit files may compute PReLU.
PRELU = ("auto", "exact")


def convert(
    model,
    folder,
    numerics=("float32",),
    calibration=None,
    calibration_limit=100,
    keep_float=None,
    prelu="auto",
    inside=DEFAULT,
    interface=None,
    sensitivity=False,
    mae_budget=None,
):
    """Converts a network for phones: one file per numerics, each with a JSON of its metadata beside it.

    The files are named `NAME-HxW-NUMERICS.tflite`, with what else was chosen behind, take one picture of the
    preprocessing's size, and carry name, licence, preprocessing, calibration, and how well they agreed with Keras, in
    their metadata, so that `Predictor` runs them as they are.

    Args:
        model: a model of this project, the path of a `.keras` file, or the name of a preset.
        folder: where to write.
        numerics: names from `sodkeras.tflite.numerics`, or their aliases.
        calibration: a folder, files or globs of pictures like those the network will see; needed for `static_*`, where
            they must differ. A file is tried on up to eight pictures that it was not calibrated with: the package's
            examples, and others that were found here.
        calibration_limit: pictures used at most, evenly spread over those found.
        keep_float: patterns (`fnmatch`) of the names of layers that stay in float in `static_*`; an empty list for
            none; by default convolutions whose weights do not fit into 8 bits, and products of matrices (see
            `sodkeras.tflite.eight_bits.sensitivity`), a DNL's with weights of 8 bits (see
            `sodkeras.tflite.file.byte_weights`).
        prelu: how `static_*` computes PReLU: "exact", or "auto" for something cheaper wherever 8 bits cannot tell the
            two apart (see `sodkeras.tflite.passes.prelu`).
        inside: what of "normalisation", "resize" and "sigmoid" is in the graph, see `sodkeras.tflite.inside`.
        interface: the type of the input and output of `static_*`: "int8", "uint8", "int16" or "float32"; by default
            that of the activations. Other numerics have float32.
        sensitivity: whether to measure what each layer costs in `static_wi8_ai8`, into a `.sensitivity.csv` beside the
            file, see `sodkeras.tflite.eight_bits.float_budget`.
        mae_budget: the mean absolute difference from Keras that the `static_wi8_ai8` file may have on calibration
            pictures; as few further layers as it takes stay in float.

    Returns:
        The paths of the files, in the order of `numerics`. A file is whole or absent.

    Raises:
        UsageError: for unknown numerics, parts or types, or for `static_*` without calibration pictures.
        SodkerasError: if the model cannot be had or the conversion fails, or if a file does not compute what its
            source does.
    """
    names = resolve(numerics)
    if prelu not in PRELU:
        raise UsageError(f"PReLU is computed as one of {', '.join(PRELU)}. Received: {prelu}")
    inside = check_parts(inside)
    for name in filter(needs_calibration, names):
        if interface not in (None, *interfaces(name)):
            raise UsageError(f"The interface of {name} is one of {', '.join(interfaces(name))}. Received: {interface}")
    pictures, left, warning = [], [], None
    integers = any(map(needs_calibration, names))
    if integers and not calibration:
        raise SodkerasError(
            "Integer activations need pictures to calibrate with, a hundred like those the network will see: give "
            f"--calibrate=FOLDER. Received: {', '.join(names)}"
        )
    if calibration:
        pictures, left = choose(calibration, calibration_limit)
        warning = check_different(pictures) if integers else None
    uses_pictures = not {"float32", "float16"}.issuperset(names)
    tried_on = to_try(pictures, left) if uses_pictures else to_try([], [*pictures, *left])

    folder = pathlib.Path(folder)
    with scratch_folder() as scratch:
        if not isinstance(model, (str, os.PathLike)):
            source = f"{scratch}/model.keras"
            model.inference_model().save(source)
        else:
            source = str(model)
        job = {
            "source": source,
            "scratch": scratch,
            "numerics": names,
            "pictures": [str(path) for path in pictures],
            "tried_on": [str(path) for path in tried_on],
            "warning": warning,
            "keep_float": keep_float,
            "prelu": prelu,
            "pictures_found": len(pictures) + len(left),
            "inside": inside,
            "interface": interface,
            "sensitivity": sensitivity,
            "mae_budget": mae_budget,
        }
        results = child_process.run("sodkeras.tflite.convert_process", job, "conversion")
        paths = []
        for result in results:
            path = folder / result["file"]
            with whole_file(path) as temporary:
                temporary.write_bytes(pathlib.Path(result["scratch_file"]).read_bytes())
            with whole_file(path.with_suffix(".json")) as temporary:
                temporary.write_text(json.dumps(result["metadata"], indent=2, ensure_ascii=False) + "\n", "utf-8")
            if result["layer_costs"]:
                with whole_file(path.with_suffix(".sensitivity.csv")) as temporary:
                    _write_costs(temporary, result)
            paths.append(path)
    return paths


def _write_costs(path, result):
    in_float = result["metadata"]["float_layers"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["layer", "mae_alone", "in_float"])
        for layer, cost in result["layer_costs"].items():
            writer.writerow([layer, f"{cost:.3g}", layer in in_float])
