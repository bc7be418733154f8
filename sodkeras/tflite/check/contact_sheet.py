"""Pictures on which a `.tflite` file and its source agree least, to look at."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from sodkeras.pictures import read_picture
from sodkeras.pictures.compositing import grey
from sodkeras.report import contact_sheet


def write_contact_sheet(
    path: str | os.PathLike,
    rows: Sequence,
    masks: dict,
    read: Callable[[Any], np.ndarray],
    reference: Any,
    candidate: Any,
) -> None:
    """Writes a PNG with a row for each picture: it, its mask if it has one, both maps and their difference.

    Args:
        path: the PNG; whole or absent.
        rows: `(path of a picture, what to write beside it)`.
        masks: `{stem of a picture: path of its mask}`.
        read: reads a mask by its path.
        reference, candidate: what is compared, see `sodkeras.runtimes`.
    """
    with_masks = any(picture.stem in masks for picture, _ in rows)
    headers = ["picture", *(["ground truth"] if with_masks else []), "source", "file", "difference"]
    sheet = []
    for picture_path, label in rows:
        picture = read_picture(picture_path)
        height, width = candidate.preprocessing.size
        expected = reference(reference.preprocessing(picture))[0]
        received = candidate(candidate.preprocessing(picture))[0]
        cells = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)]
        if with_masks:
            mask = read(masks[picture_path.stem]) if picture_path.stem in masks else np.zeros((1, 1), np.uint8)
            cells.append(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST))
        cells += [grey(values) for values in (expected, received, np.abs(expected - received))]
        sheet.append((f"{picture_path.stem}\n{label}", cells))
    contact_sheet(path, sheet, headers)
