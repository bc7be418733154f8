"""Masks and saliency maps in: every encoding that they come in becomes uint8 `[H, W]`, or is refused by name."""

import os

import cv2
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.pictures.decode import decode
from sodkeras.pictures.read import to_uint8

#: Kinds of `MaskError`.
CLASSES, UNCLEAR = "mask of classes", "unclear mask"

# PASCAL-S's masks say which share of its 12 subjects chose an object (Li et al., CVPR 2014): twelfths of 255, which its
# files round to the nearest. In 195 of them no object that is chosen at all is chosen by fewer than 5 of 12 at most.
_TWELFTHS = frozenset((255 * count + 6) // 12 for count in range(13))
_TWELFTHS_CUT = _TWELFTHS | {255 * count // 12 for count in range(13)}
_FAINTEST_GRADE = 106
# DUTS-TR's masks have 16 levels. With fewer than six, class numbers may be multiples of 17 by chance.
_SIXTEENTHS = frozenset(range(0, 256, 17))
_FEWEST_SIXTEENTHS = 6
# No picture of the field's sets has so many classes.
_MOST_CLASSES = 64
# A level that fills areas of a mask is a class; one that an edge passes through is a shade. Of all pixels.
_LARGEST_SHADE = 0.005
# Compression leaves levels so near to black and white, in masks of more levels than there are classes as low.
_NOISE, _NOISY_LEVELS = 8, 16
# Differences of the channels that compression leaves in a picture without colours.
_GREY_NOISE = 16
# How many of a refused mask's values its message names.
_NAMED = 6

_LUMINANCE = (0.299, 0.587, 0.114)


class MaskError(SodkerasError):
    """A mask that is whole as a picture, and that nobody can tell the object's pixels of.

    Attributes:
        kind: "mask of classes" or "unclear mask".
        found: what was found in it, in a few words.
    """

    kind, found = UNCLEAR, ""


def read_mask(path: str | os.PathLike, value: int | None = None) -> np.ndarray:
    """Reads a mask, whichever way its object is written down.

    =================================================  =======================================================
    the file                                           is read as
    =================================================  =======================================================
    grey of two values, such as 0/1, 0/2, 0/255        the darker is background (0), the lighter the object (255)
    colours or a palette of two, 1 bit a pixel         the same, by luminance
    one value everywhere                               black: no object; white: all object; others are refused
    grey with soft edges, shades or compression noise  as it is; also PASCAL-S's twelfths of 255, even one alone
    16 bits                                            0–255 where no value is above 255, otherwise cut to 8 bits
    one colour, and an alpha channel that varies       the alpha channel
    =================================================  =======================================================

    Args:
        path: the file.
        value: the object's class: an index of a palette, or a value of a grey picture as it is stored. Everything else
            is background.

    Returns:
        uint8 `[H, W]`, from 0 (background) to 255 (object).

    Raises:
        MaskError: for more than two values that are no shades, as masks of classes have; for one value that is neither
            black nor white; for colours beside an alpha channel that varies.
        SodkerasError: if the file is missing, damaged or no picture.
    """
    values, palette = _decoded(path)
    if value is not None:
        return _chosen(values, value, path)
    if palette is not None:
        return _from_palette(values, palette, path)
    return _from_grey(values, path) if values.ndim == 2 else _from_colours(values, path)


def read_map(path: str | os.PathLike) -> np.ndarray:
    """Reads a saliency map.

    Nothing is stretched: a faint map stays faint. 16 bits are cut to 8, unless no value is above 255: then the map was
    written as 0–255. The map of a cut-out is its alpha channel; that one grey counts as transparent says nothing.

    Returns:
        uint8 `[H, W]`, from 0 to 255.

    Raises:
        SodkerasError: if the file is missing, damaged or no picture, or in colour without an alpha channel that varies.
    """
    values, palette = _decoded(path)
    if palette is not None:
        values = palette[values]
        if _is_grey(values[..., :3]) and np.ptp(values[..., 0]):
            values = values[..., :3]
    if values.ndim == 2:
        return _to_8_bit(values)
    values, alpha = _to_8_bit(values[..., :3]), _to_8_bit(values[..., 3]) if values.shape[2] == 4 else None
    is_grey = _is_grey(values, _GREY_NOISE)
    if alpha is not None and alpha.min() != alpha.max():
        if is_grey and np.ptp(values[alpha > 0]) > _NOISE and not (values[..., 0] == alpha).all():
            raise _unclear("A saliency map is grey or the alpha channel; save it as grey", "grey and alpha", path)
        return alpha
    if is_grey:
        return cv2.cvtColor(values, cv2.COLOR_RGB2GRAY)
    if alpha is not None and not alpha.any():  # a cut-out that nothing is left of
        return alpha
    raise SodkerasError(f"A saliency map is grey, or the alpha channel of a cut-out. Received: {path}, in colour")


def _decoded(path):
    """(values, palette) of `decode`, without floats."""
    values, palette, _ = decode(path, with_key=False)
    if values.dtype == np.float32:
        if not (values.min() >= 0 and values.max() <= 1):  # NaN fails too
            raise _unclear("A mask or map of floats has values in [0, 1]", f"{values.min()} to {values.max()}", path)
        values = to_uint8(values)
    return values, palette


def _chosen(values, value, path):
    """The pixels of one class."""
    if values.ndim == 3:
        if values.shape[2] == 4 and values[..., 3].min() != values[..., 3].max():
            values = _alpha(values, path)
        elif _is_grey(values[..., :3]):
            values = values[..., 0]
        else:
            raise _unclear("A mask's value is a palette's index or a grey value", "colours", path)
    return (values == value).astype(np.uint8) * 255


def _from_palette(indexes, palette, path):
    used = np.flatnonzero(np.bincount(indexes.ravel(), minlength=256))
    entries = palette[used]
    if len(used) == 2:
        visible = entries[:, 3] > 0
        # What a transparent entry is painted with is nobody's choice.
        order = visible if visible[0] != visible[1] else entries[:, :3] @ _LUMINANCE
        if order[0] == order[1]:
            order = entries[:, 3]
        if order[0] == order[1]:
            raise _unclear("Neither of a mask's two values is the lighter", f"indexes {used[0]} and {used[1]}", path)
        return (indexes == used[np.argmax(order)]).astype(np.uint8) * 255
    if len(used) == 1 and entries[0, :3].tolist() not in ([0] * 3, [255] * 3):
        raise _one_value(f"palette index {used[0]}", path)
    if _is_grey(entries[None, :, :3]) and (entries[:, 3] == entries[0, 3]).all():
        return _from_grey(palette[:, 0][indexes], path)
    if (entries[:, :3] == entries[0, :3]).all():
        return _from_grey(palette[:, 3][indexes], path)
    raise _classes(used, "palette index", path)


def _from_colours(values, path):
    """Of RGB or RGBA `[H, W, C]`."""
    if values.shape[2] == 4:
        if values[..., 3].min() != values[..., 3].max():
            return _from_grey(_alpha(values, path), path)
        values = values[..., :3]
    if _is_grey(values):
        return _from_grey(np.ascontiguousarray(values[..., 0]), path)
    values = _to_8_bit(values)
    packed = values.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    found = np.unique(packed)
    luminance = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=-1) @ _LUMINANCE
    if len(found) == 2 and luminance[0] != luminance[1]:
        return (packed == found[np.argmax(luminance)]).astype(np.uint8) * 255
    if len(found) > _MOST_CLASSES and _is_grey(values, _GREY_NOISE):
        return _from_grey(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY), path)
    error = MaskError(
        "A mask is black and white; save one class's pixels in white, or as a palette's indexes for --mask_value=N. "
        f"Received: {path} with {_number(len(found), 'colour')}"
    )
    error.kind, error.found = (CLASSES if len(found) > 1 else UNCLEAR), _number(len(found), "colour")
    raise error


