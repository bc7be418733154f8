"""The salient object alone: on nothing, on a colour, on another picture, or before its own background, blurred."""

import dataclasses
import hashlib
import os

import cv2
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.pictures.compositing import grey
from sodkeras.pictures.foreground import edge_colours
from sodkeras.pictures.read import Photo, read_photo

#: What is done about the old background in the edges.
EDGES = ("clean", "raw")

# The longer side at which a background is blurred, the boxes' radius as a share of it, and how often they pass.
_BLURRED_SIDE, _BLUR, _PASSES = 256, 0.03, 3
# Of the object's pixels, so that something stands behind it.
_LEAST = 1e-3
# Above this the object is there, when the picture is cropped to it.
_OBJECT = 127
_ROWS = 256


@dataclasses.dataclass(frozen=True)
class CutOut:
    """How the object is cut out of a photo.

    Args:
        edges: "clean": half-transparent pixels get the object's own colours; "raw": they keep the photo's, with the old
            background in them.
        background: None for transparency; RGB of a colour; a picture, RGB, uint8 `[h, w, 3]`, that is enlarged or
            reduced to fill the photo and cut off evenly; or "blur", the photo's own. See `read_background`.
        crop: None for the whole photo; or the margin to leave around the object, as a share of its longer side.
        mask_threshold: None for the map as it is; or a value in [0, 1) above which it counts as 1, and else as 0.

    Raises:
        SodkerasError: for a value that cannot be.
    """

    edges: str = "clean"
    background: str | tuple[int, int, int] | np.ndarray | None = None
    crop: float | None = None
    mask_threshold: float | None = None

    def __post_init__(self) -> None:
        if self.edges not in EDGES:
            raise SodkerasError(f"Edges are one of {', '.join(EDGES)}. Received: {self.edges!r}")
        if isinstance(self.background, str) and self.background != "blur":
            raise SodkerasError(
                f"A background is None, RGB, an array, or 'blur'; read_background reads others. "
                f"Received: {self.background!r}"
            )
        if self.crop is not None and not self.crop >= 0:
            raise SodkerasError(f"The margin of a crop is not negative. Received: {self.crop}")
        if self.mask_threshold is not None and not 0 <= self.mask_threshold < 1:
            raise SodkerasError(f"The threshold of a mask is in [0, 1). Received: {self.mask_threshold}")

    def fingerprint(self) -> str:
        """A text that is another for another cut-out of the same map."""
        background = self.background
        if isinstance(background, np.ndarray):
            background = f"{background.shape} {hashlib.sha256(background.tobytes()).hexdigest()}"
        return f"{self.edges} {background} {self.crop} {self.mask_threshold}"

    def levels(self, saliency_map: np.ndarray) -> np.ndarray:
        """The map in 8 bits, uint8 `[H, W]`, after the threshold."""
        if self.mask_threshold is None:
            return grey(saliency_map)
        limit = self.mask_threshold * (255 if saliency_map.dtype == np.uint8 else 1)
        return np.where(saliency_map > limit, np.uint8(255), np.uint8(0))

    def __call__(self, photo: Photo, saliency_map: np.ndarray, overwrite: bool = False) -> np.ndarray:
        """Cuts the object out.

        Args:
            photo: the photo; if it is transparent itself, the two transparencies are multiplied.
            saliency_map: `[H, W]` in [0, 1], or in 8 bits from `grey`, of the photo's size.
            overwrite: whether `photo.layered` may be changed, which saves the memory of a copy.

        Returns:
            RGBA, uint8 `[h, w, 4]`, or before a background RGB, uint8 `[h, w, 3]`.
        """
        alpha = self.levels(saliency_map)
        if photo.layered is None:
            result = np.dstack([photo.pixels, alpha])
        else:
            result = photo.layered if overwrite else photo.layered.copy()
        if self.edges == "clean":
            rows, columns, colours = edge_colours(
                photo.pixels if photo.layered is None else np.ascontiguousarray(result[..., :3]), alpha
            )
            result[rows, columns, :3] = colours
        if photo.layered is not None:
            result[..., 3] = cv2.multiply(result[..., 3], alpha, scale=1 / 255)
        if self.background is not None:
            result = _before(result, self._behind(photo, alpha))
        return result if self.crop is None else result[_box(alpha, self.crop)]

    def _behind(self, photo, alpha):
        """The background at the photo's size, uint8 `[H, W, 3]`."""
        if isinstance(self.background, str):
            return _blurred(photo.pixels, alpha)
        if isinstance(self.background, np.ndarray):
            return _filling(self.background, *alpha.shape)
        return np.broadcast_to(np.uint8(self.background), (*alpha.shape, 3))


def read_background(text: str | os.PathLike) -> str | tuple[int, int, int] | np.ndarray:
    """A background as it is typed: "blur"; a colour, as white, #ff8800 or "rgb(255, 136, 0)"; or a picture's file.

    Raises:
        SodkerasError: for what is none of these, or a picture that cannot be read.
    """
    from PIL import ImageColor

    text = os.fspath(text)
    if text == "blur":
        return text
    if not os.path.exists(text):
        try:
            return ImageColor.getrgb(text)[:3]
        except ValueError:
            raise SodkerasError(
                f"A background is blur, a colour as white or #ff8800, or the file of a picture. Received: {text}"
            ) from None
    return read_photo(text).pixels


def _before(layered, behind):
    """RGBA before a background, as RGB; in rows, for the floats of a photo of 100 megapixels are too many."""
    result = np.empty(behind.shape, np.uint8)
    for top in range(0, len(layered), _ROWS):
        rows = slice(top, top + _ROWS)
        share = layered[rows, :, 3:] * np.float32(1 / 255)
        result[rows] = np.rint(layered[rows, :, :3] * share + behind[rows] * (1 - share))
    return result


def _filling(picture, height, width):
    """The middle of a picture, at a size, whatever its aspect."""
    scale = min(len(picture) / height, picture.shape[1] / width)
    tall, wide = max(1, round(scale * height)), max(1, round(scale * width))
    top, left = (len(picture) - tall) // 2, (picture.shape[1] - wide) // 2
    middle = picture[top : top + tall, left : left + wide]
    shrinks = height < tall
    return cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _blurred(picture, alpha):
    """The background, blurred; the object is left out of the mean, so that it casts no glow around itself."""
    height, width = alpha.shape
    scale = min(1, _BLURRED_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    weights = 1 + np.float32(_LEAST) - cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) / np.float32(255)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    both = np.dstack([small * weights[..., None], weights]).astype(np.float32)
    side = 2 * max(1, round(max(size) * _BLUR)) + 1
    for _ in range(_PASSES):
        # Sums of what lies in the picture: their quotient is a mean at its ends, too.
        both = cv2.boxFilter(both, -1, (side, side), borderType=cv2.BORDER_CONSTANT)
    mean = np.clip(np.rint(both[..., :3] / both[..., 3:]), 0, 255).astype(np.uint8)
    return cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)


def _box(alpha, margin):
    """The rows and columns around the object; all of them where there is none."""
    rows, columns = (np.flatnonzero((alpha > _OBJECT).any(axis)) for axis in (1, 0))
    if not len(rows):
        return slice(None), slice(None)
    ends = [(places[0], places[-1] + 1) for places in (rows, columns)]
    space = round(margin * max(last - first for first, last in ends))
    return tuple(slice(max(0, first - space), last + space) for first, last in ends)
