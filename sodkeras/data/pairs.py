"""Pairs of pictures and masks, found in the layouts in which the field's sets are downloaded."""

import csv
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable, Sequence

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes
from sodkeras.metrics.folders import MASK_FOLDER, PICTURE_FOLDER, by_stem
from sodkeras.pictures import SUFFIXES

#: The file that `sodkeras.data.synthetic` leaves in a folder: what it holds is called synthetic wherever it is used.
SYNTHETIC_MARKER = "synthetic.json"
LIST_SUFFIXES = (".txt", ".csv", ".lst")
#: The list that a folder may have of its own pairs, as `sodkeras pseudo-label` writes it.
OWN_LIST = "pairs.csv"

# Where pictures and masks share a folder, the masks are the PNGs (MSRA-B, MSRA10K).
_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")
_DEPTH = 3


@dataclasses.dataclass(frozen=True)
class Pair:
    """A picture and its mask.

    Args:
        picture, mask: the files.
        set: the name of the data set that they belong to; begins with "synthetic" where they were generated.
        weight: how much it counts in the loss, in [0, 1].
        mask_value: the object's value in the mask, see `sodkeras.pictures.masks.read_mask`; None for a mask without
            classes.
        soft: whether the mask is a teacher's map, of which all shades are meant (`sodkeras pseudo-label`).
    """

    picture: pathlib.Path
    mask: pathlib.Path
    set: str
    weight: float = 1.0
    mask_value: int | None = None
    soft: bool = False

    @property
    def is_map(self) -> bool:
        """Whether the mask is read as a saliency map: a teacher's, or any where it counts for nothing."""
        return self.soft or not self.weight

    @property
    def stem(self) -> str:
        return self.picture.stem


@dataclasses.dataclass(frozen=True)
class PairSet:
    """A data set as it was found.

    Args:
        name: what tables call it.
        pairs: its `Pair`s, in the order of their stems or of the list.
        unpaired: the files of its folders that have no partner of the same stem.
    """

    name: str
    pairs: tuple[Pair, ...]
    unpaired: tuple[pathlib.Path, ...] = ()


def find_pairs(sources: str | os.PathLike | Iterable[str | os.PathLike], mask_value: int | None = None) -> list[Pair]:
    """The pairs of several data sets, see `find_sets`; files without a partner are left out."""
    return [pair for found in find_sets(sources, mask_value) for pair in found.pairs]


def find_sets(sources: str | os.PathLike | Iterable[str | os.PathLike], mask_value: int | None = None) -> list[PairSet]:
    """Finds data sets.

    Args:
        sources: strings or paths, each a source or `NAME=SOURCE`. A source is

            - a folder that holds one of pictures beside one of masks (images/ and masks/, DUTS-TR-Image/ and
              DUTS-TR-Mask/, imgs/ and gt/ …), joined by stem; subfolders of one name in both are sets of their own;
            - a folder of JPEG pictures and PNG masks side by side (MSRA-B, MSRA10K);
            - a folder with a list of its pairs, pairs.csv, as `sodkeras pseudo-label` makes it: what the list says;
            - a folder of such folders, each a set;
            - a list (.txt, .csv or .lst) with a picture, its mask and, if you like, the pair's weight in [0, 1] a line,
              relative to the list, separated by a comma, a tab or spaces.
        mask_value: that of all pairs, see `Pair`.

    Returns:
        A list of `PairSet`, named after their folders or lists where no name is given. No two have one name.

    Raises:
        SodkerasError: if a source is missing or holds no pairs, or two sets have one name.
    """
    sets = []
    for source in [sources] if isinstance(sources, (str, os.PathLike)) else sources:
        name, path = _named(source)
        if path.suffix.lower() in LIST_SUFFIXES and not path.is_dir():
            sets.append(_from_list(name or path.stem, path))
        elif path.is_dir():
            sets += _from_folder(name, path)
        else:
            raise SodkerasError(f"There is no such folder or list of pairs. Received: {source}")
    names = [found.name for found in sets]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise SodkerasError(f"Give each data set a name of its own, as NAME=SOURCE. Received: {', '.join(doubled)}")
    if mask_value is None:
        return sets
    chosen = {"mask_value": mask_value}
    return [
        dataclasses.replace(found, pairs=tuple(dataclasses.replace(pair, **chosen) for pair in found.pairs))
        for found in sets
    ]


