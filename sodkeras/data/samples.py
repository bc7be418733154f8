"""Samples: a picture and its mask as arrays, read from the files of a pair."""

import cv2

from sodkeras.errors import SodkerasError
from sodkeras.metrics.folders import read_grey
from sodkeras.pictures import read_picture


class PairFiles:
    """The pictures and masks of pairs, decoded anew each time.

    Args:
        pairs: a list of `sodkeras.data.Pair`.

    `len(files)` is their number; `files[i]` is (picture, RGB uint8 `[H, W, 3]`; mask, uint8 `[H, W]`) and raises a
    SodkerasError that names the file if it cannot be used.
    """

    def __init__(self, pairs):
        self.pairs = list(pairs)

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return read_pair(self.pairs[index])


def read_pair(pair):
    """Reads a pair, see `PairFiles`."""
    picture, mask = read_picture(pair.picture), read_grey(pair.mask)
    if picture.shape[:2] != mask.shape:
        raise SodkerasError(
            "A mask has its picture's size; make one of that size or leave the pair out. "
            f"Received: {pair.mask} of {_size(mask)} for {pair.picture} of {_size(picture)} pixels"
        )
    if cv2.minMaxLoc(mask)[1] == 1:
        raise SodkerasError(f"A mask is 0 to 255; multiply this one of 0 and 1 by 255. Received: {pair.mask}")
    return picture, mask


def _size(array):
    return f"{array.shape[1]}x{array.shape[0]}"
