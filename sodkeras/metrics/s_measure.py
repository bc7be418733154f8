"""Structure measure (S-measure)."""

import math

import cv2
import numpy as np

from sodkeras.metrics.metric import Metric
from sodkeras.metrics.scored_map import ScoredMap

_LEVELS = np.arange(256)
# The authors' code adds it to divisors; equality with their tools needs the same number.
_EPSILON = np.spacing(1.0)


class SMeasure(Metric):
    """S = max(0, α·S_object + (1 − α)·S_region), averaged over the pictures; 1 is best.

    Source: Fan et al., "Structure-measure: A new way to evaluate foreground maps", ICCV 2017; S_object with λ = 0.5,
    S_region over the four parts that meet at the centroid of the ground truth, each weighted by its area.

    An empty mask scores 1 − the map's mean, a full one the map's mean (the authors' code). A part without pixels weighs
    nothing: PySODMetrics returns NaN for a picture whose centroid is on the last row or column.

    All sums are integers, so that "the map is constant here" is decided exactly, not by the rounding of a mean.

    Args:
        alpha: α, the weight of the object-aware half.
        ground_truth_threshold, count_empty_masks: see `Metric`.

    `result()` has "s".
    """

    def __init__(self, alpha: float = 0.5, ground_truth_threshold: float = 0.5, count_empty_masks: bool = True) -> None:
        super().__init__(ground_truth_threshold, count_empty_masks)
        self.alpha = alpha

    def convention_in_words(self) -> str:
        return f"S-measure, α = {self.alpha:g}, averaged over the pictures"

    def score(self, pair: ScoredMap) -> dict[str, float | np.ndarray]:
        pixels, salient = pair.levels.size, pair.salient_pixels
        if salient in (0, pixels):
            mean = int(pair.counts.sum(axis=0) @ _LEVELS) / (255 * pixels)
            return {"s": mean if salient else 1 - mean}
        return {"s": max(0.0, self.alpha * _object_score(pair) + (1 - self.alpha) * _region_score(pair))}


def _object_score(pair):
    background, salient = pair.counts
    share = pair.salient_pixels / pair.levels.size
    return share * _uniformity(salient) + (1 - share) * _uniformity(background[::-1])


def _uniformity(counts):
    """2·x̄ / (x̄² + 1 + σ) of the values in [0, 1] with these counts by level."""
    pixels = int(counts.sum())
    total, squares = int(counts @ _LEVELS), int(counts @ _LEVELS**2)
    mean = total / (255 * pixels)
    variance = (pixels * squares - total**2) / (255**2 * pixels * max(pixels - 1, 1))
    return 2 * mean / (mean**2 + 1 + math.sqrt(variance) + _EPSILON)


def _region_score(pair):
    levels, mask = pair.levels, pair.mask.view(np.uint8)
    height, width = levels.shape
    row = _centroid(cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)) + 1
    column = _centroid(cv2.reduce(mask, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)) + 1
    planes = (levels, np.square(levels, dtype=np.uint16), mask, levels * mask)
    score = 0.0
    for rows in (slice(0, row), slice(row, height)):
        for columns in (slice(0, column), slice(column, width)):
            pixels = levels[rows, columns].size
            if pixels:
                sums = [int(cv2.sumElems(plane[rows, columns])[0]) for plane in planes]
                score += pixels / levels.size * _similarity(pixels, *sums)
    return score


def _centroid(counts):
    """The mean index of what is counted along one axis, rounded half to even as NumPy does."""
    counts = counts.ravel()
    return round(int(counts @ np.arange(counts.size)) / int(counts.sum()))


def _similarity(pixels, total, squares, salient, products):
    """SSIM of one part, without the constants of its original: 4·x̄·ȳ·σxy / ((x̄² + ȳ²)·(σx² + σy²)).

    The sums are over the part: of the levels, their squares, the mask, and the levels on the mask.
    """
    x, y = total / (255 * pixels), salient / pixels
    degrees = pixels * (pixels - 1 + _EPSILON)
    variance_x = (pixels * squares - total**2) / 255**2 / degrees
    variance_y = (pixels * salient - salient**2) / degrees
    covariance = (pixels * products - total * salient) / 255 / degrees
    numerator = 4 * x * y * covariance
    denominator = (x**2 + y**2) * (variance_x + variance_y)
    if numerator == 0:
        return float(denominator == 0)
    return numerator / (denominator + _EPSILON)
