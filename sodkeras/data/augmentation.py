"""Augmentation: a picture and its mask, changed at random and together, and made into a network's input."""

import dataclasses
from typing import Any, Self

import cv2
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.preprocessing import Preprocessing

#: How a mask is resized: "soft" (bilinear, shades at its edges) or "nearest" (no value that was not there).
MASKS = {"soft": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST_EXACT}

_SHARES = ("left_right", "up_down", "crop_share", "paste", "brightness", "contrast", "saturation")
_AMOUNTS = ("border_crop", "hue", "noise", "blur")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is done to a pair at random; every amount is drawn anew for every pair of every epoch.

    The steps are: paste, which `sodkeras.data.batches.Batches` does, and crop, at the picture's own size; resize to the
    network's; crop to `crop_to`; flip; change colours.
    The mask goes along with what moves. Settings of the papers' released codes:

    | network | settings |
    |---|---|
    | CSNet | `left_right=0.25, up_down=0.25, one_flip=True, border_crop=15` |
    | U²-Net | `left_right=0.5, up_down=0.5, crop_to=(288, 288)`, size 320×320, masks "nearest" |
    | CII | `left_right=0, crop_share=0.125` |
    | CSF | `left_right=0.5` |

    Args:
        left_right, up_down: probability of either flip, in [0, 1].
        one_flip: whether a picture is flipped one way at most; the two probabilities then add up to 1 or less.
        border_crop: pixels n of the picture's own: 0 to n-1 are cut off top and left, 1 to n off bottom and right; of a
            small picture never more than a quarter of its side. 0 cuts off nothing.
        crop_share: the largest share of height and of width that is cut off, each on its own, in [0, 1).
        crop_to: (height, width) of the window that is cut out of the resized picture and becomes the network's input.
        scale: (smallest, largest) factor by which things grow at random: above 1 a part of the picture is seen, below 1
            it is surrounded by the mean colour, with an empty mask.
        paste: probability that another pair's object is pasted into the picture first.
        brightness: the largest change, as a share of white.
        contrast, saturation: the largest change of the factor by which the distance to the picture's mean grey, or to a
            pixel's own grey, is multiplied.
        hue: the largest turn in degrees.
        noise: the largest standard deviation of Gaussian noise, in 8-bit levels.
        blur: the largest standard deviation of a Gaussian blur, in pixels of the network's input.

    Raises:
        SodkerasError: for a setting out of its range.
    """

    left_right: float = 0.5
    up_down: float = 0.0
    one_flip: bool = False
    border_crop: int = 0
    crop_share: float = 0.0
    crop_to: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    paste: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    noise: float = 0.0
    blur: float = 0.0

    def __post_init__(self):
        for name in ("crop_to", "scale"):  # what JSON makes lists of
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in _SHARES + _AMOUNTS:
            value, limit = getattr(self, name), 1 if name in _SHARES else np.inf
            if not _is_number(value) or not 0 <= value <= limit or (name == "crop_share" and value == 1):
                raise SodkerasError(
                    f"Augmentation takes {name} from 0 {f'to {limit}' if limit == 1 else 'up'}. Received: {value!r}"
                )
        if self.border_crop != int(self.border_crop):
            raise SodkerasError(f"Augmentation takes border_crop in whole pixels. Received: {self.border_crop}")
        if self.one_flip and self.left_right + self.up_down > 1:
            raise SodkerasError(
                "With one_flip the probabilities of Augmentation's flips add up to 1 at most. "
                f"Received: {self.left_right} and {self.up_down}"
            )
        if not _are_two(self.scale) or not 0 < self.scale[0] <= self.scale[1]:
            raise SodkerasError(
                f"Augmentation takes scale as two positive factors, the smaller first. Received: {self.scale!r}"
            )
        if self.crop_to is not None and (
            not _are_two(self.crop_to) or min(self.crop_to) < 1 or any(side != int(side) for side in self.crop_to)
        ):
            raise SodkerasError(f"Augmentation takes crop_to as a height and a width. Received: {self.crop_to!r}")

    @classmethod
    def none(cls) -> Self:
        """No change at all."""
        return cls(left_right=0.0)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict that JSON carries unchanged and `Augmentation.from_dict` reads."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Reads what `to_dict` wrote; raises SodkerasError for settings that there are not."""
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise SodkerasError(f"Augmentation has the settings {', '.join(known)}. Received: {', '.join(unknown)}")
        return cls(**values)

    def size(self, preprocessing: Preprocessing) -> tuple[int, int]:
        """(height, width) of what comes out."""
        if self.crop_to is None:
            return preprocessing.size
        if self.crop_to[0] > preprocessing.size[0] or self.crop_to[1] > preprocessing.size[1]:
            raise SodkerasError(
                f"Augmentation cannot crop to more than the size of the preprocessing, {preprocessing.size}. "
                f"Received: crop_to={self.crop_to}"
            )
        return int(self.crop_to[0]), int(self.crop_to[1])

    def __call__(
        self,
        picture: np.ndarray,
        mask: np.ndarray,
        preprocessing: Preprocessing,
        rng: np.random.Generator,
        masks: str = "soft",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Makes a network's input and its target of a pair.

        Where nothing is changed, the input equals `preprocessing(picture)`.

        Args:
            picture: RGB, uint8 `[H, W, 3]`.
            mask: uint8 `[H, W]`, 255 where the object is.
            preprocessing: the network's `sodkeras.Preprocessing`.
            rng: a `numpy.random.Generator`; the same state gives the same result.
            masks: how the mask is resized, one of `MASKS`.

        Returns:
            (input, float32 `[h, w, 3]`; target, float32 `[h, w, 1]` in [0, 1]); of `size(preprocessing)`.
        """
        picture, mask = self._crop(picture, mask, preprocessing, rng)
        height, width = preprocessing.size
        mask = cv2.resize(mask, (width, height), interpolation=MASKS[masks])
        window, flips = self._window(preprocessing, rng), self._flips(rng)
        if self.crop_to is None and not self._changes_colours:
            x = preprocessing(picture)[0]
        else:
            picture = resize_picture(picture, preprocessing)[window]
            if self._changes_colours:
                picture = self._change_colours(picture, rng)
            size = self.size(preprocessing)
            x = dataclasses.replace(preprocessing, size=size)(picture)[0]
        y = mask[window] * np.float32(1 / 255)
        return np.ascontiguousarray(x[flips]), np.ascontiguousarray(y[flips])[..., None]

    @property
    def _changes_colours(self):
        return any((self.brightness, self.contrast, self.saturation, self.hue, self.noise, self.blur))

    def _crop(self, picture, mask, preprocessing, rng):
        """The window that border_crop, crop_share and scale leave of a pair, at the picture's own size."""
        sides = []
        for side in picture.shape[:2]:
            start, stop = 0, side
            if self.border_crop:
                limit = min(self.border_crop, side // 4)
                if limit:
                    start, stop = int(rng.integers(limit)), side - 1 - int(rng.integers(limit))
            if self.crop_share:
                rest = max(round((stop - start) * (1 - rng.uniform(0, self.crop_share))), 1)
                start += int(rng.integers(stop - start - rest + 1))
                stop = start + rest
            sides.append([start, stop])
        factor = 1.0 if self.scale == (1.0, 1.0) else rng.uniform(*self.scale)
        border = [0, 0, 0, 0]
        if factor != 1:
            for axis, (start, stop) in enumerate(sides):
                length = max(round((stop - start) / factor), 1)
                offset = int(rng.integers(abs(stop - start - length) + 1))
                if length <= stop - start:
                    sides[axis] = [start + offset, start + offset + length]
                else:
                    border[2 * axis : 2 * axis + 2] = [offset, length - (stop - start) - offset]
        window = tuple(slice(start, stop) for start, stop in sides)
        picture, mask = picture[window], mask[window]
        if any(border):
            colour = [round(255 * value) for value in preprocessing.mean]
            picture = cv2.copyMakeBorder(picture, *border, cv2.BORDER_CONSTANT, value=colour)
            mask = cv2.copyMakeBorder(mask, *border, cv2.BORDER_CONSTANT, value=0)
        return picture, mask

    def _window(self, preprocessing, rng):
        """Where crop_to lies in the resized picture."""
        sides = zip(preprocessing.size, self.size(preprocessing), strict=True)
        starts = [(int(rng.integers(whole - side + 1)), side) for whole, side in sides]
        return tuple(slice(start, start + side) for start, side in starts)

    def _flips(self, rng):
        across, upside_down = rng.random(2)
        if self.one_flip:
            # One number decides: the flips share its range.
            upside_down = self.left_right <= across < self.left_right + self.up_down
            across = across < self.left_right
        else:
            across, upside_down = across < self.left_right, upside_down < self.up_down
        return slice(None, None, -1 if upside_down else 1), slice(None, None, -1 if across else 1)

    def _change_colours(self, picture, rng):
        """Changes an RGB picture, uint8."""
        picture = picture * np.float32(1 / 255)
        brightness, contrast, saturation, hue = rng.uniform(-1, 1, 4)
        noise, blur = rng.uniform(0, 1, 2)
        picture += np.float32(self.brightness * brightness)
        if self.contrast:
            mean = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).mean()
            picture = mean + (picture - mean) * np.float32(1 + self.contrast * contrast)
        if self.saturation:
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
            picture = grey + (picture - grey) * np.float32(1 + self.saturation * saturation)
        if self.hue:
            hsv = cv2.cvtColor(np.clip(picture, 0, 1), cv2.COLOR_RGB2HSV)
            hsv[..., 0] = (hsv[..., 0] + self.hue * hue) % 360
            picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        if self.blur * blur > 0.1:  # a narrower one changes nothing
            picture = cv2.GaussianBlur(picture, (0, 0), self.blur * blur)
        if self.noise:
            picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(self.noise * noise / 255)
        return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def resize_picture(picture: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """The picture, RGB uint8, at the size of the preprocessing and with its interpolation, uint8 `[h, w, 3]`."""
    plain = dataclasses.replace(preprocessing, mean=(0, 0, 0), standard_deviation=(1, 1, 1), divisor="255")
    return np.rint(plain(picture)[0] * 255).astype(np.uint8)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_two(values):
    return isinstance(values, tuple) and len(values) == 2 and all(map(_is_number, values))
