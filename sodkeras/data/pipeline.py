"""What feeds training under TensorFlow: tf.data over files of pairs."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from sodkeras.data.augmentation import Augmentation
from sodkeras.data.batches import Batches
from sodkeras.data.cache import InMemory, OnDisk
from sodkeras.data.packed import PackedPairs
from sodkeras.data.pairs import Pair
from sodkeras.data.python_calls import until_exit
from sodkeras.data.samples import PairFiles
from sodkeras.errors import SodkerasError
from sodkeras.preprocessing import Preprocessing

# Batches that wait for the network, beside the one that each core makes.
_AHEAD = 2


class TrainingData:
    """Endless augmented batches, of which any can be made without those before it.

    Args:
        pairs: a list of `sodkeras.data.Pair`, or a `sodkeras.data.packed.PackedPairs`, which needs no cache.
        preprocessing, batch, augmentation, seed, masks: see `sodkeras.data.batches.Batches`; by default pictures are
            flipped left to right at random.
        cache: None to decode every picture in every epoch; "memory" to keep what was decoded; or a folder to keep it in
            a file there, for sets beyond memory. What is kept has the pictures' own sizes and takes 4 bytes a pixel.

    Attributes:
        batch: pictures a batch.
        size: (height, width) of pictures and masks.
        steps_per_epoch: whole batches in an epoch; what does not fill one is left out of it.

    Raises:
        SodkerasError: for fewer pairs than a batch holds, or settings that cannot work.
    """

    def __init__(
        self,
        pairs: Sequence[Pair] | PackedPairs,
        preprocessing: Preprocessing,
        batch: int,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        cache: str | os.PathLike | None = None,
        masks: str = "soft",
    ) -> None:
        samples: PairFiles | InMemory | OnDisk | PackedPairs
        if isinstance(pairs, PackedPairs):
            samples = pairs
        elif cache is None:
            samples = PairFiles(pairs)
        elif cache == "memory":
            samples = InMemory(PairFiles(pairs))
        else:
            samples = OnDisk(PairFiles(pairs), cache)
        self._batches = Batches(samples, preprocessing, batch, augmentation, seed, masks)
        self.batch = batch
        self.size = self._batches.size
        self.steps_per_epoch = self._batches.steps_per_epoch

    def dataset(self, first_step: int = 0, part: int = 0, parts: int = 1) -> tf.data.Dataset:
        """The batches from number `first_step` on, without end.

        Under `tf.distribute`, `fit` and `strategy.experimental_distribute_dataset` divide each batch among all
        replicas. With several workers that makes every worker read all of it; each reads its own share alone with
        `strategy.distribute_datasets_from_function(lambda context: data.dataset(first_step,
        context.input_pipeline_id, context.num_input_pipelines))`.

        Args:
            first_step: the number of the first batch.
            part, parts: which of how many equal parts of every batch.

        Returns:
            A `tf.data.Dataset` of (pictures, float32 `[B, H, W, 3]`, preprocessed; masks, float32 `[B, H, W, 1]` in
            [0, 1]), with the pairs' weights, float32 `[B]`, as the third where some are not 1. A file that cannot be
            used ends it with an error that `file_errors` turns into a SodkerasError.

        Raises:
            SodkerasError: if a batch cannot be divided into so many equal parts.
        """
        if self.batch % parts:
            raise SodkerasError(f"The batch must divide into {parts} equal parts. Received: {self.batch}")
        steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
        weighted = self._batches.weighted
        return _mapped(steps, lambda step: self._batches(step, part, parts), self.batch // parts, self.size, weighted)

    def pairs_of_step(self, step: int) -> list[Pair]:
        """The pairs in batch number `step`, in order; reads no file."""
        return self._batches.pairs(step)


def validation_data(pairs: Sequence[Pair], preprocessing: Preprocessing, batch: int) -> tf.data.Dataset:
    """Every pair once, in order, nothing augmented, the last batch as small as it comes.

    Masks are resized as pictures are, bilinear. The dataset is finite and its cardinality known; `file_errors` holds
    for it, too.
    """
    samples, plain = PairFiles(pairs), Augmentation.none()

    def read(first):
        rng = np.random.default_rng(0)  # which nothing is drawn from
        made = [plain(*samples[index], preprocessing, rng) for index in range(first, min(first + batch, len(samples)))]
        pictures, masks = zip(*made, strict=True)
        return np.stack(pictures), np.stack(masks)

    return _mapped(tf.data.Dataset.range(0, len(samples), batch), read, None, preprocessing.size)


@contextlib.contextmanager
def file_errors() -> Iterator[None]:
    """Gives back the SodkerasError that TensorFlow made an error of its own of, on its way out of a dataset.

    Example:
        >>> with file_errors():
        ...     model.fit(data.dataset(), steps_per_epoch=data.steps_per_epoch)
    """
    try:
        yield
    except tf.errors.OpError as error:
        found = re.search(r"SodkerasError: (.+)", error.message)
        if found is None:
            raise
        raise SodkerasError(found.group(1)) from None


def _mapped(numbers, read, count, size, weighted=False):
    """A dataset of what `read` makes of numbers, several at a time, in order."""
    shapes = [(*size, 3), (*size, 1), ()] if weighted else [(*size, 3), (*size, 1)]

    def nothing():
        return tuple(np.zeros((0, *shape), np.float32) for shape in shapes)

    def make(number):
        arrays = tf.numpy_function(until_exit(read, nothing), [number], [tf.float32] * len(shapes))
        return tuple(tf.ensure_shape(array, (count, *shape)) for array, shape in zip(arrays, shapes, strict=True))

    options = tf.data.Options()
    options.deterministic = True
    # Workers take turns with the parts of one batch; by default, or by file, each would take all of it.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # Left to itself, TensorFlow keeps more and more batches when the machine is busy: hundreds, of 20 MB each.
    made = numbers.map(make, num_parallel_calls=os.cpu_count()).prefetch(_AHEAD)
    return made.with_options(options)
