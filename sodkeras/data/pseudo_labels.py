"""Pseudo-labels: masks for pictures that have none, from a network that knows more than the one to be trained."""

import csv
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sodkeras.data.pairs import OWN_LIST
from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, whole_file
from sodkeras.pictures import compositing, output_stems, read_picture, write_png
from sodkeras.pictures.masks import read_map
from sodkeras.pictures.read import PICTURE_ERRORS
from sodkeras.progress import progress_bar

if TYPE_CHECKING:
    from sodkeras.predictor import Predictor


def pseudo_label(
    predictor: "Predictor", pictures: Sequence[str | os.PathLike], folder: str | os.PathLike, progress: bool = True
) -> tuple[pathlib.Path, list[tuple[str | os.PathLike, str]]]:
    """Writes a teacher's maps of pictures, and a list of pairs to train on.

    A map is the mean of those of the picture and of its mirror image, and stays soft. A mask that a call before has
    written is kept where it is of the same picture by the same teacher: an interrupted call goes on.

    Args:
        predictor: a `sodkeras.Predictor`, the teacher.
        pictures: paths.
        folder: gets masks/STEM.png; pairs.csv with the columns picture, mask and weight (see `certainty`); and
            masks.csv, digests of what each mask was made of and of the mask.
        progress: whether a bar is shown.

    Returns:
        (the path of pairs.csv; a list of (path, error) of the pictures that cannot be read, which are left out).

    Raises:
        SodkerasError: if there is no picture that can be read, or the folder cannot be written to.
    """
    folder = pathlib.Path(folder)
    stems = output_stems(pictures)
    made, teacher = _MadeMasks(folder / "masks.csv"), predictor.fingerprint()
    rows, failures = [], []
    for path in progress_bar(pictures, "label", unit="picture", disable=not progress):
        file = folder / "masks" / f"{stems[path]}.png"
        try:
            content = read_bytes(path)
            origin = hashlib.sha256(teacher.encode() + content).hexdigest()
            if not made.has(file, origin):
                picture = read_picture(path)
                mirrored = predictor.predict(np.ascontiguousarray(picture[:, ::-1]))[:, ::-1]
                mask = compositing.grey((predictor.predict(picture) + mirrored) / 2)
                # One level of 255 is nothing; but read as a mask, 0 and 1 are black and white.
                write_png(file, mask if mask.max() > 1 else np.zeros_like(mask))
                made.note(file, origin)
            mask = read_map(file)
        except PICTURE_ERRORS as error:
            failures.append((path, str(error)))
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


class _MadeMasks:
    """What the masks of a folder were made of, a line each, written as soon as a mask is there."""

    def __init__(self, path):
        self._path, self._found = path, {}
        if path.is_file() and path.stat().st_size:
            for line in read_bytes(path).decode("utf-8", "replace").splitlines():
                name, *digests = line.rsplit(",", 2)
                self._found[name] = digests

    def has(self, file, origin):
        """Whether a mask is there, as it was written, of this origin."""
        return file.is_file() and self._found.get(file.name) == [origin, _digest(file)]

    def note(self, file, origin):
        self._found[file.name] = [origin, _digest(file)]
        with self._path.open("a", encoding="utf-8") as opened:
            opened.write(f"{file.name},{','.join(self._found[file.name])}\n")


def _digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def certainty(mask: np.ndarray) -> float:
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
