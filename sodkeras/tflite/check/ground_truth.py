"""What a conversion costs against ground truth: the same scores for the source's maps and for the file's."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from sodkeras.metrics import Evaluator
from sodkeras.pictures.masks import read_mask
from sodkeras.preprocessing import Preprocessing


class GroundTruthScores:
    """maxF and MAE of two networks on the same masks, at the pictures' own sizes.

    Args:
        masks: `{stem of a picture: path of its mask}`; pictures without one are not scored.
        preprocessing: takes the maps back to the pictures' sizes.
        read: reads a mask by its path.
    """

    def __init__(
        self, masks: dict, preprocessing: Preprocessing, read: Callable[[Any], np.ndarray] = read_mask
    ) -> None:
        self._masks = masks
        self._preprocessing = preprocessing
        self._read = read
        self._source, self._file = Evaluator(["mae", "f"]), Evaluator(["mae", "f"])

    def update(self, stem: str, picture: np.ndarray, expected: np.ndarray, received: np.ndarray) -> None:
        """Scores one picture, RGB uint8 `[H, W, 3]`: the source's map and the file's, both `[h, w]`.

        Raises:
            SodkerasError: if its mask cannot be read, see `sodkeras.pictures.masks.read_mask`, or has another size.
        """
        if stem not in self._masks:
            return
        mask = self._read(self._masks[stem])
        for evaluator, saliency_map in ((self._source, expected), (self._file, received)):
            evaluator.update(self._preprocessing.restore(saliency_map, picture.shape[:2]), mask)

    def result(self) -> dict | None:
        """A dict of the scores, or None where no picture had a mask.

        Raises:
            SodkerasError: if all masks are empty, or all full.
        """
        if not self._source.pictures:
            return None
        self._source.check_masks()
        source, file = self._source.result(), self._file.result()
        return {
            "pictures": self._source.pictures,
            "source": {"max_f": source["max_f"], "mae": source["mae"]},
            "file": {"max_f": file["max_f"], "mae": file["mae"]},
            "max_f_loss": source["max_f"] - file["max_f"],
            "mae_rise": file["mae"] - source["mae"],
        }


def violations(scores: dict, tolerance: Any) -> list[str]:
    """One sentence for each limit of a `Tolerance` (`check.agreement`) that `GroundTruthScores.result` breaks."""
    limits = dataclasses.asdict(tolerance)
    return [
        f"{name} is {scores[name]:.4f}, the limit {limits[name]:g}"
        for name in ("max_f_loss", "mae_rise")
        if limits[name] is not None and scores[name] > limits[name]
    ]
