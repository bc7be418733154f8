"""What is wrong with a data set, and what to do about it, before hours of training show it."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from sodkeras.data.pairs import Pair, PairSet
from sodkeras.data.samples import read_mask_of
from sodkeras.errors import SodkerasError
from sodkeras.pictures import read_picture
from sodkeras.pictures.decode import orientation
from sodkeras.pictures.masks import CLASSES, UNCLEAR, MaskError
from sodkeras.progress import progress_bar

#: What there is to find, and what to do about it.
ADVICE = {
    "unreadable": "get the file anew, or remove the pair",
    "another size": "make the mask of its picture's size (is the picture turned by EXIF?), or remove the pair",
    CLASSES: "choose the object's class with --mask_value=N, or save the mask as 0 and 255",
    UNCLEAR: "save the mask as a grey picture, the background 0 and the object 255",
    "no object": "every mask is empty; is it the right class, or --mask_value?",
    "no background": "every mask is full; are the masks inverted or empty?",
    "inverted masks": "objects are white on black; invert the masks unless the objects are what surrounds the middle",
    "turned picture": "the picture is turned by EXIF and its mask is not; see with --show whether they fit, or turn it",
    "unpaired": "it is left out; if that is wrong, give picture and mask the same stem, as photo.jpg and photo.png",
    "empty mask": "training takes it as a picture without an object; remove the pair if there is one",
    "faint mask": "training takes it for doubtful, scores for empty; draw the object with 255, or remove the pair",
    "full mask": "training takes the whole picture as the object; is the mask inverted or empty?",
    "graded mask": "training takes shades as probabilities; make the mask of 0 and 255 if they mean something else",
    "duplicate": "keep one of the two, lest a picture be in training and in evaluation",
}
FATAL = ("unreadable", "another size", CLASSES, UNCLEAR, "no object", "no background")

# Shades are no edges any more where this share of all pixels is between a tenth and nine tenths of white.
_GRADED = 0.05
# A mask looks inverted where so much of its border is white and so much of its middle, a third each way, is black.
_BORDER, _MIDDLE = 0.9, 0.5


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
    def advice(self) -> str:
        return ADVICE[self.kind]

    @property
    def fatal(self) -> bool:
        """Whether training stops at this file."""
        return self.kind in FATAL


def check_sets(sets: Sequence[PairSet], progress: bool = True) -> list[Problem]:
    """The problems of data sets as `sodkeras.data.pairs.find_sets` gives them: unpaired files, and `check_pairs`."""
    unpaired = [Problem("unpaired", path) for found in sets for path in found.unpaired]
    return unpaired + check_pairs([pair for found in sets for pair in found.pairs], progress)


def check_pairs(pairs: Sequence[Pair], progress: bool = True) -> list[Problem]:
    """Reads every pair, on all cores, and says what is wrong.

    Args:
        pairs: a list of `sodkeras.data.Pair`.
        progress: whether a bar is shown.

    Returns:
        A list of `Problem`, in the order of the pairs; those of whole sets come last, with a set's first mask.
    """
    problems: list[Problem] = []
    first: dict[str, Pair] = {}
    of_set: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    # Decoding and hashing leave other threads their turn.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        looks = progress_bar(executor.map(_look, pairs), "check", total=len(pairs), unit="pair", disable=not progress)
        for pair, (found, digest, traits) in zip(pairs, looks, strict=True):
            problems += found
            if pair.weight:
                of_set[pair.set].update({"pairs": 1, **traits})
            if digest is not None and first.setdefault(digest, pair) is not pair:
                problems.append(Problem("duplicate", pair.picture, f"the same as {first[digest].picture}"))
    return problems + _of_sets([pair for pair in pairs if pair.weight], of_set)


def _of_sets(pairs, of_set):
    """The problems that only a set's masks together show: counts of pairs and of traits of masks by set."""
    problems = []
    everything = sum(of_set.values(), collections.Counter())
    for trait, kind in (("empty", "no object"), ("full", "no background")):
        # A set without objects may well be among others: it shows what is no object.
        if pairs and everything[trait] == len(pairs):
            problems.append(Problem(kind, pairs[0].mask, f"{len(pairs)} masks"))
    for name, counts in of_set.items():
        if 2 * counts["inverted"] > counts["pairs"]:
            mask = next(pair.mask for pair in pairs if pair.set == name)
            problems.append(Problem("inverted masks", mask, f"{counts['inverted']} of the {counts['pairs']} of {name}"))
    return problems


def stop_if_fatal(problems: Iterable[Problem]) -> None:
    """Raises a SodkerasError if training cannot use what was checked."""
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise SodkerasError(
            f"{len(fatal)} files cannot be used; sodkeras data --check lists them. First: {fatal[0].advice}. "
            f"Received: {fatal[0].path} ({fatal[0].kind}{': ' * bool(fatal[0].detail)}{fatal[0].detail})"
        )


def _look(pair):
    """(problems, digest of the picture's file or None, counts of what `_of_sets` asks about the mask)."""
    problems, read = [], []
    for path, reader in ((pair.picture, lambda: read_picture(pair.picture)), (pair.mask, lambda: read_mask_of(pair))):
        try:
            read.append(reader())
        except MaskError as error:
            problems.append(Problem(error.kind, path, error.found))
        except SodkerasError as error:
            problems.append(Problem("unreadable", path, str(error).split(" Received:")[0]))
    if problems:
        return problems, None, {}
    picture, mask = read
    if picture.shape[:2] != mask.shape:
        sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (mask, picture)]
        problems.append(Problem("another size", pair.mask, f"{sizes[0]} for a picture of {sizes[1]}"))
    elif (turn := _doubtful_turn(pair, mask.shape)) != 1:
        problems.append(Problem("turned picture", pair.picture, f"EXIF orientation {turn}"))
    counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()
    lowest, highest = np.flatnonzero(counts)[[0, -1]]
    shades = counts[26:230].sum() / mask.size
    if highest == 0:
        problems.append(Problem("empty mask", pair.mask))
    elif highest <= 127:
        problems.append(Problem("faint mask", pair.mask, f"no pixel is above {highest} of 255"))
    elif lowest == 255:
        problems.append(Problem("full mask", pair.mask))
    elif shades > _GRADED:
        problems.append(Problem("graded mask", pair.mask, f"{shades:.0%} of its pixels are shades"))
    traits = {"empty": int(highest == 0), "full": int(lowest == 255), "inverted": int(_looks_inverted(mask))}
    return problems, hashlib.sha256(pair.picture.read_bytes()).hexdigest(), traits


def _doubtful_turn(pair, shape):
    """The picture's EXIF orientation where the mask has none and may have been drawn for either; 1 otherwise."""
    turn = orientation(pair.picture)
    # Where a quarter turn swaps unlike sides, the sizes have told.
    if turn == 1 or (turn >= 5 and shape[0] != shape[1]) or orientation(pair.mask) != 1:
        return 1
    return turn


def _looks_inverted(mask):
    height, width = mask.shape
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    middle = mask[height // 3 : height - height // 3, width // 3 : width - width // 3]
    return (border > 127).mean() > _BORDER and (middle > 127).mean() < _MIDDLE
