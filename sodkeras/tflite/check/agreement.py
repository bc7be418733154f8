"""Whether a `.tflite` file computes what its source does, on real pictures."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sodkeras.errors import SodkerasError


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """What is accepted; None is not judged.

    Args:
        largest: largest absolute difference of any pixel of any picture; a picture for which the source's own rounding
            explains more may differ by that, see `rounding`.
        median_iou, worst_iou: mask IoU, least, over the pictures.
        median_mae, worst_mae: mean absolute difference, at most, over the pictures.
        max_f_loss, mae_rise: by how much the scores against ground truth may be worse than the source's.
    """

    largest: float | None = None
    median_iou: float | None = None
    worst_iou: float | None = None
    median_mae: float | None = None
    worst_mae: float | None = None
    max_f_loss: float | None = 0.005
    mae_rise: float | None = 0.003


#: By numerics. Float must be the same function: a mean difference over 1e-5 is a wrong one. Types that round are judged
#: by the masks they give.
TOLERANCES = {
    "float32": Tolerance(largest=1e-4, worst_mae=1e-5),
    "float16": Tolerance(median_iou=0.99, worst_iou=0.95, median_mae=0.002, worst_mae=0.01),
    "dynamic_wi8_afp32": Tolerance(median_iou=0.95, worst_iou=0.8, median_mae=0.01, worst_mae=0.05),
    "static_wi8_ai8": Tolerance(median_iou=0.9, worst_iou=0.5, median_mae=0.03, worst_mae=0.1),
    "static_wi8_ai16": Tolerance(median_iou=0.95, worst_iou=0.8, median_mae=0.01, worst_mae=0.05),
}
#: A right float32 conversion may differ by this many times what a change of the picture in its last digits makes: every
#: layer rounds, not the picture alone, and so do both runtimes. On U²-Net† each is up to 1e-4 away from float64
#: (tflite/benchmarks/float_noise.py), the two thus up to 2e-4 apart, and such a change makes 1e-5.
_TIMES_ROUNDING = 20


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How two runtimes' maps compare.

    Args:
        names: the pictures.
        iou, mae, largest: for each, the mask IoU, the mean and the largest absolute difference.
        rounding: for each, the difference that the source's own rounding explains, 0 where nobody looked.
    """

    names: list
    iou: list
    mae: list
    largest: list
    rounding: list

    def summary(self) -> dict[str, float]:
        """The numbers that a `Tolerance` judges, by its names."""
        return {
            "largest": max(self.largest),
            "median_iou": float(np.median(self.iou)),
            "worst_iou": min(self.iou),
            "median_mae": float(np.median(self.mae)),
            "worst_mae": max(self.mae),
        }

    def violations(self, tolerance: Tolerance) -> list[str]:
        """One sentence for each limit that is not kept."""
        summary = self.summary()
        sentences = []
        for name, value in summary.items():
            limit = getattr(tolerance, name)
            if limit is None:
                continue
            if name == "largest":
                at, limit = self.largest_limit(limit)
                value = self.largest[at]
                kept = value <= limit
            else:
                at = int(np.argmax(self.mae)) if name == "worst_mae" else int(np.argmin(self.iou))
                kept = value >= limit if name.endswith("iou") else value <= limit
            if not kept:
                where = "" if name.startswith("median") else f" on {self.names[at]}"
                sentences.append(f"{name} is {value:.4g}{where}, the limit {limit:g}")
        return sentences

    def largest_limit(self, limit: float) -> tuple[int, float]:
        """The picture whose largest difference comes nearest to its limit, or is furthest above it; and that limit.

        Args:
            limit: `Tolerance.largest`, which the source's own rounding on a picture may exceed.
        """
        limits = [max(limit, own) for own in self.rounding]
        at = int(np.argmax([large - own for large, own in zip(self.largest, limits, strict=True)]))
        return at, limits[at]

    def worst_first(self) -> list[int]:
        """Indices of the pictures, those whose masks agree least first; among equals by the mean difference."""
        return sorted(range(len(self.names)), key=lambda index: (self.iou[index], -self.mae[index]))


