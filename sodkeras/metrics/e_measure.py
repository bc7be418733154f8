"""Enhanced-alignment measure (E-measure)."""

import numpy as np

from sodkeras.metrics.metric import Metric
from sodkeras.metrics.scored_map import ScoredMap


class EMeasure(Metric):
    """E of the map's binary versions: levels ≥ t for t = 0 … 255, and at the adaptive threshold; 1 is best.

    Source: Fan et al., "Enhanced-alignment measure for binary foreground map evaluation", IJCAI 2018. The curve is
    averaged over the pictures before its maximum and mean are taken. The adaptive threshold is twice the map's mean, at
    most 255.

    As in the authors' code, and unlike in the paper, the sum over W·H pixels is divided by W·H − 1 (by 1 for a picture
    of one pixel). An empty mask scores the share of pixels that are not selected, a full one the share that is.

    `result()` has "max_e", "mean_e" and "adaptive_e"; `curves()` has "e".
    """

    def convention_in_words(self) -> str:
        return "E-measure (divided by W·H − 1) at levels ≥ t, averaged over the pictures, then the maximum and the mean"

    def score(self, pair: ScoredMap) -> dict[str, float | np.ndarray]:
        false_hits, hits = pair.counts_from
        pixels, salient = pair.levels.size, pair.salient_pixels
        selected = hits + false_hits
        if salient == 0:
            total = pixels - selected
        elif salient == pixels:
            total = selected
        else:
            # A binary map less its mean has two values, and so has the mask: four kinds of pixels in all.
            map_mean, mask_mean = selected / pixels, salient / pixels
            total = (
                hits * _enhanced_alignment(1 - map_mean, 1 - mask_mean)
                + false_hits * _enhanced_alignment(1 - map_mean, -mask_mean)
                + (salient - hits) * _enhanced_alignment(-map_mean, 1 - mask_mean)
                + (pixels - salient - false_hits) * _enhanced_alignment(-map_mean, -mask_mean)
            )
        e = total / max(pixels - 1, 1)
        return {"e": e, "adaptive_e": e[pair.adaptive_level]}

    def result(self) -> dict[str, float]:
        means = self.means()
        return {
            "max_e": float(means["e"].max()),
            "mean_e": float(means["e"].mean()),
            "adaptive_e": float(means["adaptive_e"]),
        }

    def curves(self) -> dict[str, np.ndarray]:
        """E at the thresholds t = 0 … 255: a dict with "e", `[256]`."""
        return {"e": self.means()["e"]}


def _enhanced_alignment(map_value, mask_value):
    """φ = (1 + ξ)² / 4 with the alignment ξ = 2·a·b / (a² + b²); the mask's value b is never 0 here."""
    alignment = 2 * map_value * mask_value / (np.square(map_value) + mask_value**2)
    return np.square(1 + alignment) / 4
