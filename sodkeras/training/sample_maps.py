"""A few fixed pictures whose maps are kept while a network learns."""

import pathlib
import re
from collections.abc import Iterator, Sequence

import cv2
import keras
import numpy as np

from sodkeras.data.pairs import Pair
from sodkeras.data.samples import read_pair
from sodkeras.files import whole_file
from sodkeras.pictures import compositing, encode_jpeg, write_png

# The longer side of what is kept: enough to see a map by.
_SIDE = 320


class SampleMaps:
    """Writes the maps of a few pictures, as NUMBER-SET-STEM/map-EPOCH.png beside picture.jpg and mask.png.

    Args:
        folder: where to.
        pairs: objects with `picture` and `mask`, paths, and `set`, the set's name.
    """

    def __init__(self, folder: pathlib.Path, pairs: Sequence[Pair]) -> None:
        self.folder = folder
        self._pairs = {
            re.sub(r"[^\w.-]+", "_", f"{number:02}-{pair.set}-{pair.picture.stem}"): pair
            for number, pair in enumerate(pairs, 1)
        }

    def start(self, model: keras.Model, epoch: int) -> None:
        """Writes pictures and masks, and drops the maps that are later than an epoch, the one training goes on from.

        Args:
            model: a `SaliencyModel`, whose maps are written from now on.
            epoch: epochs that are finished.

        Raises:
            SodkerasError: if a picture or a mask cannot be read.
        """
        self._inference = model.inference_model()
        self._samples = {}
        for name, pair in self._pairs.items():
            picture, mask = read_pair(pair)
            small = _small(picture)
            mask = cv2.resize(mask, small.shape[1::-1], interpolation=cv2.INTER_AREA)
            self._samples[name] = model.preprocessing(picture), small, mask
            with whole_file(self.folder / name / "picture.jpg") as temporary:
                temporary.write_bytes(encode_jpeg(small))
            write_png(self.folder / name / "mask.png", mask)
        for path in self.folder.glob("*/map-*.png"):
            if int(path.stem.removeprefix("map-")) > epoch:
                path.unlink()

    def write(self, epoch: int) -> Iterator[tuple[str, np.ndarray]]:
        """Writes the maps of now.

        Args:
            epoch: epochs that are finished.

        Yields:
            `(name, sheet)` for each sample: picture, map and mask side by side, RGB, uint8 `[H, 3W, 3]`.
        """
        for name, (network_input, picture, mask) in self._samples.items():
            saliency = keras.ops.convert_to_numpy(self._inference(network_input, training=False))[0, ..., 0]
            grey = compositing.grey(self._inference.preprocessing.restore(saliency, picture.shape[:2]))
            write_png(self.folder / name / f"map-{epoch:04}.png", grey)
            yield name, np.hstack([picture, *(np.repeat(layer[..., None], 3, axis=2) for layer in (grey, mask))])


def _small(array):
    height, width = array.shape[:2]
    factor = min(1, _SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA)
