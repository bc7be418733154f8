"""What is wrong with a data set, and what to do about it, before hours of training show it."""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib

import cv2
import numpy as np
from tqdm import tqdm

from sodkeras.errors import SodkerasError
from sodkeras.metrics.folders import read_grey
from sodkeras.pictures import read_picture

#: What there is to find, and what to do about it.
ADVICE = {
    "unreadable": "get the file anew, or remove the pair",
    "another size": "make the mask of its picture's size (is the picture turned by EXIF?), or remove the pair",
    "mask of 0 and 1": "multiply the mask by 255",
    "unpaired": "it is left out; if that is wrong, give picture and mask the same stem, as photo.jpg and photo.png",
    "empty mask": "training takes it as a picture without an object; remove the pair if there is one",
    "faint mask": "training takes it for doubtful, scores for empty; draw the object with 255, or remove the pair",
    "full mask": "training takes the whole picture as the object; is the mask inverted or empty?",
    "graded mask": "training takes shades as probabilities; make the mask of 0 and 255 if they mean something else",
    "duplicate": "keep one of the two, lest a picture be in training and in evaluation",
}
FATAL = ("unreadable", "another size", "mask of 0 and 1")

# Shades are no edges any more where this share of all pixels is between a tenth and nine tenths of white.
_GRADED = 0.05


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something about a file that training cannot use, or that its user may want to know.

    Args:
        kind: a key of `ADVICE`.
        path: the file.
        detail: what was found, in a few words.
    """

    kind: str
    path: pathlib.Path
    detail: str = ""

    @property
    def advice(self):
        return ADVICE[self.kind]

    @property
    def fatal(self):
        """Whether training stops at this file."""
        return self.kind in FATAL


def check_sets(sets, progress=True):
    """The problems of data sets as `sodkeras.data.pairs.find_sets` gives them: unpaired files, and `check_pairs`."""
    unpaired = [Problem("unpaired", path) for found in sets for path in found.unpaired]
    return unpaired + check_pairs([pair for found in sets for pair in found.pairs], progress)


def check_pairs(pairs, progress=True):
    """Reads every pair, on all cores, and says what is wrong.

    Args:
        pairs: a list of `sodkeras.data.Pair`.
        progress: whether a bar is shown.

    Returns:
        A list of `Problem`, in the order of the pairs.
    """
    problems, first = [], {}
    # Decoding and hashing leave other threads their turn.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        looks = tqdm(executor.map(_look, pairs), "check", len(pairs), unit="pair", disable=not progress)
        for pair, (found, digest) in zip(pairs, looks, strict=True):
            problems += found
            if digest is not None and first.setdefault(digest, pair) is not pair:
                problems.append(Problem("duplicate", pair.picture, f"the same as {first[digest].picture}"))
    return problems


def stop_if_fatal(problems):
    """Raises a SodkerasError if training cannot use what was checked."""
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise SodkerasError(
            f"{len(fatal)} files cannot be used; sodkeras data --check lists them. First: {fatal[0].advice}. "
            f"Received: {fatal[0].path} ({fatal[0].kind}{': ' * bool(fatal[0].detail)}{fatal[0].detail})"
        )


def _look(pair):
    """(problems, digest of the picture's file or None)."""
    problems, read = [], []
    for path, reader in ((pair.picture, read_picture), (pair.mask, read_grey)):
        try:
            read.append(reader(path))
        except SodkerasError as error:
            problems.append(Problem("unreadable", path, str(error).split(" Received:")[0]))
    if problems:
        return problems, None
    picture, mask = read
    if picture.shape[:2] != mask.shape:
        sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (mask, picture)]
        problems.append(Problem("another size", pair.mask, f"{sizes[0]} for a picture of {sizes[1]}"))
    counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()
    lowest, highest = np.flatnonzero(counts)[[0, -1]]
    shades = counts[26:230].sum() / mask.size
    if highest == 1:
        problems.append(Problem("mask of 0 and 1", pair.mask))
    elif highest == 0:
        problems.append(Problem("empty mask", pair.mask))
    elif highest <= 127:
        problems.append(Problem("faint mask", pair.mask, f"no pixel is above {highest} of 255"))
    elif lowest == 255:
        problems.append(Problem("full mask", pair.mask))
    elif shades > _GRADED:
        problems.append(Problem("graded mask", pair.mask, f"{shades:.0%} of its pixels are shades"))
    return problems, hashlib.sha256(pair.picture.read_bytes()).hexdigest()
