"""Relaxed boundary F-measure."""

import cv2
import numpy as np

from sodkeras.metrics.metric import Metric
from sodkeras.metrics.scored_map import ScoredMap

_SQUARE = np.ones((3, 3), np.uint8)


class RelaxedBoundaryFMeasure(Metric):
    """F of relaxed boundary precision and recall of the map binarised at 0.5, averaged over the pictures; 1 is best.

    Source: Qin et al., "BASNet: Boundary-aware salient object detection", CVPR 2019, Sec. 4.3, after Ehrig and Euzenat,
    "Relaxed precision and recall for ontology matching", 2005; reported for U²-Net too. A boundary is one pixel wide:
    the object XOR its erosion by 3×3; the picture's edge is no boundary. Precision is the share of the map's boundary
    pixels at most ρ pixels (Euclidean) from the ground truth's boundary, recall the reverse.

    Where only one of the two has a boundary F is 0, where neither has one it is 1: an empty mask scores 1 for a map
    below the threshold everywhere.

    Args:
        radius: ρ.
        beta_squared: β².
        ground_truth_threshold, count_empty_masks: see `Metric`.

    `result()` has "boundary_f".
    """

    def __init__(
        self,
        radius: float = 3,
        beta_squared: float = 0.3,
        ground_truth_threshold: float = 0.5,
        count_empty_masks: bool = True,
    ) -> None:
        super().__init__(ground_truth_threshold, count_empty_masks)
        self.radius = radius
        self.beta_squared = beta_squared

    def convention_in_words(self) -> str:
        return (
            f"F-measure of one-pixel boundaries at 0.5, ρ = {self.radius:g} pixels, β² = {self.beta_squared:g}, "
            "averaged over the pictures"
        )

    def score(self, pair: ScoredMap) -> dict[str, float | np.ndarray]:
        found = _boundary((pair.levels > 127).view(np.uint8))
        wanted = _boundary(pair.mask.view(np.uint8))
        found_pixels, wanted_pixels = cv2.countNonZero(found), cv2.countNonZero(wanted)
        if not found_pixels or not wanted_pixels:
            return {"boundary_f": float(found_pixels == wanted_pixels)}
        disc = _disc(self.radius)
        precision = cv2.countNonZero(found & cv2.dilate(wanted, disc)) / found_pixels
        recall = cv2.countNonZero(wanted & cv2.dilate(found, disc)) / wanted_pixels
        if not precision:
            return {"boundary_f": 0.0}
        f = (1 + self.beta_squared) * precision * recall / (self.beta_squared * precision + recall)
        return {"boundary_f": f}


def _boundary(binary):
    return binary ^ cv2.erode(binary, _SQUARE)


def _disc(radius):
    reach = np.arange(-int(radius), int(radius) + 1)
    return (np.add.outer(reach**2, reach**2) <= radius**2).astype(np.uint8)
