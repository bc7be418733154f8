"""What a run learns from and is validated with: tf.data under TensorFlow, NumPy batches under other backends."""

import concurrent.futures
import contextlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np

from sodkeras.data import Augmentation
from sodkeras.data.cache import InMemory, OnDisk
from sodkeras.data.packed import PackedData
from sodkeras.data.pairs import Pair
from sodkeras.data.samples import PairFiles
from sodkeras.preprocessing import Preprocessing
from sodkeras.training.settings import Settings


def training_data(settings: Settings, preprocessing: Preprocessing, pairs: Sequence[Pair]) -> Any:
    """The endless batches of a run; of the same settings and pairs they are the same under all backends.

    Args:
        settings: a `Settings`.
        preprocessing: the network's.
        pairs: a list of `sodkeras.data.Pair`.

    Returns:
        A `sodkeras.data.pipeline.TrainingData`, or without TensorFlow the like, whose `dataset` knows no parts.

    Raises:
        SodkerasError: for fewer pairs than a batch holds, or settings that cannot work.
    """
    augmentation = Augmentation.from_dict(settings.augmentation)
    arguments = pairs, preprocessing, settings.batch, augmentation, settings.seed, settings.cache, settings.masks
    if keras.backend.backend() != "tensorflow":
        return _NumpyData(*arguments)
    from sodkeras.data.pipeline import TrainingData

    return TrainingData(*arguments)


def validation_data(pairs: Sequence[Pair], preprocessing: Preprocessing, batch: int) -> Any:
    """Every pair once, in order, nothing augmented, the last batch as small as it comes: what `evaluate` takes."""
    if keras.backend.backend() != "tensorflow":
        return _EveryPair(pairs, preprocessing, batch)
    from sodkeras.data import pipeline

    return pipeline.validation_data(pairs, preprocessing, batch)


def file_errors() -> AbstractContextManager:
    """A context that gives back the SodkerasError that TensorFlow made an error of its own of."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    from sodkeras.data import pipeline

    return pipeline.file_errors()


class _NumpyData:
    """See `sodkeras.data.pipeline.TrainingData`."""

    def __init__(self, pairs, preprocessing, batch, augmentation, seed, cache, masks):
        samples = PairFiles(pairs)
        if cache is not None:
            samples = InMemory(samples) if cache == "memory" else OnDisk(samples, cache)
        self._arguments = samples, preprocessing, batch, augmentation, seed, masks
        self._batches = self.dataset().batches
        self.batch = batch
        self.size = self._batches.size
        self.steps_per_epoch = self._batches.steps_per_epoch

    def dataset(self, first_step=0):
        return PackedData(*self._arguments, first_step, threads=os.cpu_count())

    def pairs_of_step(self, step):
        return self._batches.pairs(step)


class _EveryPair(keras.utils.PyDataset):
    def __init__(self, pairs, preprocessing, batch):
        super().__init__()
        self._samples = PairFiles(pairs)
        self._preprocessing = preprocessing
        self._batch = batch
        self._pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())

    def __len__(self):
        return -(-len(self._samples) // self._batch)

    def __getitem__(self, index):
        first = index * self._batch
        made = self._pool.map(self._read, range(first, min(first + self._batch, len(self._samples))))
        pictures, masks = zip(*made, strict=True)
        return np.stack(pictures), np.stack(masks)

    def _read(self, index):
        rng = np.random.default_rng(0)  # which nothing is drawn from
        return Augmentation.none()(*self._samples[index], self._preprocessing, rng)