def _alpha(values, path):
    """The alpha channel of RGBA `[H, W, 4]`, which varies, if the colours say nothing else."""
    alpha = np.ascontiguousarray(values[..., 3])
    visible = values[alpha > 0][:, :3]
    premultiplied = (values[..., :3] == alpha[..., None]).all()
    if premultiplied or np.ptp(visible, axis=0).max() <= _NOISE:
        return alpha
    raise _unclear("A mask is grey, or the alpha channel of one colour; save it as grey", "colours and alpha", path)


def _from_grey(values, path):
    """Of bool, uint8 or uint16 `[H, W]`; uint8 is not copied where it stays as it is."""
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype == np.uint16 and values.max() > 255:
        return _from_16_bits(values, path)
    levels = values.astype(np.uint8, copy=False)
    used = np.flatnonzero(_counts(levels))
    low, high = used[0], used[-1]
    if len(used) == 1 and low not in (0, 255):
        raise _one_value(f"the value {low}", path)
    if len(used) == 2 and not (low == 0 and _is_grade(high)):
        return (levels == high).astype(np.uint8) * 255
    if len(used) > 2 and not _is_graded(used, levels):
        raise _classes(used, "value", path)
    return levels


def _from_16_bits(values, path):
    """Of uint16 `[H, W]` with values above 255."""
    used, levels = np.unique(values), _to_8_bit(values)
    if len(used) == 1 and used[0] < 65535:
        raise _one_value(f"the value {used[0]}", path)
    if len(used) == 2:
        return (values == used[1]).astype(np.uint8) * 255
    if 2 < len(used) <= _MOST_CLASSES:
        ranks = np.searchsorted(used, values).astype(np.uint8)
        if not _is_graded(used >> 8, ranks):
            raise _classes(used, "value", path)
    return levels


