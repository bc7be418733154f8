"""Foreground colours: the object's own where its edge is half transparent, without the old background's."""

import cv2
import numpy as np

# The longer side of the small picture that colours are averaged on, and the radii of the averages there: each is a
# finer look at what the one before found.
_SIDE = 512
_RADII = (51, 17, 6, 2)
# Pixels' worth of the estimate before, where hardly anything of the object, or of the background, is near.
_TRUST = 1e-3
# Pixels of the photo whose floats are held at a time.
_AT_ONCE = 1 << 18


def edge_colours(picture: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The object's colours where a picture is neither wholly object nor wholly background.

    An edge's pixel shows α·F + (1 - α)·B, of the object's colour F and the background's B. F is estimated by averages
    of colours weighted by α, B by 1 - α, and what they do not explain of the pixel is given to F, in ever smaller
    neighbourhoods. Source: Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021, with four averages in
    place of two, on a reduced picture.

    Args:
        picture: RGB, uint8 `[H, W, 3]`.
        alpha: how much of each pixel is the object, uint8 `[H, W]`.

    Returns:
        Rows and columns, `[N]` each, of the pixels whose alpha is neither 0 nor 255, and their colours, uint8 `[N, 3]`.
    """
    rows, columns = np.nonzero((alpha > 0) & (alpha < 255))
    colours = np.empty((len(rows), 3), np.uint8)
    if not len(rows):
        return rows, columns, colours
    foreground, background = _averages(picture, alpha)
    small = np.concatenate([foreground, background], axis=2).reshape(-1, 6)
    height, width = foreground.shape[:2]
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        y, x = rows[part], columns[part]
        above, below, down = _neighbours(y, len(picture), height)
        left, right, across = _neighbours(x, picture.shape[1], width)
        upper = small[above * width + left] * (1 - across) + small[above * width + right] * across
        lower = small[below * width + left] * (1 - across) + small[below * width + right] * across
        both = upper * (1 - down) + lower * down
        share = alpha[y, x, None] * np.float32(1 / 255)
        unexplained = picture[y, x] - share * both[:, :3] - (1 - share) * both[:, 3:]
        colours[part] = np.clip(np.rint(both[:, :3] + share * unexplained), 0, 255)
    return rows, columns, colours


def _averages(picture, alpha):
    """The object's and the background's colours around each pixel of a small picture, float32 `[h, w, 3]` each."""
    height, width = alpha.shape
    scale = min(1, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    colours = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    share = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / np.float32(255)
    foreground = background = colours
    for radius in _RADII:
        radius = max(1, round(radius * max(size) / _SIDE))
        seen = _average(foreground, share, radius), _average(background, 1 - share, radius)
        foreground = np.clip(seen[0] + share * (colours - share * seen[0] - (1 - share) * seen[1]), 0, 255)
        background = seen[1]
    return seen


def _average(colours, weights, radius):
    """The mean of the colours in a square around each pixel; where weights are next to nothing, its own colour."""
    summed = _sum(colours * weights, radius) + np.float32(_TRUST) * colours
    return summed / (_sum(weights, radius)[..., None] + np.float32(_TRUST))


def _sum(values, radius):
    size = 2 * radius + 1
    return cv2.boxFilter(values, -1, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT)


def _neighbours(places, count, small_count):
    """For pixels along one axis, the two of the small picture that they lie between, and how far from the first."""
    position = np.clip((places + 0.5) * (small_count / count) - 0.5, 0, small_count - 1)
    first = position.astype(np.int64)
    return first, np.minimum(first + 1, small_count - 1), (position - first).astype(np.float32)[:, None]
