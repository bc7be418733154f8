"""Which pictures a conversion is calibrated with, and which its file is tried on."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Self

import cv2
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes
from sodkeras.pictures import example_pictures, find_pictures, read_picture

#: Mean differences of two pictures, in levels of 255 at 16×16 pixels: up to the first they are the same, up to the
#: second nearly so.
EQUAL, NEARLY_EQUAL = 1.0, 4.0
_SMALL = (16, 16)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The pictures of one conversion.

    Attributes:
        pictures: paths of those that it is calibrated with.
        found: of how many they were chosen.
        tried_on: paths of those that its files are tried on.
        warning: what is odd about them, or None.
    """

    pictures: list[str]
    found: int
    tried_on: list[str]
    warning: str | None = None

    @classmethod
    def choose(cls, sources: Any, limit: int, integers: bool = True, uses_pictures: bool = True) -> Self:
        """Chooses the pictures, see `choose` and `to_try`.

        Args:
            sources: a folder, file or glob, or several; None for no pictures.
            limit: pictures at most.
            integers: whether activations' ranges come from them, for which they must differ.
            uses_pictures: whether a file depends on them; else it may be tried on the same.

        Raises:
            SodkerasError: if there are none, one cannot be read, or those that must differ do not.
        """
        chosen, left = choose(sources, limit) if sources else ([], [])
        warning = check_different(chosen) if integers and chosen else None
        tried_on = to_try(chosen, left) if uses_pictures else to_try([], [*chosen, *left])
        return cls(list(map(str, chosen)), len(chosen) + len(left), list(map(str, tried_on)), warning)


def choose(sources: Any, limit: int) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """(paths chosen, paths left): up to `limit` pictures, evenly spread over those that the sources name.

    Args:
        sources: a folder, file or glob, or several.
        limit: pictures at most.
    """
    found = find_pictures([sources] if isinstance(sources, (str, os.PathLike)) else sources)
    step = max(1, -(-len(found) // limit))
    chosen = found[::step]
    return chosen, [path for path in found if path not in set(chosen)]


def check_different(paths: Sequence[Any]) -> str | None:
    """A warning if most of the pictures are nearly equal to others, or None.

    Args:
        paths: the pictures to calibrate with.

    Raises:
        SodkerasError: if no two are different, for then the ranges of one picture are taken for those of all.
    """
    small = np.stack([_shrunk(path) for path in paths])
    if max(_distances(small, index).max() for index in range(len(paths))) <= EQUAL:
        what = f"{len(paths)} equal pictures" if len(paths) > 1 else "1 picture"
        raise SodkerasError(
            "Calibration needs different pictures, a hundred like those the network will see; from equal ones 8 bits "
            f"would learn the ranges of nothing else. Received: {what}, such as {paths[0]}"
        )
    different: list[int] = []
    for index in range(len(paths)):
        if (_distances(small, index)[different] > NEARLY_EQUAL).all():
            different.append(index)
    if 2 * len(different) > len(paths):
        return None
    return (
        f"only {len(different)} of the {len(paths)} calibration pictures differ by more than {NEARLY_EQUAL:g} of 255 "
        "levels; on others the network may be wrong in 8 bits"
    )


def _distances(small, index):
    """Of one picture to each."""
    return np.abs(small - small[index]).mean(axis=(1, 2, 3))


def _shrunk(path):
    return cv2.resize(read_picture(path), _SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)


def to_try(chosen: Sequence[Any], left: Sequence[Any], count: int = 8) -> list[pathlib.Path]:
    """Pictures to compare a file with its source on, that it was not calibrated with.

    Args:
        chosen: the paths that it was calibrated with.
        left: others that it could have been.
        count: pictures at most.

    Returns:
        Paths: the package's example photos and some of `left`. None, if all of these are among the chosen.
    """
    examples = example_pictures()[:count]
    room = count - len(examples)
    others = left[:: max(1, -(-len(left) // room))] if room else []
    known = {_digest(path) for path in chosen}
    tried = [path for path in [*examples, *others] if _digest(path) not in known]
    for path in tried:
        read_picture(path)  # a bad one is told of before the work, not after it
    return tried


def pictures_to_try(paths: Sequence[Any], calibrated: Sequence[Any]) -> list[tuple[str, np.ndarray]]:
    """`[(name, RGB)]` of paths that `to_try` gave; without any, mirror images of those that were calibrated with."""
    if paths:
        return [(pathlib.Path(path).name, read_picture(path)) for path in paths]
    return [(f"{pathlib.Path(path).name}, mirrored", read_picture(path)[:, ::-1].copy()) for path in calibrated]


def _digest(path):
    return hashlib.sha256(read_bytes(path)).digest()
