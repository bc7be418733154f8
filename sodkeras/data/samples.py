"""Samples: a picture and its mask as arrays, read from the files of a pair."""

from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np

from sodkeras.data.pairs import Pair
from sodkeras.errors import SodkerasError
from sodkeras.pictures import read_picture
from sodkeras.pictures.masks import read_map, read_mask


class PairFiles:
    """The pictures and masks of pairs, decoded anew each time.

    Args:
        pairs: a list of `sodkeras.data.Pair`.

    `len(files)` is their number; `files[i]` is (picture, RGB uint8 `[H, W, 3]`; mask, uint8 `[H, W]`) and raises a
    SodkerasError that names the file if it cannot be used.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = list(pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: SupportsIndex) -> tuple[np.ndarray, np.ndarray]:
        return read_pair(self.pairs[index])


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Reads a pair, see `PairFiles` and `read_mask_of`."""
    picture = read_picture(pair.picture)
    mask = read_mask_of(pair)
    if picture.shape[:2] != mask.shape:
        raise SodkerasError(
            "A mask has its picture's size; make one of that size or leave the pair out. "
            f"Received: {pair.mask} of {_size(mask)} for {pair.picture} of {_size(picture)} pixels"
        )
    return picture, mask


def read_mask_of(pair: Pair) -> np.ndarray:
    """Reads a pair's mask, uint8 `[H, W]`, see `sodkeras.pictures.masks.read_mask`.

    A teacher's map is read as it is, however faint, and so is any mask that counts for nothing.
    """
    return read_map(pair.mask) if pair.is_map else read_mask(pair.mask, pair.mask_value)


def _size(array):
    return f"{array.shape[1]}x{array.shape[0]}"
