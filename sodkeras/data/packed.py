"""A data set in one file, and batches of it for any backend of Keras: no TensorFlow and no picture files are needed."""

import concurrent.futures
import os
import pathlib
import threading
import zlib
from collections.abc import Sequence
from typing import Any

import cv2
import keras
import numpy as np

from sodkeras.data.augmentation import MASKS, Augmentation, resize_picture
from sodkeras.data.batches import Batches
from sodkeras.data.pairs import Pair
from sodkeras.data.samples import PairFiles
from sodkeras.errors import SodkerasError
from sodkeras.files import declared_size, whole_file
from sodkeras.preprocessing import Preprocessing
from sodkeras.progress import progress_bar

_ARRAYS = ("pictures", "masks", "picture_files", "mask_files", "sets", "weights")


def pack(
    pairs: Sequence[Pair],
    size: tuple[int, int],
    file: str | os.PathLike,
    interpolation: str = "bilinear",
    masks: str = "soft",
    progress: bool = True,
) -> None:
    """Writes pairs to an `.npz` file, resized: pictures `[N, H, W, 3]`, masks `[N, H, W]`, uint8, their names, and a
    check sum over all of it.

    Args:
        pairs: a list of `sodkeras.data.Pair`.
        size: (height, width).
        file: the file; whole or absent.
        interpolation: of pictures, see `sodkeras.Preprocessing`.
        masks: how masks are resized, one of `sodkeras.data.augmentation.MASKS`.
        progress: whether a bar is shown.

    Raises:
        SodkerasError: if a picture or a mask cannot be used, there are none, or the file cannot be written.
    """
    file = pathlib.Path(file)
    if file.suffix != ".npz":
        raise SodkerasError(f"A packed set is a file that ends with .npz. Received: {file}")
    if not pairs:
        raise SodkerasError("A packed set has one pair at least. Received: none")
    preprocessing = Preprocessing(size, interpolation=interpolation)
    height, width = preprocessing.size
    arrays: dict[str, Any] = {
        "pictures": np.empty((len(pairs), height, width, 3), np.uint8),
        "masks": np.empty((len(pairs), height, width), np.uint8),
        "picture_files": np.array([str(pair.picture) for pair in pairs]),
        "mask_files": np.array([str(pair.mask) for pair in pairs]),
        "sets": np.array([pair.set for pair in pairs]),
        "weights": np.array([pair.weight for pair in pairs]),
    }
    samples = PairFiles(pairs)

    def put(index):
        picture, mask = samples[index]
        arrays["pictures"][index] = resize_picture(picture, preprocessing)
        arrays["masks"][index] = cv2.resize(mask, (width, height), interpolation=MASKS[masks])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        done = executor.map(put, range(len(pairs)))
        list(progress_bar(done, "pack", total=len(pairs), unit="pair", disable=not progress))
    with whole_file(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, **arrays, check_sum=_check_sum(arrays))


def _check_sum(arrays):
    total = 0
    for name in _ARRAYS:
        total = zlib.crc32(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8), total)
    return np.uint32(total)


class PackedPairs:
    """The samples of a file that `pack` wrote, in memory, as `sodkeras.data.samples.PairFiles` gives them.

    Its arrays must fit together, take no more than the file does, and have the check sum that is stored with them: a
    CRC-32, for damage and not against forgery, at 7 GB a second.

    Raises:
        SodkerasError: if the file is missing, damaged or changed, of another version, or something else.
    """

    def __init__(self, file: str | os.PathLike) -> None:
        size = declared_size(file)
        try:
            if size > os.stat(file).st_size:
                raise ValueError("it is packed more densely than pack does")
            with np.load(file, allow_pickle=False) as content:
                arrays = {name: content[name] for name in _ARRAYS}
                if content["check_sum"] != _check_sum(arrays):
                    raise ValueError("the check sum is another")
            self._pictures, self._masks, *names = arrays.values()
            shape = (len(names[0]), *self._masks.shape[1:])
            for array, wanted in ((self._pictures, (*shape, 3)), (self._masks, shape)):
                if array.dtype != np.uint8 or array.shape != wanted or len(wanted) < 3 or 0 in wanted:
                    raise ValueError("pictures and masks do not fit together")
            self.pairs = [
                Pair(pathlib.Path(str(picture)), pathlib.Path(str(mask)), str(name), float(weight))
                for picture, mask, name, weight in zip(*names, strict=True)
            ]
        except Exception:  # a damaged array ends NumPy's reader as it happens to: BadZipFile, SyntaxError, MemoryError
            raise SodkerasError(
                f"This is no whole file of sodkeras data --pack; pack the pictures again. Received: {file}"
            ) from None

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._pictures[index], self._masks[index]


class PackedData(keras.utils.PyDataset):
    """Endless augmented batches of a packed set, in NumPy, for `model.fit` under any backend.

    They are those that `sodkeras.data.pipeline.TrainingData` makes of the same samples, settings and seed. They have no
    length, so that `fit` takes them in their order, shuffles nothing and goes on where the last epoch ended.

    Args:
        file: what `pack` wrote, or other samples, such as `sodkeras.data.samples.PairFiles`.
        preprocessing, batch, augmentation, seed, masks: see `sodkeras.data.batches.Batches`.
        first_step: the number of the first batch.
        threads: how many make batches ahead.

    Attributes:
        batches: the `Batches` that it gives one after another.
        steps_per_epoch: whole batches in an epoch; `fit` needs it.

    Example:
        >>> data = PackedData("duts.npz", model.preprocessing, batch=24)
        >>> model.fit(data, steps_per_epoch=data.steps_per_epoch, epochs=300, shuffle=False)
    """

    def __init__(
        self,
        file: Any,
        preprocessing: Preprocessing,
        batch: int,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        masks: str = "soft",
        first_step: int = 0,
        threads: int = 2,
    ) -> None:
        super().__init__()
        samples = PackedPairs(file) if isinstance(file, (str, os.PathLike)) else file
        self.batches = Batches(samples, preprocessing, batch, augmentation, seed, masks)
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.first_step = first_step
        self._threads = threads
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)
        self._lock = threading.Lock()
        self._coming: dict[int, concurrent.futures.Future] = {}

    @property
    def num_batches(self) -> None:
        """None: there is no end."""
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Batch number `first_step + index`; the next ones are begun."""
        with self._lock:
            self._coming = {
                number: self._coming.get(number) or self._pool.submit(self.batches, self.first_step + number)
                for number in range(index, index + self._threads + 1)
            }
            batch = self._coming[index]
        return batch.result()
