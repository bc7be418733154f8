"""Quantization-aware training: a network learns with the rounding that its 8-bit file will have.

In a process of its own, `sodkeras.tflite.quantization_aware.process`: tensorflow-model-optimization makes the whole
process use another Keras.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from sodkeras.errors import SodkerasError, UsageError
from sodkeras.files import scratch_folder, whole_file
from sodkeras.pictures import find_pictures
from sodkeras.tflite import child_process
from sodkeras.tflite.calibration import Calibration, to_try
from sodkeras.tflite.settings import PRELU


def quantize_train(
    model: Any,
    folder: str | os.PathLike,
    data: Any = (),
    pictures: Any = (),
    steps: int = 400,
    batch: int = 4,
    learning_rate: float = 1e-4,
    save_every: int = 50,
    limit: int = 100,
    keep_float: Sequence[str] | None = None,
    prelu: str = "auto",
    seed: int = 0,
    mask_value: int | None = None,
) -> tuple[pathlib.Path, pathlib.Path]:
    """Trains a network for 8 bits, and converts it.

    The network is lowered and calibrated as `sodkeras.tflite.convert` does it, which also says what stays in float; its
    plain layers are rebuilt in tf_keras, where tensorflow-model-optimization rounds kernels and activations in every
    step, in ranges chosen as `convert` chooses them: anew at each checkpoint of the first half of the steps; in the
    second half they stay, and are those of the file. Source: Jacob et al., "Quantization and Training of Neural
    Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, where ranges are moving averages.

    A call that was interrupted goes on where it was, when repeated with the same arguments.

    Args:
        model: a trained model of this project, the path of a `.keras` file, or the name of a preset.
        data: pictures with masks to learn from: data sets as `sodkeras.data.find_pairs` takes them. Either these or
            `pictures`; the first of them calibrate, too.
        pictures: pictures without masks, a folder, files or globs: the 8-bit network learns to give the maps that the
            float one gives of them.
        folder: gets NAME-HxW-static_wi8_ai8.tflite with its JSON, NAME-quantization_aware.keras (the trained weights in
            float, in the form for 8 bits), training/log.csv, and in training/ what is needed to go on.
        steps: batches to train on.
        batch: pictures in each.
        learning_rate: of Adam, where it starts; it falls to 0 along a cosine.
        save_every: steps between checkpoints.
        limit, keep_float, prelu: as for `sodkeras.tflite.convert.convert`.
        seed: of the pictures' order and flips.
        mask_value: the object's class in masks of classes, see `sodkeras.pictures.masks.read_mask`.

    Returns:
        (path of the `.tflite` file, path of the `.keras` file).

    Raises:
        UsageError: for arguments that cannot work.
        SodkerasError: if the folder is of another call, and for all that a user can mend.
    """
    sources, unlabelled = _texts(data), _texts(pictures)
    if bool(sources) == bool(unlabelled):
        raise UsageError(
            "Name data, pictures with masks, or pictures, which need none, to learn from. "
            f"Received: data {sources}, pictures {unlabelled}"
        )
    if prelu not in PRELU:
        raise UsageError(f"prelu is one of {', '.join(PRELU)}. Received: {prelu}")
    for name, value in {
        "steps": steps,
        "batch": batch,
        "save_every": save_every,
        "learning_rate": learning_rate,
    }.items():
        if not value > 0:
            raise UsageError(f"{name} is positive. Received: {value}")
    folder = pathlib.Path(folder)
    settings = {
        "sources": sources or unlabelled,
        "targets": "masks" if sources else "own",  # what the network is to give: what masks show, or what it gave
        "mask_value": mask_value,
        "steps": steps,
        "batch": batch,
        "learning_rate": learning_rate,
        "save_every": save_every,
        "limit": limit,
        "keep_float": keep_float,
        "prelu": prelu,
        "seed": seed,
    }
    job = settings | {"pairs": _pairs(sources, mask_value), "folder": str(folder)}
    job["pictures"] = [pair["picture"] for pair in job["pairs"]] or [str(path) for path in find_pictures(unlabelled)]
    if len(job["pictures"]) < batch:
        raise SodkerasError(f"There are fewer pictures than a batch holds. Received: {len(job['pictures'])} of {batch}")
    calibration = Calibration.choose(job["pictures"], limit)
    # What it learns from does not tell whether it has learned.
    tried_on = list(map(str, to_try(job["pictures"], [])))
    job["calibration"] = dataclasses.asdict(dataclasses.replace(calibration, tried_on=tried_on))
    with scratch_folder() as scratch:
        if isinstance(model, (str, os.PathLike)):
            job["source"] = settings["model"] = str(model)
        else:
            job["source"], settings["model"] = f"{scratch}/model.keras", model.name
            model.inference_model().save(job["source"])
        _open(folder / "training", settings)
        job["scratch"] = scratch
        answer = child_process.run("sodkeras.tflite.quantization_aware.process:work", job, "training")
    return pathlib.Path(answer["tflite"]), pathlib.Path(answer["keras"])


def _texts(sources):
    return [os.fspath(source) for source in ([sources] if isinstance(sources, (str, os.PathLike)) else sources)]


def _pairs(sources, mask_value):
    from sodkeras.data import find_pairs

    pairs = map(dataclasses.asdict, find_pairs(sources, mask_value))
    return [pair | {"picture": str(pair["picture"]), "mask": str(pair["mask"])} for pair in pairs]


def _open(folder, settings):
    """Writes down what was asked for, or checks that it is what was asked for before."""
    path = folder / "settings.json"
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        changed = sorted(key for key in settings | before if settings.get(key) != before.get(key))
        if changed:
            raise SodkerasError(
                f"The folder has a training with other settings ({', '.join(changed)}): repeat them to go on, or name "
                f"a new folder. Received: {folder.parent}"
            )
        return
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