def mask_iou(first: np.ndarray, second: np.ndarray, threshold: float = 0.5) -> float:
    """Intersection over union of the pixels above the threshold; 1 where neither has any."""
    a, b = first > threshold, second > threshold
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def rounding(run: Callable[[np.ndarray], np.ndarray], batch: np.ndarray, expected: np.ndarray) -> float:
    """What a network's result has for noise: a right float32 implementation may differ by so much.

    Args:
        run: the network, a function of the batch.
        batch: preprocessed pictures `[B, H, W, 3]`.
        expected: what `run` gave for it.

    Returns:
        Twenty times the largest change of the result when the pictures change in the last digits of float32, up or
        down.
    """
    changed = [run(batch * np.float32(factor)) for factor in (1 + 2**-20, 1 - 2**-20)]
    return _TIMES_ROUNDING * float(max(np.max(np.abs(expected - each), initial=0) for each in changed))


def compare(
    reference: Any,
    candidate: Any,
    pictures: Iterable[tuple[str, np.ndarray]],
    progress: Callable[[Any], Iterable] = iter,
    observe: Callable | None = None,
) -> Agreement:
    """Runs two runtimes on the same pictures and compares their maps at the network's size.

    Args:
        reference, candidate: runtimes that prepare pictures alike, see `sodkeras.runtimes`; normalisation may be inside
            the candidate's graph.
        pictures: `(name, RGB uint8 [H, W, 3])` pairs.
        progress: wraps the iterable, as `tqdm.tqdm` does.
        observe: called with each picture's name, the picture, and both maps `[h, w]`.

    Returns:
        An `Agreement`.

    Raises:
        SodkerasError: if the two prepare pictures differently, and as `agreement`.
    """
    whole = getattr(candidate, "whole_preprocessing", candidate.preprocessing)
    if reference.preprocessing != whole:
        raise SodkerasError(f"The two prepare pictures differently: {reference.preprocessing}. Received: {whole}")
    comparison = _Comparison()
    for name, picture in progress(pictures):
        batch = reference.preprocessing(picture)
        expected, received = reference(batch)[0], candidate(candidate.preprocessing(picture))[0]
        own = 0.0
        if candidate.numerics == "float32" and np.max(np.abs(expected - received)) > TOLERANCES["float32"].largest:
            own = rounding(lambda changed: reference(changed)[0], batch, expected)
        comparison.add(str(name), expected, received, own)
        if observe:
            observe(str(name), picture, expected, received)
    return comparison.result()


def agreement(expected: dict[str, np.ndarray], received: dict[str, np.ndarray]) -> Agreement:
    """Compares maps with maps.

    Args:
        expected, received: dicts of a picture's name to its map `[h, w]`, with the same keys.

    Returns:
        An `Agreement`.

    Raises:
        SodkerasError: if there is no picture; if the received maps are not finite; or if they do not vary with the
            picture, or within it, though the expected ones do: a file that lost its weights.
    """
    comparison = _Comparison()
    for name, reference in expected.items():
        comparison.add(name, reference, received[name])
    return comparison.result()


#: Maps that differ by less are the same; a file that cannot tell pictures apart is broken where its source's maps
#: differ by this much.
_SAME, _OTHER = 1e-6, 0.1


class _Comparison:
    """Maps compared one picture at a time; of the maps themselves only the first pair is kept."""

    def __init__(self):
        self._found = Agreement([], [], [], [], [])
        self._first = None
        # Largest differences within a map, and between a map and the first one; of expected and received.
        self._within, self._between = np.zeros(2), np.zeros(2)

    def add(self, name, expected, received, own_rounding=0.0):
        if not np.isfinite(received).all():
            raise SodkerasError(f"The converted network gives values that are no numbers. Received: {name}")
        difference = np.abs(expected - received)
        found = self._found
        found.names.append(name)
        found.iou.append(mask_iou(expected, received))
        found.mae.append(float(difference.mean()))
        found.largest.append(float(difference.max()))
        found.rounding.append(own_rounding)
        pair = (expected, received)
        self._first = self._first or pair
        self._within = np.maximum(self._within, [np.ptp(values) for values in pair])
        apart = [np.abs(values - first).max() for values, first in zip(pair, self._first, strict=True)]
        self._between = np.maximum(self._between, apart)

    def result(self):
        if not self._found.names:
            raise SodkerasError("A comparison needs at least one picture. Received: none")
        for (expected, received), what in ((self._within, "one constant map"), (self._between, "the same map")):
            if received < _SAME and expected > _OTHER:
                raise SodkerasError(
                    f"The converted network gives {what} whatever the picture, as when its weights were lost: convert "
                    f"it again. Received: maps that vary by {received:.1g}, where the source's vary by {expected:.2g}"
                )
        return self._found
