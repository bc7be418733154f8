"""Sets of masks, and what is scored against them, joined by stem."""

import os
import pathlib
import re

from sodkeras.errors import SodkerasError
from sodkeras.pictures import find_pictures

#: Names of the folders of masks and of pictures in the sets of the field: masks, gt, ground_truth_mask, DUTS-TE-Mask,
#: DUT-OMRON-gt-pixelwise, pixelwiseGT-new-PNG …
MASK_FOLDER = re.compile(
    r"(.+[-_])?(masks?|gt|ground_?truth(_mask)?|(gt[-_]pixelwise|pixelwise[-_]?gt).*)", re.IGNORECASE
)
PICTURE_FOLDER = re.compile(r"(.+[-_])?(images?|imgs?|pictures|photos)", re.IGNORECASE)


class MaskSet:
    """A data set: masks by stem, and perhaps the pictures that they belong to.

    Args:
        name: what tables call it.
        folder: a folder of masks, or one that holds a folder of masks beside one of pictures.
        pictures: the folder of pictures, where it is not beside the masks.
        threshold: the ground-truth threshold, see `sodkeras.metrics.ScoredMap`.

    Attributes:
        masks: `{stem: path}`.

    Raises:
        SodkerasError: if there are no masks, or more than one folder that may hold them.
    """

    def __init__(
        self, name: str, folder: str | os.PathLike, pictures: str | os.PathLike | None = None, threshold: float = 0.5
    ) -> None:
        folder = pathlib.Path(folder)
        inside = _only_subfolder(folder, MASK_FOLDER)
        self.name = name
        self.threshold = threshold
        self.masks = by_stem(inside or folder)
        self.pictures = (
            pathlib.Path(pictures) if pictures else _only_subfolder(folder if inside else folder.parent, PICTURE_FOLDER)
        )

    def join_maps(
        self, folder: str | os.PathLike, allow_missing: bool = False
    ) -> list[tuple[pathlib.Path, pathlib.Path]]:
        """[(map, mask)] paths for the maps of a folder; photo_map.png belongs to photo, too.

        Raises:
            SodkerasError: if a mask has no map (with `allow_missing`: if none has).
        """
        maps = by_stem(folder)
        of_predict = {stem: f"{stem}_map" for stem in self.masks.keys() - maps.keys() if f"{stem}_map" in maps}
        return self._join(maps | {stem: maps[name] for stem, name in of_predict.items()}, folder, allow_missing)

    def join_pictures(self) -> list[tuple[pathlib.Path, pathlib.Path]]:
        """[(picture, mask)] paths; raises SodkerasError if a mask has no picture."""
        if self.pictures is None:
            raise SodkerasError(f"A model needs a set's pictures; say where they are. Received: set {self.name}")
        return self._join(by_stem(self.pictures), self.pictures)

    def _join(self, paths, folder, allow_missing=False):
        missing = [stem for stem in self.masks if stem not in paths]
        if len(missing) == len(self.masks) or (missing and not allow_missing):
            raise SodkerasError(
                f"{len(missing)} of the {len(self.masks)} masks of {self.name}, such as {missing[0]}, have no partner "
                f"of the same stem. Received: {folder}"
            )
        return [(paths[stem], mask) for stem, mask in self.masks.items() if stem in paths]


def by_stem(folder: str | os.PathLike) -> dict[str, pathlib.Path]:
    """The picture files of a folder, `{stem: path}`.

    Raises:
        SodkerasError: if the folder has no pictures, or two of one stem.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise SodkerasError(f"There is no such folder. Received: {folder}")
    paths: dict[str, pathlib.Path] = {}
    for path in find_pictures([folder], with_results=True):
        if path.stem in paths:
            raise SodkerasError(f"Two files of a folder have one stem. Received: {paths[path.stem]} and {path.name}")
        paths[path.stem] = path
    return paths


def _only_subfolder(folder, pattern):
    found = [path for path in sorted(folder.glob("*/")) if pattern.fullmatch(path.name)]
    if len(found) > 1:
        raise SodkerasError(f"Say which of several folders is meant. Received: {', '.join(map(str, found))}")
    return found[0] if found else None
