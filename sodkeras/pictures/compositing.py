"""What a saliency map is looked at with: in grey, or laid over the photo."""

import cv2
import numpy as np

_ROWS = 256


def grey(saliency_map: np.ndarray) -> np.ndarray:
    """The map as uint8 `[H, W]`: 0 background, 255 salient; values are rounded, never stretched.

    This is the map to look at and to cut out with, as near to the network's as 8 bits allow. Scores are computed on
    floor(255·s) instead, as the papers save their maps, see `sodkeras.metrics.ScoredMap`: a level lower where they
    differ.
    """
    if saliency_map.dtype == np.uint8:
        return saliency_map
    return cv2.convertScaleAbs(saliency_map, alpha=255)


def overlay(
    picture: np.ndarray, saliency_map: np.ndarray, colour: tuple[int, int, int] = (255, 64, 0), strength: float = 0.6
) -> np.ndarray:
    """The photo, desaturated and dimmed where nothing is salient, tinted where something is.

    Args:
        picture: RGB, uint8 `[H, W, 3]`.
        saliency_map: `[H, W]` in [0, 1], or in 8 bits from `grey`.
        colour: RGB of the tint.
        strength: 0 leaves the photo, 1 gives pure tint on a black background.

    Returns:
        RGB, uint8 `[H, W, 3]`.
    """
    result = np.empty_like(picture)
    for top in range(0, len(picture), _ROWS):  # the floats of a few rows at a time: a photo may have 100 megapixels
        rows = slice(top, top + _ROWS)
        salient = saliency_map[rows, :, None]
        if salient.dtype == np.uint8:
            salient = salient / np.float32(255)
        weight = salient * np.float32(strength)
        tinted = picture[rows] * (1 - weight) + np.asarray(colour, np.float32) * weight
        dimmed = cv2.cvtColor(picture[rows], cv2.COLOR_RGB2GRAY)[..., None] * np.float32(1 - strength / 2)
        result[rows] = np.round(tinted * salient + dimmed * (1 - salient))
    return result
