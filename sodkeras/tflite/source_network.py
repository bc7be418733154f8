"""A network that a file is made from: loaded, with its calibration pictures, and what its file is held against."""

import functools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np
import tensorflow as tf

from sodkeras import weights
from sodkeras.errors import SodkerasError
from sodkeras.pictures import read_picture
from sodkeras.progress import progress_bar, say, warn
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite import private
from sodkeras.tflite.calibration import Calibration, pictures_to_try
from sodkeras.tflite.check.agreement import TOLERANCES, Agreement, Tolerance, compare
from sodkeras.tflite.file.metadata import describe_calibration
from sodkeras.tflite.passes.run import probe_picture

#: A float32 file whose maps differ by more in the mean is not given out.
_WRONG = 1e-4


class SourceNetwork:
    """A network on its way into files.

    Args:
        source: a preset's name or the path of a `.keras` file.
        calibration: the pictures.
        progress: a file to write progress to.

    Attributes:
        source: as above.
        model: its `InferenceModel`.
        name: of the network, for files' names.
        preprocessing: what calibration pictures go through; changed where the graph takes a part over.
    """

    def __init__(self, source: str, calibration: Calibration, progress: TextIO) -> None:
        self.source, self._calibration, self._progress = source, calibration, progress
        if calibration.warning:
            warn(calibration.warning, progress)
        self.say(f"{source}: loading")
        self.model = weights.load_model(source).inference_model()
        self.name = self.model.name.removesuffix("_inference")
        self.preprocessing = self.model.preprocessing

    def say(self, text: str) -> None:
        """Writes a line of progress."""
        say(text, self._progress)

    def bar(self, items: Sequence, purpose: str | None, unit: str) -> Iterator:
        """The items with a progress bar, or without one for no purpose."""
        return progress_bar(items, purpose, unit=unit, file=self._progress, disable=purpose is None)

    def batches(self, purpose: str | None, count: int | None = None) -> Iterator[np.ndarray]:
        """Preprocessed calibration pictures `[1, H, W, 3]`, all or a few; without any, a made-up one."""
        if not self._calibration.pictures:
            yield self.preprocessing(probe_picture())
        for path in self.bar(self._calibration.pictures[:count], purpose, "picture"):
            yield self.preprocessing(read_picture(path))

    def spread_pictures(self, count: int) -> list[tuple[str, np.ndarray]]:
        """Up to `count` of the calibration pictures, evenly spread, as `(name, RGB)`."""
        paths = self._calibration.pictures
        paths = paths[:: -(-len(paths) // count) or 1]
        return [(pathlib.Path(path).name, read_picture(path)) for path in paths]

    def describe_calibration(self) -> dict:
        """What the file says of its calibration pictures."""
        return describe_calibration(self._calibration.pictures, self._calibration.found)

    @functools.cached_property
    def pictures_to_try(self) -> list[tuple[str, np.ndarray]]:
        """Pictures that it was not calibrated with, as `(name, RGB)`."""
        return pictures_to_try(self._calibration.tried_on, self._calibration.pictures)

    @functools.cached_property
    def _keras(self):
        return _Remembering(KerasRuntime(self.model))

    def compare(self, runtime: Any, pictures: Sequence[tuple[str, np.ndarray]] | None = None) -> Agreement:
        """How a runtime's maps compare with the Keras model's, by default on `pictures_to_try`."""
        return compare(self._keras, runtime, self.pictures_to_try if pictures is None else pictures)

    def parity(self, path: pathlib.Path, metadata: dict) -> dict:
        """What a file says of its agreement with the Keras model.

        Args:
            path: of the file, which needs no metadata yet.
            metadata: what it will say of itself.

        Raises:
            SodkerasError: if the file gives NaN, or one map whatever the picture; if a float32 file differs by more
                than rounding.
        """
        found = self.compare(LiteRTRuntime(path, metadata=metadata))
        self.say(f"  against Keras: {in_words(found)}")
        wrong = found.violations(Tolerance(worst_mae=_WRONG))
        if wrong and metadata["numerics"] == "float32":
            raise SodkerasError(f"The float file does not compute what Keras does. Received: {'; '.join(wrong)}")
        tried = {"pictures": len(self.pictures_to_try), "mirrored": not self._calibration.tried_on}
        return tried | {"problems": found.violations(TOLERANCES[metadata["numerics"]])} | rounded(found)


class _Remembering:
    """A runtime that computes each picture once: all files, and all trials for a budget, are compared on the same."""

    def __init__(self, runtime):
        self._runtime, self._maps = runtime, {}
        self.preprocessing = runtime.preprocessing

    def __call__(self, batch):
        key = batch.tobytes()
        if key not in self._maps:
            self._maps[key] = self._runtime(batch)
        return self._maps[key]


def rounded(found: Agreement) -> dict[str, float]:
    """The figures of an agreement, to four digits."""
    return {name: float(f"{value:.4g}") for name, value in found.summary().items()}


def in_words(found: Agreement) -> str:
    """The same for a line of progress."""
    return ", ".join(f"{name} {value:g}" for name, value in rounded(found).items())


def export(model: Any, path: str) -> str:
    """Writes a flat model as a SavedModel with a static batch of one, and returns its path.

    A dynamic batch would leave space-to-batch operators around dilated convolutions.
    """
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="picture")

    @tf.function(input_signature=[signature], autograph=False)
    def serve(picture):
        return model(picture, training=False)

    frozen = private.as_constants(serve.get_concrete_function())
    tf.saved_model.save(tf.Module(), path, signatures=frozen)
    return path