def _is_grade(level):
    return level >= _FAINTEST_GRADE and int(level) in _TWELFTHS


def _is_graded(used, values):
    """Whether more than two levels are shades of one object's mask.

    Args:
        used: the levels that occur in 8 bits, ascending.
        values: uint8 `[H, W]`, where unlike pixels are unlike.
    """
    if len(used) > _MOST_CLASSES:
        return True
    if used[-1] >= _FAINTEST_GRADE and _TWELFTHS_CUT.issuperset(used.tolist()):
        return True
    if used[-1] <= 127:
        return False
    if len(used) >= _FEWEST_SIXTEENTHS and _SIXTEENTHS.issuperset(used.tolist()):
        return True
    square = np.ones((3, 3), np.uint8)
    inside = (cv2.erode(values, square) == cv2.dilate(values, square)).view(np.uint8)
    areas = _counts(values, inside)[_counts(values) > 0][1:-1]
    if len(used) > _NOISY_LEVELS:
        areas = areas[(used[1:-1] >= _NOISE) & (used[1:-1] < 256 - _NOISE)]
    return areas.max(initial=0) <= _LARGEST_SHADE * values.size


def _counts(levels, where=None):
    """Pixels by level of uint8 `[H, W]`, `[256]`."""
    return cv2.calcHist([levels], [0], where, [256], [0, 256]).ravel()


def _is_grey(values, noise=0):
    """Whether RGB `[H, W, 3]` has no colours."""
    red, green, blue = cv2.split(np.ascontiguousarray(values))
    return max(cv2.norm(red, green, cv2.NORM_INF), cv2.norm(green, blue, cv2.NORM_INF)) <= noise


def _to_8_bit(values):
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype == np.uint16:
        return values.astype(np.uint8) if values.max() <= 255 else (values >> 8).astype(np.uint8)
    return np.ascontiguousarray(values)


def _one_value(value, path):
    sentence = "A mask of one value is black (no object) or white (all object); --mask_value=N chooses a class"
    return _unclear(sentence, f"{value} everywhere", path)


def _classes(found, unit, path):
    some = ", ".join(str(value) for value in found[:_NAMED])
    text = f"{_number(len(found), unit)}: {some}{' …' * (len(found) > _NAMED)}"
    error = MaskError(
        "The mask has more than two values and they are no shades: choose one class with --mask_value=N, or save its "
        f"pixels as 255 and all others as 0. Received: {path} with {text}"
    )
    error.kind, error.found = CLASSES, text
    return error


def _unclear(sentence, found, path):
    error = MaskError(f"{sentence}. Received: {path} with {found}")
    error.found = found
    return error


def _number(count, unit):
    plural = unit.replace("index", "indexe") + "s"
    return f"{count} {unit if count == 1 else plural}"
