"""Cut and paste: the object of one picture, laid into another."""

import cv2
import numpy as np

from sodkeras.data.pairs import Pair

# Of the picture, the area that an object to paste takes in its own; others are fragments, or no objects.
_SMALLEST, _LARGEST = 0.02, 0.6
# Of the picture's shorter side, the longer side of what is pasted.
_SIZES = (0.3, 0.9)
# Objects of pairs that count less are not pasted: their outlines are doubtful.
_SURE = 0.5


def is_sure(pair: Pair) -> bool:
    """Whether the outline of a `sodkeras.data.Pair`'s object is good enough to cut it out."""
    return pair.weight >= _SURE


def paste(
    picture: np.ndarray, mask: np.ndarray, other: np.ndarray, other_mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lays another picture's object into a picture, anywhere within it, at random size, mirrored or not.

    The object's soft mask is its transparency. The picture's own object stays salient where it is not covered.

    Args:
        picture, other: RGB, uint8 `[H, W, 3]` and `[h, w, 3]`.
        mask, other_mask: uint8 `[H, W]` and `[h, w]`, 255 where their objects are.
        rng: a `numpy.random.Generator`.

    Returns:
        (picture, uint8 `[H, W, 3]`; mask, uint8 `[H, W]`); those given where the other has no object fit for it.
    """
    solid = other_mask > 127
    if not _SMALLEST <= solid.mean() <= _LARGEST:
        return picture, mask
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    other, other_mask = other[box], other_mask[box]
    if rng.random() < 0.5:
        other, other_mask = other[:, ::-1], other_mask[:, ::-1]
    factor = rng.uniform(*_SIZES) * min(mask.shape) / max(other_mask.shape)
    size = [max(1, round(side * factor)) for side in other_mask.shape]
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    other = cv2.resize(other, size[::-1], interpolation=interpolation)
    other_mask = cv2.resize(other_mask, size[::-1], interpolation=interpolation)
    starts = [int(rng.integers(whole - side + 1)) for whole, side in zip(mask.shape, size, strict=True)]
    place = tuple(slice(start, start + side) for start, side in zip(starts, size, strict=True))
    opacity = other_mask[..., None] * np.float32(1 / 255)
    picture, mask = picture.copy(), mask.copy()
    picture[place] = np.rint(picture[place] * (1 - opacity) + other * opacity).astype(np.uint8)
    mask[place] = np.rint(mask[place] * (1 - opacity[..., 0]) + other_mask).astype(np.uint8)
    return picture, mask
