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
        SodkerasError: if the two prepare pictures differently, there is no picture, or the candidate gives maps that
            are not finite, or always the same map on pictures that differ.
    """
    if reference.preprocessing != candidate.preprocessing:
        raise SodkerasError(
            f"The two prepare pictures differently: {reference.preprocessing}. Received: {candidate.preprocessing}"
        )
    names, iou, mae, largest, maps = [], [], [], [], []
    for name, picture in progress(pictures):
        batch = candidate.preprocessing(picture)
        expected, received = reference(batch)[0], candidate(batch)[0]
        if not np.isfinite(received).all():
            raise SodkerasError(f"{candidate.numerics} gives values that are no numbers. Received: {name}")
        difference = np.abs(expected - received)
        names.append(str(name))
        iou.append(mask_iou(expected, received))
        mae.append(float(difference.mean()))
        largest.append(float(difference.max()))
        maps.append((float(expected.std()), float(received.std()), float(received.mean())))
    if not names:
        raise SodkerasError("Verification needs at least one picture. Received: none")
    varied, constant = max(row[0] for row in maps) > 1e-3, max(row[1] for row in maps) < 1e-6
    if varied and constant and len({row[2] for row in maps}) == 1:
        raise SodkerasError(
            f"{candidate.numerics} gives one constant map whatever the picture: its weights were lost. "
            f"Received: {maps[0][2]:g} everywhere"
        )
    return Agreement(names, iou, mae, largest)
