"""A saliency map and its ground truth, checked and in 8 bit: what every metric scores."""

import functools

import cv2
import numpy as np

from sodkeras.errors import SodkerasError

# OpenCV returns its histograms as float32.
_EXACT_IN_FLOAT32 = 2**24


class ScoredMap:
    """One saliency map with its ground truth; what several metrics need of them is computed once.

    Maps are scored in 8 bit, as the papers score the files that they save: a float map s becomes floor(255·s), computed
    in the map's own precision. A map that was read from an 8-bit file and divided by 255 comes back unchanged. Nothing
    is stretched: a faint map stays faint.

    Args:
        saliency_map: `[H, W]`, float in [0, 1], uint8 in 0–255, or bool.
        ground_truth: `[H, W]`, the same kinds.
        ground_truth_threshold: in [0, 1); a pixel is salient where the ground truth is above it. 0.5 (PASCAL-S and
            every set with binary masks) means above 127 in 8 bit; 128 / 255 is what SalMetric and PySODMetrics do.

    Attributes:
        levels: the map, uint8 `[H, W]`.
        mask: the salient pixels, bool `[H, W]`.

    Raises:
        SodkerasError: for arrays that are not a map and a mask of the same size.
    """

    def __init__(self, saliency_map: np.ndarray, ground_truth: np.ndarray, ground_truth_threshold: float = 0.5) -> None:
        check_threshold(ground_truth_threshold)
        saliency_map = np.asarray(saliency_map)
        ground_truth = np.asarray(ground_truth)
        for name, array in (("saliency map", saliency_map), ("ground truth", ground_truth)):
            _check(name, array)
        if saliency_map.shape != ground_truth.shape:
            raise SodkerasError(
                "A saliency map is scored at the size of its ground truth; resize it, or give --resize. "
                f"Received: map {saliency_map.shape}, ground truth {ground_truth.shape}"
            )
        # A mask of 0 and 1 read as 8 bit would pass as an empty one and spoil a whole table in silence.
        if ground_truth.dtype == np.uint8 and ground_truth.max() == 1:
            raise SodkerasError(
                "An 8-bit ground truth is read as 0–255; give a mask of 0 and 1 as bool or float. "
                "Received: uint8 with the largest value 1"
            )
        self.levels = np.ascontiguousarray(_to_levels(saliency_map))
        self.mask = np.ascontiguousarray(_to_mask(ground_truth, ground_truth_threshold))

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """Pixels by ground truth (0 background, 1 salient) and level, int64 `[2, 256]`."""
        height, width = self.levels.shape
        rows = max(_EXACT_IN_FLOAT32 // width, 1)
        counts = np.zeros((2, 256), np.int64)
        for top in range(0, height, rows):
            levels, mask = self.levels[top : top + rows], self.mask[top : top + rows].view(np.uint8)
            for row, chosen in enumerate((None, mask)):
                counts[row] += cv2.calcHist([levels], [0], chosen, [256], [0, 256]).ravel().astype(np.int64)
        counts[0] -= counts[1]
        return counts

    @functools.cached_property
    def counts_from(self) -> np.ndarray:
        """Pixels by ground truth whose level is at least t, for t = 0 … 255: int64 `[2, 256]`."""
        return np.cumsum(self.counts[:, ::-1], axis=1)[:, ::-1]

    @functools.cached_property
    def salient_pixels(self) -> int:
        """The number of salient pixels of the ground truth."""
        return int(self.counts[1].sum())

    @functools.cached_property
    def adaptive_level(self) -> int:
        """The smallest level that is at least twice the map's mean, at most 255 (Achanta et al., CVPR 2009)."""
        total = int(self.counts.sum(axis=0) @ np.arange(256))
        return min(-(-2 * total // self.levels.size), 255)


def check_threshold(threshold: float) -> None:
    """Raises SodkerasError for a ground-truth threshold that every pixel or no pixel passes."""
    if not 0 <= threshold < 1:
        raise SodkerasError(f"A ground-truth threshold is in [0, 1). Received: {threshold!r}")


def _check(name, array):
    if array.ndim != 2 or array.size == 0:
        raise SodkerasError(f"A {name} is an array [H, W] with at least one pixel. Received: shape {array.shape}")
    if array.dtype == np.uint8 or array.dtype == bool:
        return
    if not np.issubdtype(array.dtype, np.floating):
        raise SodkerasError(f"A {name} is float in [0, 1], uint8 or bool. Received: {array.dtype}")
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise SodkerasError(f"A float {name} has values in [0, 1]. Received: values from {low} to {high}")


def _to_levels(saliency_map):
    if saliency_map.dtype == np.uint8:
        return saliency_map
    if saliency_map.dtype == bool:
        return saliency_map * np.uint8(255)
    return (saliency_map * saliency_map.dtype.type(255)).astype(np.uint8)


def _to_mask(ground_truth, threshold):
    if ground_truth.dtype == bool:
        return ground_truth
    if ground_truth.dtype == np.uint8:
        # In integers, because 255 · (128 / 255) may come out a hair below 128.
        return ground_truth > int(255 * threshold + 1e-6)
    return ground_truth > threshold
