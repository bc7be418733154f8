"""Whether a `.tflite` file computes what its source does, on real pictures."""

import dataclasses

import numpy as np

from sodkeras.errors import SodkerasError


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """What is accepted; None is not judged.

    Args:
        largest: largest absolute difference of any pixel of any picture.
        median_iou, worst_iou: mask IoU, least, over the pictures.
        median_mae, worst_mae: mean absolute difference, at most, over the pictures.
    """

    largest: float | None = None
    median_iou: float | None = None
    worst_iou: float | None = None
    median_mae: float | None = None
    worst_mae: float | None = None


#: By numerics. Float must be the same function: a mean difference over 1e-5 is a wrong one. Its single worst pixel has
#: more room, since each runtime's own rounding, against float64, reaches 1e-4 on U²-Net† (benchmarks/float_noise.py).
#: Types that round are judged by the masks they give.
TOLERANCES = {
    "float32": Tolerance(largest=3e-4, worst_mae=1e-5),
    "float16": Tolerance(median_iou=0.99, worst_iou=0.95, median_mae=0.002, worst_mae=0.01),
    "dynamic_wi8_afp32": Tolerance(median_iou=0.95, worst_iou=0.8, median_mae=0.01, worst_mae=0.05),
    "static_wi8_ai8": Tolerance(median_iou=0.9, worst_iou=0.5, median_mae=0.03, worst_mae=0.1),
}


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How two runtimes' maps compare: per picture, the mask IoU, the mean and the largest absolute difference."""

    names: list
    iou: list
    mae: list
    largest: list

    def summary(self):
        """The numbers that a `Tolerance` judges, by its names."""
        return {
            "largest": max(self.largest),
            "median_iou": float(np.median(self.iou)),
            "worst_iou": min(self.iou),
            "median_mae": float(np.median(self.mae)),
            "worst_mae": max(self.mae),
        }

    def violations(self, tolerance):
        """One sentence for each limit that is not kept."""
        summary = self.summary()
        sentences = []
        for name, limit in dataclasses.asdict(tolerance).items():
            if limit is None:
                continue
            kept = summary[name] >= limit if name.endswith("iou") else summary[name] <= limit
            if not kept:
                at = {"largest": self.largest, "worst_mae": self.mae}.get(name)
                at = int(np.argmax(at)) if at else int(np.argmin(self.iou))
                where = "" if name.startswith("median") else f" on {self.names[at]}"
                sentences.append(f"{name} is {summary[name]:.4g}{where}, the limit {limit:g}")
        return sentences


def mask_iou(first, second, threshold=0.5):
    """Intersection over union of the pixels above the threshold; 1 where neither has any."""
    a, b = first > threshold, second > threshold
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def compare(reference, candidate, pictures, progress=iter):
    """Runs two runtimes on the same network inputs and compares their maps at the network's size.

    Args:
        reference, candidate: runtimes with the same preprocessing size, see `sodkeras.runtimes`.
        pictures: `(name, RGB uint8 [H, W, 3])` pairs; each is prepared by the candidate's preprocessing.
        progress: wraps the iterable, as `tqdm.tqdm` does.

    Returns:
        An `Agreement`.

    Raises:
        SodkerasError: if the two prepare pictures differently, and as `agreement`.
    """
    if reference.preprocessing != candidate.preprocessing:
        raise SodkerasError(
            f"The two prepare pictures differently: {reference.preprocessing}. Received: {candidate.preprocessing}"
        )
    expected, received = {}, {}
    for name, picture in progress(pictures):
        batch = candidate.preprocessing(picture)
        expected[str(name)] = reference(batch)[0]
        received[str(name)] = candidate(batch)[0]
    return agreement(expected, received)


def agreement(expected, received):
    """Compares maps with maps.

    Args:
        expected, received: dicts of a picture's name to its map `[h, w]`, with the same keys.

    Returns:
        An `Agreement`.

    Raises:
        SodkerasError: if there is no picture, or the received maps are not finite, or one and the same constant on
            pictures whose expected maps vary: a file that lost its weights.
    """
    if not expected:
        raise SodkerasError("A comparison needs at least one picture. Received: none")
    iou, mae, largest = [], [], []
    for name, reference in expected.items():
        if not np.isfinite(received[name]).all():
            raise SodkerasError(f"The converted network gives values that are no numbers. Received: {name}")
        difference = np.abs(reference - received[name])
        iou.append(mask_iou(reference, received[name]))
        mae.append(float(difference.mean()))
        largest.append(float(difference.max()))
    constants = {float(values.flat[0]) for values in received.values() if np.ptp(values) < 1e-6}
    all_constant = all(np.ptp(values) < 1e-6 for values in received.values())
    if all_constant and len(constants) == 1 and any(np.ptp(values) > 1e-2 for values in expected.values()):
        raise SodkerasError(
            "The converted network gives one constant map whatever the picture, as when its weights were lost: convert "
            f"it again. Received: {constants.pop():g} everywhere"
        )
    return Agreement(list(expected), iou, mae, largest)
