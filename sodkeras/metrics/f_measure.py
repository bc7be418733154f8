"""F-measure with β² = 0.3, precision–recall and F–threshold curves, in the two conventions of the field."""

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.metrics.metric import Metric

#: The convention's name and what it adds to the names of its results.
CONVENTIONS = {"averaged precision-recall": "", "per-image curves": "_per_image"}


class FMeasure(Metric):
    """F = (1 + β²)·P·R / (β²·P + R), over 256 thresholds and at the adaptive one.

    Source: Achanta et al., "Frequency-tuned salient region detection", CVPR 2009, for F, β² and the adaptive threshold.

    Two conventions give different numbers for the same maps:

    - "averaged precision-recall", the papers', as the tool SalMetric computes it: levels > t are selected, t = 0 … 255;
      P = (hits + ε) / (selected + ε) and R = (hits + ε) / (salient + ε) with ε = 10⁻⁴ are averaged over the pictures at
      each threshold, and F is computed from the averages.
      `result()` has "max_f", "mean_f" (over the thresholds) and "adaptive_f".
      The ε decides the corner cases: nothing selected has P = 1; an empty mask has R = 1 and P ≈ 0.
    - "per-image curves", PySODMetrics': levels ≥ t; P = hits / selected and R = hits / salient, or 0 for 0 / 0;
      F is computed for each picture and averaged over the pictures.
      `result()` has "max_f_per_image", "mean_f_per_image" and "adaptive_f_per_image".
      An empty mask has F = 0.

    An empty mask lowers F in both; `count_empty_masks=False` leaves such pictures out. The adaptive threshold is twice
    the mean of the picture's own map, at most 255; in both conventions it selects the levels ≥ it.

    Args:
        convention: one of the two names above.
        beta_squared: β².
        ground_truth_threshold, count_empty_masks: see `Metric`.

    Raises:
        SodkerasError: for another convention, and as `Metric`.
    """

    def __init__(
        self,
        convention="averaged precision-recall",
        beta_squared=0.3,
        ground_truth_threshold=0.5,
        count_empty_masks=True,
    ):
        super().__init__(ground_truth_threshold, count_empty_masks)
        if convention not in CONVENTIONS:
            raise SodkerasError(f"FMeasure knows the conventions {list(CONVENTIONS)}. Received: {convention!r}")
        self.convention = convention
        self.beta_squared = beta_squared

    def convention_in_words(self):
        if self._averaged:
            return (
                f"F-measure, β² = {self.beta_squared:g}, of precision and recall averaged over the pictures at each of "
                "256 thresholds (levels > t, ε = 1e-4: SalMetric, the papers)"
            )
        return (
            f"F-measure, β² = {self.beta_squared:g}, of each picture at each of 256 thresholds (levels ≥ t), averaged "
            "over the pictures (PySODMetrics)"
        )

    def score(self, pair):
        salient = pair.salient_pixels
        false_hits, hits = pair.counts_from
        adaptive_false_hits, adaptive_hits = pair.counts_from[:, pair.adaptive_level]
        if self._averaged:
            # Level > t is level ≥ t + 1, and no level is above 255.
            hits, false_hits = np.append(hits[1:], 0), np.append(false_hits[1:], 0)
            precision, recall = _smoothed_rates(hits, false_hits, salient)
            adaptive_precision, adaptive_recall = _smoothed_rates(adaptive_hits, adaptive_false_hits, salient)
            return {
                "precision": precision,
                "recall": recall,
                "adaptive_precision": adaptive_precision,
                "adaptive_recall": adaptive_recall,
            }
        precision, recall = _rates(hits, false_hits, salient)
        f = self._f(precision, recall)
        return {"precision": precision, "recall": recall, "f": f, "adaptive_f": f[pair.adaptive_level]}

    def result(self):
        means = self._means_with_f()
        suffix = CONVENTIONS[self.convention]
        return {
            f"max_f{suffix}": float(means["f"].max()),
            f"mean_f{suffix}": float(means["f"].mean()),
            f"adaptive_f{suffix}": float(means["adaptive_f"]),
        }

    def curves(self):
        """Precision, recall and F at the thresholds t = 0 … 255: a dict with "precision", "recall" and "f", `[256]`."""
        means = self._means_with_f()
        return {name: means[name] for name in ("precision", "recall", "f")}

    @property
    def _averaged(self):
        return self.convention == "averaged precision-recall"

    def _means_with_f(self):
        means = self.means()
        if self._averaged:
            means["f"] = self._f(means["precision"], means["recall"])
            means["adaptive_f"] = self._f(means["adaptive_precision"], means["adaptive_recall"])
        return means

    def _f(self, precision, recall):
        numerator = (1 + self.beta_squared) * precision * recall
        # Where the divisor is 0 the numerator is too.
        return numerator / np.maximum(self.beta_squared * precision + recall, np.finfo(float).tiny)


def _rates(hits, false_hits, salient):
    return hits / np.maximum(hits + false_hits, 1), hits / max(salient, 1)


def _smoothed_rates(hits, false_hits, salient, epsilon=1e-4):
    return (hits + epsilon) / (hits + false_hits + epsilon), (hits + epsilon) / (salient + epsilon)
