"""Weighted F-measure."""

import cv2
import numpy as np

from sodkeras.metrics.metric import Metric

_FILTER = cv2.getGaussianKernel(7, 5).astype(np.float32)
_REACH = 3
_EPSILON = np.spacing(1.0)


def _offsets_by_squared_distance():
    """Offsets (row, column) from a pixel to where its nearest salient pixel may be, {squared distance: [offsets]}.

    Only pixels whose 7×7 neighbourhood holds a salient pixel are asked for. Of several nearest ones the first column
    counts, then the first row: the choice of SciPy's transform, and with it of PySODMetrics.
    """
    reach = range(-_REACH - 1, _REACH + 2)
    offsets = {}
    for column in reach:
        for row in reach:
            offsets.setdefault(row**2 + column**2, []).append((row, column))
    return {distance: offsets[distance] for distance in sorted(offsets) if 0 < distance <= 2 * _REACH**2}


_OFFSETS = _offsets_by_squared_distance()
# The weight of an error by squared distance to the object. Farther than the last entry it is 2 in float32.
_IMPORTANCE = (2 - np.exp(np.log(0.5) / 5 * np.sqrt(np.arange(2**14)))).astype(np.float32)


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

    def __init__(self, beta_squared=1.0, ground_truth_threshold=0.5, count_empty_masks=True):
        super().__init__(ground_truth_threshold, count_empty_masks)
        self.beta_squared = beta_squared

    def score(self, pair):
        salient_pixels = pair.salient_pixels
        if not salient_pixels:
            return {"weighted_f": 0.0}
        mask = pair.mask.view(np.uint8)
        # 255 − level is level XOR 255: the error in 8 bit, on both sides of the outline.
        error = (pair.levels ^ (mask * np.uint8(255))) * np.float32(1 / 255)
        distance = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # OpenCV's square roots differ in the last bit from run to run; the squares are integers.
        squared_distance = np.rint(np.square(distance, out=distance), out=distance)
        squared_distance = np.minimum(squared_distance, _IMPORTANCE.size - 1, out=distance).astype(np.intp)

        extended = _extend_over_outline(error, pair.mask, squared_distance)
        smoothed = cv2.sepFilter2D(extended, -1, _FILTER, _FILTER, borderType=cv2.BORDER_CONSTANT)
        missed = float(np.minimum(error, smoothed)[pair.mask].sum(dtype=np.float64))
        weighted = error * _IMPORTANCE[squared_distance]
        false_hits = float(weighted[~pair.mask].sum(dtype=np.float64))

        hits = salient_pixels - missed
        recall = hits / salient_pixels
        precision = hits / (hits + false_hits + _EPSILON)
        f = (1 + self.beta_squared) * recall * precision / (recall + self.beta_squared * precision + _EPSILON)
        return {"weighted_f": f}


def _extend_over_outline(error, mask, squared_distance):
    """The error, where background near the object takes the value of its nearest salient pixel; float32 `[H, W]`."""
    border = _REACH + 1  # so that no offset leaves the padded arrays
    salient, extended = np.pad(mask, border), np.pad(error, border)
    row_length = salient.shape[1]
    salient, values = salient.ravel(), extended.ravel()

    near = np.flatnonzero((squared_distance <= 2 * _REACH**2) & ~mask)
    squared_distance = squared_distance.ravel()[near]
    rows, columns = np.divmod(near, mask.shape[1])
    near = (rows + border) * row_length + columns + border
    for distance, offsets in _OFFSETS.items():
        left = near[squared_distance == distance]
        for row, column in offsets:
            source = left + (row * row_length + column)
            found = salient[source]
            values[left[found]] = values[source[found]]
            left = left[~found]
    return np.ascontiguousarray(extended[border:-border, border:-border])
