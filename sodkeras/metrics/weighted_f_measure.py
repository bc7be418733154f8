"""Weighted F-measure."""

import cv2
import numpy as np

from sodkeras.metrics.metric import Metric
from sodkeras.metrics.scored_map import ScoredMap

_FILTER = cv2.getGaussianKernel(7, 5).astype(np.float32)
_REACH = 3
_EPSILON = np.spacing(1.0)


class WeightedFMeasure(Metric):
    """F of weighted precision and recall, on the map as it is, without thresholds; 1 is best.

    Source: Margolin et al., "How to evaluate foreground maps?", CVPR 2014, with the authors' constants: a Gaussian of
    7×7 with σ = 5 for the dependency between neighbours, weights 2 − exp(ln 0.5 / 5 · distance) for errors outside the
    object. Averaged over the pictures. An empty mask scores 0.

    Args:
        beta_squared: β², 1 in every published table.
        ground_truth_threshold, count_empty_masks: see `Metric`.

    `result()` has "weighted_f".
    """

    def __init__(
        self, beta_squared: float = 1.0, ground_truth_threshold: float = 0.5, count_empty_masks: bool = True
    ) -> None:
        super().__init__(ground_truth_threshold, count_empty_masks)
        self.beta_squared = beta_squared

    def convention_in_words(self) -> str:
        return f"weighted F-measure, β² = {self.beta_squared:g}, averaged over the pictures; 0 for an empty mask"

    def score(self, pair: ScoredMap) -> dict[str, float | np.ndarray]:
        if not pair.salient_pixels:
            return {"weighted_f": 0.0}
        mask = pair.mask.view(np.uint8)
        outside = 1 - mask
        # 255 − level is level XOR 255: the error in 8 bit, on both sides of the outline.
        error = (pair.levels ^ (mask * np.uint8(255))) * np.float32(1 / 255)

        # Nothing beyond the filter's reach matters to the errors on the object.
        left, top, width, height = cv2.boundingRect(mask)
        box = (slice(max(top - _REACH, 0), top + height + _REACH), slice(max(left - _REACH, 0), left + width + _REACH))
        extended = _extend_over_outline(error[box], mask[box])
        smoothed = cv2.sepFilter2D(extended, -1, _FILTER, _FILTER, borderType=cv2.BORDER_CONSTANT)
        recall = 1 - cv2.mean(np.minimum(error[box], smoothed), mask[box])[0]

        importance = _importance(outside)
        false_hits = cv2.mean(np.multiply(importance, error, out=importance), outside)[0] * cv2.countNonZero(outside)
        hits = recall * pair.salient_pixels
        precision = hits / (hits + false_hits + _EPSILON)
        f = (1 + self.beta_squared) * recall * precision / (recall + self.beta_squared * precision + _EPSILON)
        return {"weighted_f": f}


def _importance(outside):
    """The weight of an error, 2 − exp(ln 0.5 / 5 · distance to the object), float32 `[H, W]`."""
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's square roots differ in the last bit from run to run; the squares are integers.
    np.square(distance, out=distance)
    np.rint(distance, out=distance)
    np.sqrt(distance, out=distance)
    distance *= np.float32(np.log(0.5) / 5)
    np.exp(distance, out=distance)
    return np.subtract(np.float32(2), distance, out=distance)


def _extend_over_outline(error, mask):
    """The error, where background near the object takes the value of its nearest salient pixel; float32 `[H, W]`.

    Of several nearest ones the first column counts, then the first row: the choice of SciPy's distance transform, and
    with it of PySODMetrics. Background out of the filter's reach keeps its error.
    """
    border = _REACH + 1  # the nearest salient pixel is at most √(3² + 3²) away
    height, width = mask.shape
    offsets = range(-border, border + 1)
    # A candidate is squared distance, column offset and row offset in one number, so that the least is the nearest.
    # First the nearest salient pixel of each column, then of all columns.
    nothing = 1 << 14
    salient = np.full((height + 2 * border, width + 2 * border), nothing, np.uint16)
    salient[border:-border, border:-border][mask.view(bool)] = 0
    in_column = np.full((height, salient.shape[1]), nothing, np.uint16)
    for row in offsets:
        candidate = salient[border + row : border + row + height] + np.uint16(row**2 << 8 | row + border)
        np.minimum(in_column, candidate, out=in_column)
    nearest = np.full((height, width), nothing, np.uint16)
    for column in offsets:
        candidate = in_column[:, border + column : border + column + width]
        candidate = candidate + np.uint16(column**2 << 8 | column + border << 4)
        np.minimum(nearest, candidate, out=nearest)

    rows, columns = np.nonzero((nearest >= 1 << 8) & (nearest < (2 * _REACH**2 + 1) << 8))
    nearest = nearest[rows, columns].astype(np.intp)
    extended = error.copy()
    extended[rows, columns] = error[rows + (nearest & 15) - border, columns + (nearest >> 4 & 15) - border]
    return extended