def split_pairs(pairs: Sequence[Pair], share: float, seed: int = 0) -> tuple[list[Pair], list[Pair]]:
    """Holds some pairs out for validation.

    A pair's side follows from its stem and the seed alone: it stays where it is when others are added or removed. With
    seed 0 and a share of a half, those are held out whose stem's SHA-256 ends with a digit from 8 to f.

    Args:
        pairs: a list of `Pair`.
        share: of the pairs to hold out, in [0, 1); what comes out is near it.
        seed: another gives another division.

    Returns:
        (training pairs, validation pairs), in their order.

    Raises:
        SodkerasError: for a share that is none, or one that leaves nothing to train on or to validate with.
    """
    if not 0 <= share < 1:
        raise SodkerasError(f"The share of pairs to hold out is a number in [0, 1). Received: {share}")
    sides: tuple[list[Pair], list[Pair]] = ([], [])
    for pair in pairs:
        text = f"{seed}:{pair.stem}" if seed else pair.stem
        digits = hashlib.sha256(text.encode()).hexdigest()[::-1][:12]
        sides[int(digits, 16) / 16**12 >= 1 - share].append(pair)
    if not sides[0] or (share and not sides[1]):
        raise SodkerasError(
            "Too few pairs to hold this share of them out; `sodkeras train` takes --validation=DATA with pairs to "
            f"validate with, or another --validation_share. Received: {share} of {len(pairs)}"
        )
    return sides


def _named(source):
    """(name or None, path); what exists is taken as it is, whatever is in its name."""
    text = os.fspath(source)
    name, equals, value = text.partition("=")
    if not equals or pathlib.Path(text).exists():
        return None, pathlib.Path(text)
    if not name or not value:
        raise SodkerasError(f"A data set is given as SOURCE or NAME=SOURCE. Received: {text}")
    return name, pathlib.Path(value)


def _from_list(name, path):
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SodkerasError(f"A list of pairs is text in UTF-8. Received: {path}") from None
    pairs, has_begun = [], False
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        separator = next((character for character in ",\t" if character in line), None)
        fields = next(csv.reader([line], delimiter=separator)) if separator else line.split()
        fields = [field.strip() for field in fields]
        if not has_begun and _is_header(fields, path.parent):
            has_begun = True
            continue
        has_begun = True
        weight = _weight(fields[2]) if len(fields) == 3 else 1.0
        if len(fields) not in (2, 3) or not all(fields) or weight is None:
            raise SodkerasError(
                f"A list of pairs has a picture, its mask and, if wanted, a weight from 0 to 1 in each line, separated "
                f"by a comma, a tab or spaces. Received: line {number} of {path}: {line}"
            )
        pair = _pair(path.parent / fields[0], path.parent / fields[1], name, weight)
        pairs.append(dataclasses.replace(pair, soft=path.name == OWN_LIST and len(fields) == 3))
    if not pairs:
        raise SodkerasError(f"The list names no pairs. Received: {path}")
    return PairSet(pairs[0].set if len({pair.set for pair in pairs}) == 1 else name, tuple(pairs))


def _is_header(fields, folder):
    """Whether the fields of a list's first line name its columns, such as picture and mask, instead of files."""
    files = [folder / field for field in fields[:2]]
    return len(fields) in (2, 3) and not any(file.suffix or file.exists() for file in files)


def _weight(text):
    """The number from 0 to 1 that a text is, or None."""
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if 0 <= weight <= 1 else None


