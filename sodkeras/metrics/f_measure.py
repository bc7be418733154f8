"""F-measure with β² = 0.3, precision–recall and F–threshold curves, in the two conventions of the field."""

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.metrics.metric import Metric
from sodkeras.metrics.scored_map import ScoredMap

#: The convention's name and what it adds to the names of its results.
CONVENTIONS = {"averaged precision-recall": "", "per-image curves": "_per_image"}

_EPSILON = 1e-4


class FMeasure(Metric):
    """F = (1 + β²)·P·R / (β²·P + R), over 256 thresholds and at the adaptive one.

    Source: Achanta et al., "Frequency-tuned salient region detection", CVPR 2009, for F, β² and the adaptive threshold.

    Two conventions give different numbers for the same maps:

    - "averaged precision-recall", the papers', as the tool SalMetric computes it: levels > t are selected, t = 0 … 255;
      P = (hits + ε) / (selected + ε) and R = (hits + ε) / (salient + ε) with ε = 10⁻⁴ are averaged over the pictures at
      each threshold, and F is computed from the averages. `result()` has "max_f" and "mean_f" (over the thresholds).
      The ε decides the corner cases: nothing selected has P = 1; an empty mask has R = 1 and P ≈ 0.
    - "per-image curves", PySODMetrics': levels ≥ t; P = hits / selected and R = hits / salient, 0 where the divisor is
      0; F is computed for each picture and averaged over the pictures. `result()` has "max_f_per_image" and
      "mean_f_per_image". An empty mask has F = 0.

    "adaptive_f" is the same in both: the mean of the pictures' F, without ε, at levels ≥ twice the mean of the
    picture's own map, at most 255. (An averaged precision would count a picture where nothing is selected as 0 or 1.)

    An empty mask lowers F in both; `count_empty_masks=False` leaves such pictures out.

    Args:
        convention: one of the two names above.
        beta_squared: β².
        ground_truth_threshold, count_empty_masks: see `Metric`.

    Raises:
        SodkerasError: for another convention, and as `Metric`.
    """

    def __init__(
        self,
        convention: str = "averaged precision-recall",
        beta_squared: float = 0.3,
        ground_truth_threshold: float = 0.5,
        count_empty_masks: bool = True,
    ) -> None:
        super().__init__(ground_truth_threshold, count_empty_masks)
        if convention not in CONVENTIONS:
            raise SodkerasError(f"FMeasure knows the conventions {list(CONVENTIONS)}. Received: {convention!r}")
        self.convention = convention
        self.beta_squared = beta_squared

    def convention_in_words(self) -> str:
        if self._averaged:
            how = "precision and recall averaged over the pictures (levels > t, ε = 1e-4: SalMetric, the papers)"
        else:
            how = "each picture, averaged over the pictures (levels ≥ t: PySODMetrics)"
        return (
            f"F-measure, β² = {self.beta_squared:g}, at 256 thresholds, of {how}; the adaptive one is the mean of the "
            "pictures' F at twice their map's mean"
        )

    def score(self, pair: ScoredMap) -> dict[str, float | np.ndarray]:
        false_hits, hits = pair.counts_from
        precision = hits / np.maximum(hits + false_hits, 1)
        recall = hits / max(pair.salient_pixels, 1)
        f = self._f(precision, recall)
        adaptive_f = f[pair.adaptive_level]
        if not self._averaged:
            return {"precision": precision, "recall": recall, "f": f, "adaptive_f": adaptive_f}
        # Level > t is level ≥ t + 1, and no level is above 255.
        hits, false_hits = np.append(hits[1:], 0), np.append(false_hits[1:], 0)
        precision = (hits + _EPSILON) / (hits + false_hits + _EPSILON)
        recall = (hits + _EPSILON) / (pair.salient_pixels + _EPSILON)
        return {"precision": precision, "recall": recall, "adaptive_f": adaptive_f}

    def result(self) -> dict[str, float]:
        suffix = CONVENTIONS[self.convention]
        f = self.curves()["f"]
        return {
            f"max_f{suffix}": float(f.max()),
            f"mean_f{suffix}": float(f.mean()),
            "adaptive_f": float(self.means()["adaptive_f"]),
        }

    def curves(self) -> dict[str, np.ndarray]:
        """Precision, recall and F at the thresholds t = 0 … 255: a dict with "precision", "recall" and "f", `[256]`."""
        means = self.means()
        f = self._f(means["precision"], means["recall"]) if self._averaged else means["f"]
        return {"precision": means["precision"], "recall": means["recall"], "f": f}

    @property
    def _averaged(self):
        return self.convention == "averaged precision-recall"

    def _f(self, precision, recall):
        numerator = (1 + self.beta_squared) * precision * recall
        # Where the divisor is 0 the numerator is too.
        return numerator / np.maximum(self.beta_squared * precision + recall, np.finfo(float).tiny)
