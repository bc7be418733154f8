"""Scenes: many new pictures made of few, cut from some and with the objects of others pasted in.

A teacher that labels them shows a small network what it makes of crowded, cropped and odd pictures, of which a data set
of well-framed photos has none (function matching: Beyer et al., "Knowledge distillation: A good teacher is patient and
consistent", CVPR 2022).
"""

import os
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from sodkeras.data.pairs import Pair
from sodkeras.data.paste import is_sure, paste
from sodkeras.data.samples import PairFiles
from sodkeras.errors import SodkerasError
from sodkeras.files import whole_file
from sodkeras.pictures import encode_jpeg, write_png
from sodkeras.progress import progress_bar

# Probabilities of 0, 1, 2 and 3 pasted objects.
_OBJECTS = (0.4, 0.3, 0.2, 0.1)
# Of the picture that a scene is cut from: the area kept, and the logarithm of how far the aspect ratio changes.
_AREA, _ASPECT = (0.3, 1.0), 0.3


def write_scenes(
    folder: str | os.PathLike,
    pairs: Sequence[Pair],
    count: int,
    size: tuple[int, int] = (256, 256),
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Writes scenes and their masks, images/*.jpg and masks/*.png.

    The masks have every object that was pasted, or that was one in the picture that the scene was cut from. Whether
    all of them still stand out, a teacher can say: `sodkeras pseudo-label FOLDER/images`. Pairs that are to validate
    training do not belong here: what was made of them would be trained on.

    Args:
        folder: the folder to make the set in; it holds nothing yet.
        pairs: a list of `sodkeras.data.Pair`; objects are taken from those that weigh one half or more.
        count: scenes.
        size: (height, width) in pixels; other sides' pictures are stretched.
        seed: the same seed gives the same pixels, and the first scenes of a larger set are those of a smaller one.
        progress: whether a bar is shown.

    Raises:
        SodkerasError: for a count or a size that cannot work, pairs that cannot be read or have no sure one among them,
            or a folder that cannot be written to or is in use.
    """
    folder = pathlib.Path(folder)
    if count < 1 or min(size) < 16:
        raise SodkerasError(f"A set has a scene at least, of 16x16 pixels at least. Received: {count} of {size}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SodkerasError(f"There is something already; choose a new folder. Received: {folder}")
    samples = PairFiles(pairs)
    sure = [index for index, pair in enumerate(pairs) if is_sure(pair)]
    if not sure:
        raise SodkerasError(f"No pair is sure enough to take objects from. Received: {len(samples)} pairs")
    for index in progress_bar(range(count), "scenes", unit="scene", disable=not progress):
        rng = np.random.default_rng([seed, index])
        picture, mask = _cut(*samples[rng.integers(len(samples))], size, rng)
        for _ in range(rng.choice(len(_OBJECTS), p=_OBJECTS)):
            picture, mask = paste(picture, mask, *samples[sure[rng.integers(len(sure))]], rng)
        with whole_file(folder / "images" / f"{index:05}.jpg") as temporary:
            temporary.write_bytes(encode_jpeg(picture))
        write_png(folder / "masks" / f"{index:05}.png", mask)


def _cut(picture, mask, size, rng):
    """A part of a pair, anywhere in it, mirrored or not, stretched to the size."""
    share, aspect = rng.uniform(*_AREA), np.exp(rng.uniform(-_ASPECT, _ASPECT) / 2)
    window = []
    for whole, factor in zip(mask.shape, (aspect, 1 / aspect), strict=True):
        side = min(max(round(whole * np.sqrt(share) * factor), 1), whole)
        start = int(rng.integers(whole - side + 1))
        window.append(slice(start, start + side))
    picture, mask = (
        cv2.resize(array[tuple(window)], size[::-1], interpolation=cv2.INTER_AREA) for array in (picture, mask)
    )
    return (picture[:, ::-1].copy(), mask[:, ::-1].copy()) if rng.random() < 0.5 else (picture, mask)
