"""Mean absolute error (MAE)."""

import numpy as np

from sodkeras.metrics.metric import Metric
from sodkeras.metrics.scored_map import ScoredMap

_VALUES = np.arange(256) / 255


class MeanAbsoluteError(Metric):
    """MAE: the mean of |map − ground truth| over a picture's pixels, averaged over the pictures; 0 is best.

    Source: Perazzi et al., "Saliency filters", CVPR 2012. An empty mask counts as any other.

    `result()` has "mae" in [0, 1].
    """

    def convention_in_words(self) -> str:
        return "mean |map − ground truth| of a picture, averaged over the pictures"

    def score(self, pair: ScoredMap) -> dict[str, float | np.ndarray]:
        background, salient = pair.counts
        return {"mae": (background @ _VALUES + salient @ (1 - _VALUES)) / pair.levels.size}
