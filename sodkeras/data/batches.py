"""Numbered batches of augmented samples: batch n follows from the seed and n alone."""

import functools
from typing import Any

import numpy as np

from sodkeras.data.augmentation import MASKS, Augmentation
from sodkeras.data.pairs import Pair
from sodkeras.data.paste import is_sure, paste
from sodkeras.errors import SodkerasError
from sodkeras.preprocessing import Preprocessing

# Which of a seed's random streams.
_ORDER, _CHANGES, _PASTE = 0, 1, 2


class Batches:
    """The batches of endless training on a set of samples, in NumPy.

    An epoch is a random permutation of the samples, cut into batches; what does not fill a batch is left out of the
    epoch. Nothing depends on which batches were made before, by how many threads, or in how many parts.

    Args:
        samples: a sequence of (picture, mask) with the attribute `pairs`, see `sodkeras.data.samples`.
        preprocessing: the network's `sodkeras.Preprocessing`.
        batch: samples a batch.
        augmentation: a `sodkeras.data.Augmentation`.
        seed: a whole number from 0 up; of order and augmentation.
        masks: how masks are resized, "soft" (bilinear) or "nearest".

    Attributes:
        size: (height, width) of pictures and masks.
        steps_per_epoch: whole batches in an epoch.
        weighted: whether some pair's weight is not 1, so that batches have weights.

    Raises:
        SodkerasError: for fewer samples than a batch holds, or settings that cannot work.
    """

    def __init__(
        self,
        samples: Any,
        preprocessing: Preprocessing,
        batch: int,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        masks: str = "soft",
    ) -> None:
        if not (isinstance(batch, int) and batch > 0):
            raise SodkerasError(f"A batch has a whole number of pictures, one at least. Received: {batch!r}")
        if not (isinstance(seed, int) and seed >= 0):
            raise SodkerasError(f"A seed is a whole number from 0 up. Received: {seed!r}")
        if masks not in MASKS:
            raise SodkerasError(f"Masks are resized in one of the ways {', '.join(MASKS)}. Received: {masks!r}")
        if len(samples) < batch:
            raise SodkerasError(
                f"Fewer pictures than a batch of {batch} holds; add some or make it smaller. Received: {len(samples)}"
            )
        self.samples = samples
        self.preprocessing = preprocessing
        self.batch = batch
        self.augmentation = Augmentation() if augmentation is None else augmentation
        self.seed = seed
        self.masks = masks
        self.size = self.augmentation.size(preprocessing)
        self.steps_per_epoch = len(samples) // batch
        self._weights = np.array([pair.weight for pair in samples.pairs], np.float32)
        self.weighted = bool((self._weights != 1).any())
        self._sure = np.flatnonzero([is_sure(pair) for pair in samples.pairs])
        if self.augmentation.paste and not len(self._sure):
            raise SodkerasError("Nothing can be pasted: no pair has a weight of one half. Received: paste > 0")
        self._order = functools.lru_cache(maxsize=4)(self._permutation)

    def indices(self, step: int) -> np.ndarray:
        """The numbers of the samples in batch `step`, `[batch]`."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._order(epoch)[position * self.batch : (position + 1) * self.batch]

    def pairs(self, step: int) -> list[Pair]:
        """The `Pair`s in batch `step`; reads no file."""
        return [self.samples.pairs[index] for index in self.indices(step)]

    def __call__(self, step: int, part: int = 0, parts: int = 1) -> tuple[np.ndarray, ...]:
        """Makes a batch.

        Args:
            step: its number, from 0 up.
            part, parts: which of how many equal parts of it.

        Returns:
            (pictures, float32 `[B, h, w, 3]`, preprocessed; masks, float32 `[B, h, w, 1]` in [0, 1]), and third, where
            pairs are weighted, their weights, float32 `[B]`.
        """
        count = self.batch // parts
        first = part * count
        pictures = np.empty((count, *self.size, 3), np.float32)
        masks = np.empty((count, *self.size, 1), np.float32)
        indices = self.indices(step)[first : first + count]
        for place, index in enumerate(indices):
            number = step * self.batch + first + place
            rng = np.random.default_rng([self.seed, _CHANGES, number])
            pair: tuple[np.ndarray, np.ndarray] = self.samples[index]
            pair = self._pasted(*pair, np.random.default_rng([self.seed, _PASTE, number]))
            pictures[place], masks[place] = self.augmentation(*pair, self.preprocessing, rng, self.masks)
        return (pictures, masks, self._weights[indices]) if self.weighted else (pictures, masks)

    def _pasted(self, picture, mask, rng):
        """The pair, in a share of the cases with the object of another."""
        if rng.random() >= self.augmentation.paste:
            return picture, mask
        return paste(picture, mask, *self.samples[self._sure[rng.integers(len(self._sure))]], rng)

    def _permutation(self, epoch):
        return np.random.default_rng([self.seed, _ORDER, epoch]).permutation(len(self.samples))
