"""What all metrics share: scores of single pictures, added up exactly."""

from typing import Any, Self

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.metrics.scored_map import ScoredMap, check_threshold

# Scores are added as integer multiples of 2⁻⁴⁰ (a rounding of 5e-13 a picture): integer addition does not depend
# on the order of the pictures or on how they were shared out among processes. int64 holds four million pictures.
_UNITS = 2.0**40


class Metric:
    """A mean over pictures that is fed one picture at a time, in any order, in memory that does not grow.

    A subclass implements `score`, `convention_in_words` and, where it is more than the mean of its scores, `result`.

    Args:
        ground_truth_threshold: see `ScoredMap`.
        count_empty_masks: whether pictures without a salient pixel count (each metric states how) or are left out.

    Raises:
        SodkerasError: for a threshold out of range; from `update` for arrays that are not a map and its mask; from
            `merge` for another metric or other settings; from `result` and `curves` when no picture was counted.
    """

    def __init__(self, ground_truth_threshold: float = 0.5, count_empty_masks: bool = True) -> None:
        check_threshold(ground_truth_threshold)
        self.ground_truth_threshold = ground_truth_threshold
        self.count_empty_masks = count_empty_masks
        self.pictures = 0
        self._totals: dict[str, Any] = {}

    def update(self, saliency_map: np.ndarray, ground_truth: np.ndarray) -> None:
        """Adds one picture: a saliency map and a ground truth, both `[H, W]`; kinds and ranges as in `ScoredMap`."""
        self.update_pair(ScoredMap(saliency_map, ground_truth, self.ground_truth_threshold))

    def update_pair(self, pair: ScoredMap) -> None:
        """Adds one `ScoredMap`, whose shared work other metrics may have done already."""
        if not pair.salient_pixels and not self.count_empty_masks:
            return
        for name, score in self.score(pair).items():
            units = np.rint(np.multiply(score, _UNITS)).astype(np.int64)
            self._totals[name] = self._totals.get(name, 0) + units
        self.pictures += 1

    def merge(self, other: Self) -> Self:
        """Adds the pictures of another object of the same metric and settings; returns self."""
        if type(other) is not type(self) or other.settings() != self.settings():
            raise SodkerasError(
                f"Only the same metric with the same settings can be merged into {self._description()}. "
                f"Received: {other._description() if isinstance(other, Metric) else repr(other)}"
            )
        for name, units in other._totals.items():
            self._totals[name] = self._totals.get(name, 0) + units
        self.pictures += other.pictures
        return self

    def convention_in_words(self) -> str:
        """What the numbers mean, in one sentence to print beside them."""
        raise NotImplementedError

    def score(self, pair: ScoredMap) -> dict[str, float | np.ndarray]:
        """The picture's scores: a dict of floats or float arrays in [-2, 2], the same names and shapes every time."""
        raise NotImplementedError

    def result(self) -> dict[str, float]:
        """The metric over all pictures so far: a dict of floats."""
        return {name: float(mean) for name, mean in self.means().items()}

    def curves(self) -> dict[str, np.ndarray]:
        """What the metric draws: a dict of arrays `[256]`, one value for each level t; most metrics have none."""
        return {}

    def means(self) -> dict[str, Any]:
        """The mean of each score over the pictures."""
        if not self.pictures:
            raise SodkerasError(
                f"{type(self).__name__} needs at least one picture that counts. Received: {self.pictures} pictures"
            )
        return {name: units / (_UNITS * self.pictures) for name, units in self._totals.items()}

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments by name."""
        return {name: value for name, value in vars(self).items() if name != "pictures" and not name.startswith("_")}

    def _description(self):
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.settings().items())})"
