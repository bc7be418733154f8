"""F-measure with β² = 0.3, precision–recall and F–threshold curves, in the two conventions of the field."""

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.metrics.metric import Metric

#: The convention's name and what it adds to the names of its results.
CONVENTIONS = {"averaged precision-recall": "", "per-image curves": "_per_image"}


class FMeasure(Metric):
    """F = (1 + β²)·P·R / (β²·P + R), over 256 thresholds (level ≥ t) and at the adaptive one.

    Source: Achanta et al., "Frequency-tuned salient region detection", CVPR 2009, for F, β² and the adaptive threshold.

    Two conventions give different numbers for the same maps:

    - "averaged precision-recall", the papers' (SalMetric's): P and R are averaged over the pictures at each threshold,
      then F is computed from the averages. `result()` has "max_f", "mean_f" (over the thresholds) and "adaptive_f".
    - "per-image curves", PySODMetrics': F is computed for each picture and averaged over the pictures.
      `result()` has "max_f_per_image", "mean_f_per_image" and "adaptive_f_per_image".

    The adaptive threshold is twice the mean of the picture's own map, at most 255.

    A threshold above a map's largest level selects nothing and has P = 0. An empty mask has P = R = 0, so counting it
    lowers every result; `count_empty_masks=False` leaves such pictures out. (SalMetric adds 10⁻⁴ to numerators and
    denominators, which amounts to P = 1 where nothing is selected and R = 1 for an empty mask.)

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

    def score(self, pair):
        background, salient = pair.counts_from
        precision = salient / np.maximum(background + salient, 1)
        recall = salient / max(pair.salient_pixels, 1)
        f = self._f(precision, recall)
        scores = {"precision": precision, "recall": recall, "f": f}
        return scores | {f"adaptive_{name}": values[pair.adaptive_level] for name, values in scores.items()}

    def result(self):
        means = self._means_of_convention()
        suffix = CONVENTIONS[self.convention]
        return {
            f"max_f{suffix}": float(means["f"].max()),
            f"mean_f{suffix}": float(means["f"].mean()),
            f"adaptive_f{suffix}": float(means["adaptive_f"]),
        }

    def curves(self):
        """Precision, recall and F at the thresholds t = 0 … 255: a dict with "precision", "recall" and "f", `[256]`."""
        means = self._means_of_convention()
        return {name: means[name] for name in ("precision", "recall", "f")}

    def _means_of_convention(self):
        means = self.means()
        if self.convention == "averaged precision-recall":
            means["f"] = self._f(means["precision"], means["recall"])
            means["adaptive_f"] = self._f(means["adaptive_precision"], means["adaptive_recall"])
        return means

    def _f(self, precision, recall):
        numerator = (1 + self.beta_squared) * precision * recall
        # Where it is 0 the numerator is too.
        return numerator / np.maximum(self.beta_squared * precision + recall, np.finfo(float).tiny)
