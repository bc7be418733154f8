"""A `.tflite` file held against the network it was made from, on pictures, and against ground truth."""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from sodkeras import weights
from sodkeras.errors import SodkerasError
from sodkeras.files import whole_file
from sodkeras.metrics.folders import by_stem
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.pictures.masks import read_mask
from sodkeras.predictor import Predictor
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.check.agreement import TOLERANCES, Agreement, Tolerance, compare
from sodkeras.tflite.check.census import Census, take_census
from sodkeras.tflite.check.contact_sheet import write_contact_sheet
from sodkeras.tflite.check.ground_truth import GroundTruthScores, violations
from sodkeras.tflite.numerics import is_delegated


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a comparison came to.

    Attributes:
        path: the file.
        numerics: what it computes in.
        agreement: how the maps compare, picture by picture.
        census: the file's operators, and how many of them the CPU's delegate takes.
        ground_truth: scores of both against masks, see `GroundTruthScores.result`; None without masks.
        tolerance: the limits.
        problems: a sentence for each limit that is broken; [] where the two agree.
    """

    path: pathlib.Path
    numerics: str
    agreement: Agreement
    census: Census
    ground_truth: dict | None
    tolerance: Tolerance
    problems: list[str]
    _source: str
    _versions: Any
    _pictures: dict[str, pathlib.Path]
    _masks: dict[str, pathlib.Path]
    _read: Callable[[Any], np.ndarray]
    _runtimes: tuple[Any, Any]

    def to_dict(self) -> dict:
        """All of it as a dict for JSON, with a row for each picture."""
        found = self.agreement
        rows = zip(found.names, found.iou, found.mae, found.largest, strict=True)
        return {
            "file": self.path.name,
            "numerics": self.numerics,
            "source": self._source,
            "versions": self._versions,
            "agree": not self.problems,
            "problems": self.problems,
            "limits": dataclasses.asdict(self.tolerance),
            "summary": found.summary(),
            "ground_truth": self.ground_truth,
            "census": self.census.to_dict(),
            "pictures": [
                {"name": pathlib.Path(name).name, "iou": iou, "mae": mae, "largest": largest}
                for name, iou, mae, largest in rows
            ],
        }

    def write(self, pictures: int = 6) -> list[pathlib.Path]:
        """Writes FILE.verify.json beside the file, and FILE.verify.png, so many pictures on which the two agree least.

        Returns:
            The paths written.
        """
        written = [self.path.with_suffix(".verify.json")]
        with whole_file(written[0]) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", "utf-8")
        worst = self.agreement.worst_first()[:pictures]
        if worst:
            written.append(self.path.with_suffix(".verify.png"))
            found = self.agreement
            rows = [(self._pictures[found.names[index]], f"IoU {found.iou[index]:.3f}") for index in worst]
            write_contact_sheet(written[1], rows, self._masks, self._read, *self._runtimes)
        return written


def verify(
    path: str | os.PathLike,
    model: Any,
    pictures: str | os.PathLike | Sequence,
    masks: str | os.PathLike | None = None,
    mask_value: int | None = None,
    delegated: bool | None = None,
    progress: Callable[[Any], Iterable] = iter,
    **limits: float,
) -> Verification:
    """Compares a `.tflite` file with the network that it was made from.

    Args:
        path: the file.
        model: the network: a preset's name, the path of a `.keras` file, a model of this project, or a `Predictor`.
        pictures: a folder, files or globs of pictures.
        masks: a folder of ground-truth masks, named as the pictures; those of some are enough.
        mask_value: the object's class in masks of classes, see `sodkeras.pictures.masks.read_mask`.
        delegated: whether all operators must be in one partition of the CPU's delegate; default yes, but for 16-bit
            activations, which it does not have.
        progress: wraps the list of pictures, as `tqdm.tqdm` does.
        **limits: fields of `Tolerance` that differ from those of the file's numerics.

    Returns:
        A `Verification`.

    Raises:
        SodkerasError: if a file or network cannot be read, no mask has the name of a picture, or the file gives NaN, or
            one map whatever the picture.
    """
    path = pathlib.Path(path)
    sources = [pictures] if isinstance(pictures, (str, os.PathLike)) else list(pictures)
    found = {str(picture): picture for picture in find_pictures(sources)}
    by_name = by_stem(masks) if masks else {}
    if by_name and not by_name.keys() & {picture.stem for picture in found.values()}:
        raise SodkerasError(f"No mask has the name of a picture. Received: {masks}")
    candidate = LiteRTRuntime(path)
    if isinstance(model, (str, os.PathLike)):
        reference = Predictor(weights.load_model(model)).runtime  # a name alone would be that of a .tflite file
    else:
        reference = (model if isinstance(model, Predictor) else Predictor(model)).runtime
    read = functools.partial(read_mask, value=mask_value)
    scores = GroundTruthScores(by_name, candidate.preprocessing, read)

    def named_pictures():  # no bar before the two are found to go together
        for name in progress(list(found)):
            yield name, read_picture(found[name])

    agreement = compare(
        reference,
        candidate,
        named_pictures(),
        observe=lambda name, *maps: scores.update(found[name].stem, *maps),
    )
    tolerance = dataclasses.replace(TOLERANCES.get(candidate.numerics, Tolerance()), **limits)
    census = take_census(candidate.interpreter)
    must = is_delegated(candidate.numerics) if delegated is None else delegated
    problems = agreement.violations(tolerance) + census.problems(must)
    truth = scores.result()
    if truth:
        problems += violations(truth, tolerance)
    return Verification(
        path,
        candidate.numerics,
        agreement,
        census,
        truth,
        tolerance,
        problems,
        pathlib.Path(model).name if isinstance(model, (str, os.PathLike)) else reference.name,
        candidate.metadata.get("versions"),
        found,
        by_name,
        read,
        (reference, candidate),
    )
