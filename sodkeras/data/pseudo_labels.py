"""Pseudo-labels: masks for pictures that have none, from a network that knows more than the one to be trained."""

import csv
import os
import pathlib

import numpy as np
from tqdm import tqdm

from sodkeras import compositing
from sodkeras.data.pairs import OWN_LIST
from sodkeras.errors import SodkerasError
from sodkeras.files import whole_file
from sodkeras.metrics.folders import read_grey
from sodkeras.pictures import output_stems, read_picture, write_png


def pseudo_label(predictor, pictures, folder, progress=True):
    """Writes a teacher's maps of pictures, and a list of pairs to train on.

    A map is the mean of those of the picture and of its mirror image, and stays soft. What a call before has written is
    kept: an interrupted one goes on.

    Args:
        predictor: a `sodkeras.Predictor`, the teacher.
        pictures: paths.
        folder: gets masks/STEM.png, and pairs.csv with the columns picture, mask and weight (see `certainty`).
        progress: whether a bar is shown.

    Returns:
        (the path of pairs.csv; a list of (path, error) of the pictures that cannot be read, which are left out).

    Raises:
        SodkerasError: if there is no picture that can be read, or the folder cannot be written to.
    """
    folder = pathlib.Path(folder)
    stems = output_stems(pictures)
    rows, failures = [], []
    for path in tqdm(pictures, "label", unit="picture", disable=not progress):
        file = folder / "masks" / f"{stems[path]}.png"
        try:
            if not file.exists():
                picture = read_picture(path)
                mirrored = predictor.predict(np.ascontiguousarray(picture[:, ::-1]))[:, ::-1]
                mask = compositing.grey((predictor.predict(picture) + mirrored) / 2)
                # One level of 255 is nothing; but a mask of 0 and 1 looks like one that should have been multiplied.
                write_png(file, mask if mask.max() > 1 else np.zeros_like(mask))
            mask = read_grey(file)
        except (ValueError, OSError, MemoryError) as error:
            failures.append((path, error))
            continue
        rows.append((os.path.relpath(path, folder), f"masks/{file.name}", f"{certainty(mask):.4f}"))
    if not rows:
        raise SodkerasError(f"None of the pictures can be read. Received: {', '.join(map(str, pictures[:3]))}")
    list_file = folder / OWN_LIST
    with whole_file(list_file) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(("picture", "mask", "weight"))
        writer.writerows(rows)
    return list_file, failures


def certainty(mask):
    """How sure a map is of its object, in [0, 1].

    If a map's values p are probabilities, Σ p is the object's expected area, and Σ min(p, 1 - p) the expected number of
    pixels on the wrong side once it is cut at one half. The certainty is 1 less their ratio: near 1 for a crisp object,
    0 for a map that is grey all over, or empty.

    Args:
        mask: uint8 `[H, W]`.
    """
    p = np.float64(mask) / 255
    area = p.sum()
    # Where nothing stands out, there is nothing to learn from: no object of even a thousandth of the picture.
    if area < 1e-3 * p.size:
        return 0.0
    return float(1 - np.minimum(p, 1 - p).sum() / area)
