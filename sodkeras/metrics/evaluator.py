"""Several metrics at once over the same pictures."""

import functools
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.metrics.boundary_f_measure import RelaxedBoundaryFMeasure
from sodkeras.metrics.e_measure import EMeasure
from sodkeras.metrics.f_measure import FMeasure
from sodkeras.metrics.mean_absolute_error import MeanAbsoluteError
from sodkeras.metrics.metric import Metric
from sodkeras.metrics.s_measure import SMeasure
from sodkeras.metrics.scored_map import ScoredMap
from sodkeras.metrics.weighted_f_measure import WeightedFMeasure

#: Every metric with its published settings, by the name that `Evaluator` and the command line take.
METRICS: dict[str, Callable[..., Metric]] = {
    "mae": MeanAbsoluteError,
    "f": FMeasure,
    "f_per_image": functools.partial(FMeasure, "per-image curves"),
    "s": SMeasure,
    "e": EMeasure,
    "weighted_f": WeightedFMeasure,
    "boundary_f": RelaxedBoundaryFMeasure,
}


class Evaluator:
    """Scores pictures with a chosen set of metrics, which share the work that they have in common.

    Args:
        metrics: names of METRICS; all of them by default.
        ground_truth_threshold: see `ScoredMap`.
        count_empty_masks: see `Metric`.

    Attributes:
        pictures: pictures seen.
        empty_masks: those of them without a salient pixel.
        full_masks: those of them that are nothing but salient pixels.
        black_maps: those of them whose map has no level above 1 of 255.

    Raises:
        SodkerasError: for a name that is no metric, and as `Metric`. A pair that is refused changes nothing.

    Example:
        >>> evaluator = Evaluator(["mae", "f"])
        >>> evaluator.update(saliency_map, ground_truth)
        >>> evaluator.result()  # {"mae": 0.08, "max_f": 0.85, "mean_f": 0.82, "adaptive_f": 0.8}
    """

    def __init__(
        self,
        metrics: Sequence[str] = tuple(METRICS),
        ground_truth_threshold: float = 0.5,
        count_empty_masks: bool = True,
    ) -> None:
        unknown = [name for name in metrics if name not in METRICS]
        if unknown or not metrics:
            raise SodkerasError(f"Choose metrics among {', '.join(METRICS)}. Received: {', '.join(unknown) or 'none'}")
        self.ground_truth_threshold = ground_truth_threshold
        self.metrics = {
            name: METRICS[name](ground_truth_threshold=ground_truth_threshold, count_empty_masks=count_empty_masks)
            for name in metrics
        }
        self.pictures = 0
        self.empty_masks = self.full_masks = self.black_maps = 0

    def update(self, saliency_map: np.ndarray, ground_truth: np.ndarray) -> None:
        """Adds one picture: a saliency map and a ground truth, both `[H, W]`; kinds and ranges as in `ScoredMap`."""
        pair = ScoredMap(saliency_map, ground_truth, self.ground_truth_threshold)
        for metric in self.metrics.values():
            metric.update_pair(pair)
        self.pictures += 1
        self.empty_masks += not pair.salient_pixels
        self.full_masks += pair.salient_pixels == pair.levels.size
        self.black_maps += not pair.counts[:, 2:].any()

    def merge(self, other: Self) -> Self:
        """Adds the pictures of another evaluator with the same metrics and settings; returns self."""
        if not isinstance(other, Evaluator) or list(other.metrics) != list(self.metrics):
            received = list(other.metrics) if isinstance(other, Evaluator) else repr(other)
            raise SodkerasError(
                f"Only an evaluator of the metrics {list(self.metrics)} can be merged. Received: {received}"
            )
        for name, metric in self.metrics.items():
            metric.merge(other.metrics[name])
        self.pictures += other.pictures
        self.empty_masks += other.empty_masks
        self.full_masks += other.full_masks
        self.black_maps += other.black_maps
        return self

    def check_masks(self) -> None:
        """Raises SodkerasError if every mask is empty, or every one full: one even map for all would be perfect."""
        if self.pictures and self.pictures in (self.empty_masks, self.full_masks):
            found = "empty" if self.empty_masks else "full"
            raise SodkerasError(
                "Scores mean nothing where every mask is empty, or every one full; look at the masks, the threshold "
                f"and the class that was chosen. Received: {self.pictures} masks, all {found} at the threshold "
                f"{self.ground_truth_threshold:g}"
            )

    def check_maps(self) -> None:
        """Raises SodkerasError if every map is black, as maps of 0 and 1 are that are read as 8 bit."""
        if self.pictures and self.pictures == self.black_maps:
            raise SodkerasError(
                "Scores mean nothing where every map is black; write maps as 0 to 255, not as 0 and 1. "
                f"Received: {self.pictures} maps without a level above 1 of 255"
            )

    def result(self) -> dict[str, float]:
        """The results of all metrics in one dict of floats; a name that two metrics share means the same in both."""
        return {name: value for metric in self.metrics.values() for name, value in metric.result().items()}

    def curves(self) -> dict[str, dict[str, np.ndarray]]:
        """The curves of the metrics that have any: `{metric: {curve: array [256]}}`."""
        curves = {name: metric.curves() for name, metric in self.metrics.items()}
        return {name: values for name, values in curves.items() if values}

    def conventions(self) -> dict[str, str]:
        """What the numbers mean, one sentence for each metric: `{metric: sentence}`."""
        return {name: metric.convention_in_words() for name, metric in self.metrics.items()}
