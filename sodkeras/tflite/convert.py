"""Keras to `.tflite`, in a process of its own, `sodkeras.tflite.convert_process`."""

import csv
import dataclasses
import json
import os
import pathlib
from typing import Any

from sodkeras.files import scratch_folder, whole_file
from sodkeras.tflite import child_process
from sodkeras.tflite.calibration import Calibration
from sodkeras.tflite.settings import ConversionSettings


def convert(
    model: Any,
    folder: str | os.PathLike,
    numerics: Any = ("float32",),
    calibration: Any = None,
    **settings: Any,
) -> list[pathlib.Path]:
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
        **settings: further fields of `sodkeras.tflite.settings.ConversionSettings`. With `sensitivity`, what each layer
            costs goes into a `.sensitivity.csv` beside the file.

    Returns:
        The paths of the files, in the order of `numerics`. A file is whole or absent.

    Raises:
        UsageError: for unknown numerics, parts or types, or for `static_*` without calibration pictures.
        SodkerasError: if the model cannot be had or the conversion fails, or if a file does not compute what its
            source does.
    """
    asked = ConversionSettings(numerics, **settings)
    asked.check_calibrated(calibration)
    uses_pictures = not {"float32", "float16"}.issuperset(asked.numerics)
    pictures = Calibration.choose(calibration, asked.limit, asked.integers, uses_pictures)
    with scratch_folder() as scratch:
        if not isinstance(model, (str, os.PathLike)):
            source = f"{scratch}/model.keras"
            model.inference_model().save(source)
        else:
            source = str(model)
        job = {
            "source": source,
            "scratch": scratch,
            "settings": dataclasses.asdict(asked),
            "calibration": dataclasses.asdict(pictures),
        }
        results = child_process.run("sodkeras.tflite.convert_process:work", job, "conversion")
        return [_take(result, pathlib.Path(folder)) for result in results]


def _take(result, folder):
    """Moves a file out of the scratch folder, with what belongs beside it."""
    path = folder / result["file"]
    with whole_file(path) as temporary:
        temporary.write_bytes(pathlib.Path(result["scratch_file"]).read_bytes())
    with whole_file(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(result["metadata"], indent=2, ensure_ascii=False) + "\n", "utf-8")
    if result["layer_costs"]:
        with whole_file(path.with_suffix(".sensitivity.csv")) as temporary:
            _write_costs(temporary, result)
    return path


def _write_costs(path, result):
    in_float = result["metadata"]["float_layers"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["layer", "mae_alone", "in_float"])
        for layer, cost in result["layer_costs"].items():
            writer.writerow([layer, f"{cost:.3g}", layer in in_float])
