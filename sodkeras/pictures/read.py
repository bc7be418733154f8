"""Pictures in: every kind that a user may have becomes RGB, uint8 `[H, W, 3]`."""

import os
import typing
from collections.abc import Callable
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image

from sodkeras.errors import SodkerasError
from sodkeras.pictures.decode import decode
from sodkeras.pictures.tags import NO_TAGS, Tags

#: What reading one picture, or making something of it, may raise, and what does not concern the next.
PICTURE_ERRORS = (ValueError, OSError, MemoryError, cv2.error)
_ROWS = 256


class Photo(typing.NamedTuple):
    """A picture and what its file says beside.

    Attributes:
        pixels: RGB, uint8 `[H, W, 3]`.
        tags: see `sodkeras.pictures.tags.Tags`.
        layered: RGBA, uint8 `[H, W, 4]`, of a picture that is transparent somewhere: what `pixels` shows over white.
    """

    pixels: np.ndarray
    tags: Tags = NO_TAGS
    layered: np.ndarray | None = None


def read_photo(
    source: str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray,
    announce: Callable[[int], Any] | None = None,
) -> Photo:
    """Reads a picture as the eye sees it: turned as EXIF says, transparency laid over white, 16 bits cut to 8.

    CMYK and Lab become sRGB; RGB of another profile stays as it is, and the profile is kept in the tags.

    Args:
        source: a path, the bytes of an image file, an open binary file, a PIL image, or an array `[H, W]`,
            `[H, W, 1]`, `[H, W, 3]` (RGB) or `[H, W, 4]` (RGBA) of uint8, uint16, bool, or floats in [0, 1].
        announce: called with the number of a file's pixels before they are decoded.

    Returns:
        `Photo`.

    Raises:
        SodkerasError: if the source is missing, damaged, cut off, of more pixels than
            `sodkeras.pictures.decode.max_pixels`, or no picture.
    """
    is_file = isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview, Image.Image))
    if not is_file and not hasattr(source, "read"):
        return _photo(np.asarray(source), NO_TAGS)
    assert not isinstance(source, np.ndarray)
    values, palette, tags = decode(source, announce)
    if palette is not None:
        values = (palette[:, :3] if (palette[:, 3] == 255).all() else palette)[values]
    try:
        return _photo(values, tags)
    except SodkerasError as error:
        raise SodkerasError(f"{error} in {source if isinstance(source, (str, os.PathLike)) else 'a file'}") from None


def read_picture(
    source: str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray,
) -> np.ndarray:
    """The pixels of `read_photo`: RGB, uint8 `[H, W, 3]`."""
    return read_photo(source).pixels


def _photo(values, tags):
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        raise SodkerasError(
            f"A picture is an array [H, W], or [H, W, C] with 1, 3 or 4 channels. Received: {values.shape}"
        )
    values = to_uint8(values)
    if values.shape[2] == 4 and values[..., 3].min() < 255:
        return Photo(_over_white(values), tags, values)
    if values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    return Photo(np.ascontiguousarray(values[..., :3]), tags)


def to_uint8(values: np.ndarray) -> np.ndarray:
    """uint8 of uint8, uint16 (its upper half), bool, or floats in [0, 1]; an array of uint8 is not copied.

    Raises:
        SodkerasError: for others, and for NaN.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        return (values >> 8).astype(np.uint8)
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if np.issubdtype(values.dtype, np.floating):
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # NaN fails too
            raise SodkerasError(f"A picture of floats has values in [0, 1]. Received: {low} to {high}")
        return np.round(values * 255).astype(np.uint8)
    raise SodkerasError(f"A picture is uint8, uint16, bool, or floats in [0, 1]. Received: {values.dtype}")


def _over_white(values):
    """RGB of RGBA; a few rows at a time, as photos have up to hundreds of megapixels."""
    result = np.empty((*values.shape[:2], 3), np.uint8)
    for top in range(0, len(values), _ROWS):
        rows = values[top : top + _ROWS]
        weight = rows[..., 3:].astype(np.uint16)
        result[top : top + _ROWS] = (rows[..., :3] * weight + 255 * (255 - weight) + 127) // 255
    return result
