"""Pictures out."""

import os
import struct
import zlib

import cv2
import numpy as np

from sodkeras.files import whole_file
from sodkeras.pictures.tags import NO_TAGS, Tags

#: The first chunk behind a PNG file's header that says that this package found an object in a picture.
RESULT = (b"tEXt", b"Software\0sodkeras")
#: Where a PNG file's first chunk, IHDR, ends; and its last chunk.
HEADER = 33
END = b"\0\0\0\0IEND\xaeB`\x82"
_ROWS = 256
_INCHES_A_METRE = 1 / 0.0254


def encode_png(array: np.ndarray, tags: Tags = NO_TAGS, overwrite: bool = False, made_of: str | None = None) -> bytes:
    """PNG bytes of an array: grey `[H, W]`, RGB `[H, W, 3]` or RGBA `[H, W, 4]`, uint8.

    Args:
        array: the values.
        tags: a photo's, see `sodkeras.pictures.tags.Tags`, which the file then says, too. A grey file has no colours
            for a profile to explain.
        overwrite: whether the array may be changed, which saves the memory of a copy.
        made_of: for a result, a digest of all that it follows from; the file says both, so that
            `sodkeras.pictures.find_pictures` leaves it out and `find.origin_of` tells whether it would be the same.
    """
    if array.ndim == 3:
        result = array if overwrite else np.empty_like(array)
        for top in range(0, len(array), _ROWS):
            rows = slice(top, top + _ROWS)
            result[rows] = cv2.cvtColor(array[rows], cv2.COLOR_RGBA2BGRA if array.shape[2] == 4 else cv2.COLOR_RGB2BGR)
        array = result
    content = cv2.imencode(".png", array)[1].tobytes()
    kind, said = RESULT
    chunks = _chunk(kind, said + b" " + made_of.encode()) if made_of is not None else b""
    if tags.profile and array.ndim == 3:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(tags.profile))
    if tags.resolution:
        across, down = (round(value * _INCHES_A_METRE) for value in tags.resolution)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    if tags.exif:
        chunks += _chunk(b"eXIf", tags.exif)
    return content[:HEADER] + chunks + content[HEADER:] if chunks else content


def _chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def encode_jpeg(picture: np.ndarray, quality: int = 92) -> bytes:
    """JPEG bytes of an RGB picture, uint8 `[H, W, 3]`."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def write_png(
    path: str | os.PathLike,
    array: np.ndarray,
    tags: Tags = NO_TAGS,
    overwrite: bool = False,
    made_of: str | None = None,
) -> None:
    """Writes an array as `encode_png` takes it; the file is whole or absent."""
    content = encode_png(array, tags, overwrite, made_of)
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
