"""What a network expects of a picture, and the way back to the picture's size."""

import dataclasses

import cv2
import numpy as np

from sodkeras.errors import SodkerasError

#: ImageNet statistics of RGB in [0, 1], which every network of this project was published with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STANDARD_DEVIATION = (0.229, 0.224, 0.225)

# Ten times what any network here takes: larger is no wish but a damaged file.
_LARGEST = 8192
_INTERPOLATIONS = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """The steps from an RGB picture to a network's input: resize (aspect ignored), divide, normalise.

    Args:
        size: (height, width) of the network's input in pixels.
        mean, standard_deviation: per RGB channel, of values in [0, 1].
        interpolation: "bilinear" (half-pixel centres, no smoothing when shrinking: what the papers' codes do) or
            "area" (the mean over the covered pixels).
        divisor: "255", or "maximum": the largest value of the resized picture, as U²-Net was trained. A dark picture is
            brightened by it.

    Raises:
        SodkerasError: for a size, a deviation, an interpolation or a divisor that cannot work.
    """

    size: tuple[int, int] = (320, 320)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    standard_deviation: tuple[float, float, float] = IMAGENET_STANDARD_DEVIATION
    interpolation: str = "bilinear"
    divisor: str = "255"

    def __post_init__(self):
        for name, kind, count in (("size", int, 2), ("mean", float, 3), ("standard_deviation", float, 3)):
            try:
                values = tuple(kind(value) for value in getattr(self, name))
            except (TypeError, ValueError, OverflowError):
                values = ()
            if len(values) != count:
                raise SodkerasError(f"Preprocessing needs {count} numbers as {name}. Received: {getattr(self, name)!r}")
            object.__setattr__(self, name, values)
        if not 1 <= min(self.size) <= max(self.size) <= _LARGEST:
            raise SodkerasError(
                f"Preprocessing needs a height and width from 1 to {_LARGEST}. Received: size={self.size}"
            )
        if not (np.isfinite([*self.mean, *self.standard_deviation]).all() and min(self.standard_deviation) > 0):
            raise SodkerasError(
                "Preprocessing needs finite means and positive standard deviations. "
                f"Received: {self.mean} and {self.standard_deviation}"
            )
        for name, known in (("interpolation", tuple(_INTERPOLATIONS)), ("divisor", ("255", "maximum"))):
            if getattr(self, name) not in known:
                raise SodkerasError(f"Preprocessing takes {name} from {known}. Received: {getattr(self, name)!r}")

    def __call__(self, picture):
        """Turns an RGB picture, uint8 `[H, W, 3]`, into the network's input, float32 `[1, height, width, 3]`."""
        height, width = self.size
        resized = cv2.resize(picture, (width, height), interpolation=_INTERPOLATIONS[self.interpolation])
        deviation = np.float32(self.standard_deviation)
        # A black picture has no maximum to speak of and stays black.
        divisor = 255 if self.divisor == "255" else max(int(resized.max()), 1)
        scaled = resized * (np.float32(1 / divisor) / deviation)
        scaled -= np.float32(self.mean) / deviation
        return scaled[None]

    def restore(self, saliency_map, picture_size):
        """Resizes a saliency map `[h, w]` to a picture's (height, width), bilinear; values stay in their range."""
        height, width = picture_size
        if saliency_map.shape == (height, width):
            return saliency_map
        return cv2.resize(saliency_map, (width, height), interpolation=cv2.INTER_LINEAR)

    def to_dict(self):
        """A plain dict that JSON carries unchanged and `Preprocessing.from_dict` reads."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values):
        """Reads what `to_dict` wrote; raises SodkerasError for keys of another version."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SodkerasError(
                f"This version of sodkeras knows the preprocessing keys {sorted(known)}. Received: {unknown}"
            )
        return cls(**values)
