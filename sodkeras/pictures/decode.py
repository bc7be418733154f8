"""What a picture's file holds, seen once: values, palette, transparency, turn and tags, by Pillow."""

import functools
import importlib
import io
import os
import threading
import typing
from collections.abc import Callable
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes
from sodkeras.pictures import jpeg
from sodkeras.pictures.tags import NO_TAGS, Tags, exif_of, tags_of

#: Set it, or give --max_pixels, to read larger pictures. In the environment, for the processes that a command starts.
MAX_PIXELS = "SODKERAS_MAX_PIXELS"
_DEFAULT_MAX_PIXELS = 200_000_000

# Pillow knows more, some of which start other programs (EPS) or are no pictures (HDF5).
_FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "JXL"),
    *("MPO", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
_PLUGINS = {"pillow_heif": "register_heif_opener", "pillow_jxl": None}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
_PNG = b"\x89PNG"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BIG_TIFF = (b"+\0", b"\0+")
# Rows that are decoded at a time: Pillow's own copy of a whole picture would be the third.
_ROWS = 256
_OPENING = threading.Lock()


class Decoded(typing.NamedTuple):
    """A picture as its file holds it, turned upright.

    Attributes:
        values: bool, uint8, uint16 or float32 `[H, W]`, uint8 or uint16 `[H, W, C]`, RGB or RGBA, or float32 RGB.
            Colours are not multiplied by alpha.
        palette: of `values` that are indexes, RGBA, uint8 `[256, 4]`; else None.
        tags: see `sodkeras.pictures.tags.Tags`.
    """

    values: np.ndarray
    palette: np.ndarray | None = None
    tags: Tags = NO_TAGS


def decode(
    source: str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Image.Image,
    announce: Callable[[int], Any] | None = None,
    with_key: bool = True,
) -> Decoded:
    """Decodes a picture.

    Args:
        source: a path, the bytes of an image file, an open binary file, or a PIL image.
        announce: called with the number of pixels before they are decoded.
        with_key: whether a value or colour that the file says to be transparent is so.

    Returns:
        `Decoded`.

    Raises:
        SodkerasError: if the source is missing, damaged, cut off, larger than it may be, or no picture.
    """
    content, name = None, str(source)
    if not isinstance(source, Image.Image):
        content, name = _content(source)
    try:
        image = source if content is None else _open(content, name)
        if image is None:
            return _decode_by_opencv(content, name, announce)
        return _decode(image, content, name, announce, with_key)
    except SodkerasError:
        raise
    except MemoryError:
        raise SodkerasError(f"The picture is larger than the memory that is left. Received: {name}") from None
    except Exception as error:  # of many kinds: decoders are not written for damaged files
        has_no_end = content is not None and content.startswith(_PNG) and b"IEND" not in content
        if has_no_end or "truncated" in str(error):
            raise _cut_off(name) from None
        raise _unknown(name) from None


def max_pixels() -> int:
    """The most pixels that a picture may have: the environment's `MAX_PIXELS`, or 200 million.

    Raises:
        SodkerasError: if the environment names no positive number.
    """
    text = os.environ.get(MAX_PIXELS, str(_DEFAULT_MAX_PIXELS))
    if not text.isdecimal() or not int(text):
        raise SodkerasError(f"{MAX_PIXELS} is the most pixels that a picture may have. Received: {text}")
    return int(text)


def orientation(path: str | os.PathLike) -> int:
    """How a file says that it is to be turned, EXIF's 1 to 8; 1, not at all, also for what is no picture."""
    try:
        return _turn(_open(*_content(path)))
    except Exception:  # for the readers to name
        return 1


def _content(source):
    """(bytes, name) of what is no PIL image."""
    if isinstance(source, (str, os.PathLike)):
        return read_bytes(source), str(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
    else:
        content = source.read()
        if not isinstance(content, bytes):
            raise SodkerasError(f'Open the picture\'s file as binary, with "rb". Received: {source}')
    if not content:
        raise SodkerasError("The picture is empty. Received: 0 bytes")
    return content, f"{len(content)} bytes"


@functools.cache
def _formats():
    for plugin, register in _PLUGINS.items():
        try:
            module = importlib.import_module(plugin)
        except ImportError:
            continue
        if register:
            getattr(module, register)()
    Image.init()
    return [kind for kind in _FORMATS if kind in Image.OPEN]


def _open(content, name):
    """A PIL image of which nothing is decoded yet; None for a TIFF that Pillow does not know.

    Raises:
        SodkerasError: for what is no picture.
    """
    if content.startswith(jpeg.START) and not jpeg.has_all_scans(content):
        raise _cut_off(name)
    formats = _formats()
    with _OPENING:  # Pillow's limit is the whole process's; ours is checked before anything is decoded
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(io.BytesIO(content), formats=formats)
        except Image.UnidentifiedImageError:
            if content[:4] in _TIFF:
                return None
            raise _unknown(name, content) from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    if image.format == "TIFF" and image.tag_v2.get(254, 0) & 1:
        raise SodkerasError(f"A raw photo's file shows no more than a preview; develop it to JPEG. Received: {name}")
    if image.format == "TIFF" and _is_odd_tiff(image):
        raise SodkerasError(f"The TIFF file is of a kind that is read wrongly; save it as PNG. Received: {name}")
    return image


def _is_odd_tiff(image):
    """Whether Pillow reads it wrongly: 12 bits; channels apart, in more than 8 bits or beside one of no meaning."""
    bits = image.tag_v2.get(258, (1,))
    apart = image.tag_v2.get(284, 1) == 2
    return not set(bits) <= {1, 2, 4, 8, 16, 32} or (apart and (max(bits) > 8 or 0 in image.tag_v2.get(338, ())))


def _unknown(name, content=b""):
    kind = None
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        kind, package = "HEIC", "sodkeras[heif]"
    elif content.startswith(_JXL):
        kind, package = "JPEG XL", "pillow-jxl-plugin"
    if kind:
        return SodkerasError(f"To read {kind} pictures, pip install '{package}'. Received: {name}")
    return SodkerasError(f"The file is damaged or of a kind that is not known as a picture. Received: {name}")


def _cut_off(name):
    return SodkerasError(f"The picture is cut off in the middle; get the whole file. Received: {name}")


def _check_size(width, height, name):
    if width * height > max_pixels():
        raise SodkerasError(
            f"The picture says to have more than {max_pixels()} pixels; if that is so, give --max_pixels or set "
            f"{MAX_PIXELS}. Received: {name} of {width}x{height}"
        )


def _decode(image, content, name, announce, with_key):
    _check_size(*image.size, name)
    if announce:
        announce(image.width * image.height)
    if image.format == "PNG" and content:
        _open(content, name).verify()  # the check sums, which decoding passes over
    image.load()
    if content and jpeg.may_be_filled(image, content):
        probe = _open(jpeg.with_more_data(content), name)
        if not np.array_equal(_array(image), _array(probe)):
            raise _cut_off(name)
    turn = _turn(image)
    if image.mode == "P":
        values, palette = _array(image), _palette(image)
    else:
        values, palette = _values(image, content, name, with_key), None
    return Decoded(_upright(values, turn), palette, tags_of(image))


def _turn(image):
    return exif_of(image).get(ExifTags.Base.Orientation, 1)


def _has_white_as_0(image):
    """Whether a grey TIFF says that 0 is white, which Pillow heeds in 8 bits only."""
    return image.format == "TIFF" and image.tag_v2.get(262) == 0


def _upright(values, turn):
    """Applies EXIF's turn, 1 to 8."""
    if turn in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        values = values[::-1]
    if turn in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def _array(image, mode=None):
    """The values of a PIL image, converted to another mode if one is given."""
    first, result = None, None
    for top in range(0, image.height, _ROWS):
        rows = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        first = np.asarray(rows.convert(mode) if mode else rows)
        if result is None:
            result = np.empty((image.height, *first.shape[1:]), first.dtype)
        result[top : top + _ROWS] = first
    return result


def _palette(image):
    entries = np.full((256, 4), 255, np.uint8)
    colours = np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
    entries[len(colours) :, :3] = 0
    entries[: len(colours), :3] = colours
    transparency = image.info.get("transparency")
    if isinstance(transparency, bytes):
        entries[: len(transparency), 3] = np.frombuffer(transparency, np.uint8)[:256]
    elif transparency is not None:
        entries[transparency, 3] = 0
    elif image.palette.mode == "RGBA":
        entries[: len(colours), 3] = np.asarray(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)[:256, 3]
    return entries


def _values(image, content, name, with_key):
    """Of a PIL image without a palette, see `Decoded`."""
    bits, colours = _png_depth(content)
    if bits == 16 and colours:  # of which Pillow keeps 8 bits
        values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        values = cv2.cvtColor(values, cv2.COLOR_BGRA2RGBA if values.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    elif image.mode == "F":
        return 1 - _array(image) if _has_white_as_0(image) else _array(image)
    elif image.mode.startswith("I"):
        values = _array(image)
        if values.min() < 0 or values.max() > 65535:
            raise SodkerasError(
                "A picture has up to 16 bits a channel; save it anew. "
                f"Received: {name} with values from {values.min()} to {values.max()}"
            )
        # Of more than 16 bits a channel, small numbers are those of 8.
        values = values.astype(np.uint8 if image.mode == "I" and values.max() <= 255 else np.uint16)
        if _has_white_as_0(image):
            values = np.iinfo(values.dtype).max - values
    elif image.mode in ("1", "L", "RGB", "RGBA"):
        values = _array(image)
    elif image.mode in ("LA", "La", "PA", "RGBa"):  # a small "a": colours are multiplied by alpha
        return _array(image.convert("LA") if image.mode == "La" else image, "RGBA")
    else:
        return _in_srgb(image)
    key = image.info.get("transparency")
    return values if key is None or not with_key or values.shape[2:] == (4,) else _with_transparent(values, key, bits)


def _png_depth(content):
    """(bits a channel, whether in colour or with alpha) of a PNG file; (8, False) of others."""
    if not content or not content.startswith(_PNG):
        return 8, False
    return content[24], content[25] in (2, 4, 6)


def _with_transparent(values, key, bits):
    """RGBA in which pixels of one value or colour are invisible.

    Args:
        values: bool, uint8 or uint16 `[H, W]` or RGB `[H, W, 3]`.
        key: the value, or the colour, in as many bits as the file has.
        bits: of the file.
    """
    key = np.asarray(key)
    if values.dtype == bool:
        values, key = values.astype(np.uint8) * 255, key != 0
        key = 255 * key
    elif bits < 8:
        key = key * (255 // (2**bits - 1))
    most = np.iinfo(values.dtype).max
    values = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    alpha = np.where((values == key).all(axis=2), values.dtype.type(0), values.dtype.type(most))
    return np.dstack([values, alpha])


def _in_srgb(image):
    """RGB of an image in other colours, such as CMYK, by its profile if it has one that serves."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, "RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # damaged, or of other colours than the image
        else:
            return _array(ImageCms.applyTransform(image, transform))
    if image.mode == "LAB":
        source, target = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return _array(ImageCms.profileToProfile(image, source, target, outputMode="RGB"))
    return _array(image, "RGB")


def _decode_by_opencv(content, name, announce):
    """Decodes the TIFF files that Pillow does not know: floats and 32 bits in colour. They are not turned."""
    tags = ImageFileDirectory_v2(content[: 16 if content[2:4] in _BIG_TIFF else 8])
    file = io.BytesIO(content)
    file.seek(tags.next)
    tags.load(file)
    width, height = tags[256], tags[257]
    _check_size(width, height, name)
    if announce:
        announce(width * height)
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise _unknown(name)
    if values.ndim == 3:
        values = cv2.cvtColor(values, cv2.COLOR_BGRA2RGBA if values.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    if values.dtype not in (np.uint8, np.uint16):
        values = values.astype(np.float32)
    return Decoded(values)