def _from_folder(name, folder):
    try:
        sets = list(_search(pathlib.Path(os.path.abspath(folder)), _DEPTH, name))
    except OSError as error:
        raise SodkerasError(f"Cannot read the folder ({error.strerror}). Received: {folder}") from None
    if not sets:
        raise SodkerasError(
            "The folder holds no pairs: neither a folder of pictures beside one of masks (images/ and masks/), nor "
            f"JPEG pictures with PNG masks of the same stem, nor a {OWN_LIST}. Received: {folder}"
        )
    return sets


def _search(folder, depth, name=None, prefix=""):
    """The sets of a folder, called `name`, or failing that of its subfolders, whose names begin with `prefix`."""
    inside = [path for path in sorted(folder.glob("*/")) if not path.name.startswith(".")]
    pictures = [path for path in inside if PICTURE_FOLDER.fullmatch(path.name)]
    masks = [path for path in inside if MASK_FOLDER.fullmatch(path.name)]
    if (folder / OWN_LIST).is_file():
        yield _from_list(name or prefix + folder.name, folder / OWN_LIST)
    elif pictures and masks:
        yield from _beside(name or prefix + folder.name, _one(pictures), _one(masks))
    elif together := _together(name or prefix + _telling(folder), folder):
        yield together
    elif depth:
        for path in inside:
            yield from _search(path, depth - 1, prefix=f"{name}/" if name else prefix)


def _one(folders):
    if len(folders) > 1:
        raise SodkerasError(
            f"Say with a list of pairs which of several folders is meant. Received: {', '.join(map(str, folders))}"
        )
    return folders[0]


def _beside(name, pictures, masks):
    """The set, or sets, of a folder of pictures and one of masks."""
    pictures, masks = _unwrapped(pictures), _unwrapped(masks)
    if _has_pictures(pictures) and _has_pictures(masks):
        found = _joined(name, by_stem(pictures), by_stem(masks))
        if not found.pairs:
            raise SodkerasError(
                f"No picture has a mask of the same stem, as photo.jpg and photo.png. Received: {pictures} and {masks}"
            )
        yield found
    elif not (_has_pictures(pictures) or _has_pictures(masks)):
        for path in sorted(pictures.glob("*/")):
            if (masks / path.name).is_dir():
                yield from _beside(f"{name}/{path.name}", path, masks / path.name)


def _unwrapped(folder):
    """The folder in the folder that archives leave behind, as in DUT-OMRON-image/DUT-OMRON-image/."""
    inside = list(folder.glob("*/"))
    return _unwrapped(inside[0]) if len(inside) == 1 and not _has_pictures(folder) else folder


def _together(name, folder):
    """The set of a folder of JPEG pictures and PNG masks, or None."""
    pictures, masks = {}, {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in _LOSSY:
            pictures[path.stem] = path
        elif path.suffix.lower() == ".png":
            masks[path.stem] = path
    return _joined(name, pictures, masks) if pictures.keys() & masks.keys() else None


def _joined(name, pictures, masks):
    pairs = tuple(_pair(path, masks[stem], name) for stem, path in pictures.items() if stem in masks)
    unpaired = [path for stem, path in pictures.items() if stem not in masks]
    unpaired += [path for stem, path in masks.items() if stem not in pictures]
    return PairSet(pairs[0].set if pairs else name, pairs, tuple(unpaired))


def _pair(picture, mask, name, weight=1.0):
    parents = picture.parents[:2]
    synthetic = any((parent / SYNTHETIC_MARKER).exists() for parent in parents) and not name.startswith("synthetic")
    return Pair(picture, mask, f"synthetic-{name}" if synthetic else name, weight)


def _telling(folder):
    """The name of a folder, or of the one around it where its own says nothing, as in MSRA10K_Imgs_GT/Imgs/."""
    return folder.parent.name if PICTURE_FOLDER.fullmatch(folder.name) else folder.name


def _has_pictures(folder):
    return any(path.suffix.lower() in SUFFIXES for path in folder.iterdir() if not path.name.startswith("."))
