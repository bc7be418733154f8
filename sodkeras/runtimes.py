"""What runs a network: Keras, or LiteRT on a `.tflite` file. Both take and give the same arrays.

Either may be called from any number of threads, with the same results, and pickled for another process.
"""

import hashlib
import json
import os
import pathlib
import threading
from typing import Any

import numpy as np

from sodkeras.errors import SodkerasError, first_line
from sodkeras.files import read_bytes, reason
from sodkeras.keras_file import load_keras
from sodkeras.lite_metadata import preprocessing_of, read_metadata


class KerasRuntime:
    """Runs a Keras model of this project.

    Threads take turns, for one call uses all cores. A forked process cannot use it, for TensorFlow's threads are not
    there: open it in that process, or start the process by "spawn".

    Args:
        model: a `SaliencyModel` or `InferenceModel`, or the path of a `.keras` file with one.

    Attributes:
        preprocessing: the model's `Preprocessing`.
        name: what to call it in a table.
        numerics: "float32", or the model's own type.

    Raises:
        SodkerasError: if the file is no Keras model of this project; when called, if the network gives NaN, or in a
            forked process.
    """

    def __init__(self, model):
        if isinstance(model, (str, os.PathLike)):
            model = load_keras(pathlib.Path(model))
        elif not hasattr(model, "inference_model"):
            raise SodkerasError(f"This is not a saliency model of sodkeras. Received: {model!r}")
        self.preprocessing = model.preprocessing
        self.name = model.name.removesuffix("_inference")
        self.numerics = model.compute_dtype
        self._model = model.inference_model()
        # XLA would compile for a minute on a CPU before the first picture.
        self._model.compile(jit_compile=False)
        self._process, self._turn = os.getpid(), threading.Lock()

    def __call__(self, batch):
        """Network input, float32 `[B, h, w, 3]`, to saliency maps, float32 `[B, h, w]` in [0, 1]."""
        if os.getpid() != self._process:
            raise SodkerasError(
                "A Keras network does not survive a fork: open it in the new process, or start that by "
                f'multiprocessing.get_context("spawn"). Received: process {os.getpid()}, forked from {self._process}'
            )
        with self._turn:
            try:
                maps = np.asarray(self._model.predict_on_batch(batch), np.float32)[..., 0]
            except Exception as error:  # Keras's and its backends' are of many kinds
                raise SodkerasError(f"Keras cannot run the network ({reason(error)}). Received: {self.name}") from None
        return _finite(maps, self.name)

    def fingerprint(self):
        """A hexadecimal digest of all that the maps follow from: graph, weights and preprocessing."""
        import keras

        digest = hashlib.sha256(json.dumps(keras.saving.serialize_keras_object(self._model), sort_keys=True).encode())
        for values in self._model.get_weights():
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def __getstate__(self):
        import keras

        # Layers and weights alone: what it was compiled with, and whose turn it is, cannot travel.
        return self.name, keras.saving.serialize_keras_object(self._model), self._model.get_weights()

    def __setstate__(self, state):
        import keras

        import sodkeras.models  # noqa: F401 (registers the classes that the configuration names)

        name, config, values = state
        model = keras.saving.deserialize_keras_object(config)
        model.set_weights(values)
        self.__init__(model)
        self.name = name


class LiteRTRuntime:
    """Runs a `.tflite` file that `sodkeras convert` wrote, on the CPU.

    Each thread, and each forked process, has an interpreter of its own from its first call on: on two cores two threads
    find twice as many maps in a second as two that share one by turns (tflite/benchmarks/threads.py).

    Args:
        path: the file.
        threads: CPU threads of an interpreter; default LiteRT's own choice.
        metadata: what the file's metadata says, for a file that has none yet.

    Attributes:
        preprocessing, name, numerics: as in `KerasRuntime`, from the file's metadata.
        whole_preprocessing: `preprocessing` together with the normalisation inside the graph, if there is one.
        metadata: all of it, a dict.
        interpreter: the calling thread's LiteRT interpreter.

    Raises:
        SodkerasError: if the file is no `.tflite` file, or carries no preprocessing because something else wrote it;
            when called, if the network gives NaN.
    """

    def __init__(self, path, threads=None, metadata=None):
        content = read_bytes(path)
        if content[4:8] != b"TFL3":
            raise SodkerasError(f"The file is not a .tflite model. Received: {path}")
        self._open(str(path), content, threads, metadata)

    def _open(self, path, content, threads, metadata):
        self._path, self._content, self._threads = path, content, threads
        self._own = threading.local()
        interpreter = self.interpreter
        self.metadata = metadata or read_metadata(content, path)
        self.preprocessing, self.whole_preprocessing = preprocessing_of(self.metadata)
        self.name = self.metadata["name"]
        self.numerics = self.metadata["numerics"]
        self._input = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]
        _check_tensors(interpreter, self.preprocessing.size, path)
        self._gives_logits = self.metadata.get("output_values") == "logits"

    @property
    def interpreter(self):
        process, interpreter = getattr(self._own, "interpreter", (None, None))
        if process != os.getpid():
            if interpreter is not None:
                # Its threads stayed in the process that was forked; waiting for them, it would never be destroyed.
                _LEFT_BEHIND.append(interpreter)
            interpreter = self._new_interpreter()
            self._own.interpreter = os.getpid(), interpreter
        return interpreter

    def _new_interpreter(self):
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=self._content, num_threads=self._threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise SodkerasError(f"LiteRT cannot load the file ({first_line(error)}). Received: {self._path}") from None
        return interpreter

    def __call__(self, batch):
        """Network input, float32 `[B, h, w, 3]`, to saliency maps, float32 `[B, h, w]` in [0, 1]."""
        interpreter = self.interpreter
        return _finite(np.stack([self._one(interpreter, picture) for picture in batch]), self.name)

    def _one(self, interpreter, picture):
        try:
            interpreter.set_tensor(self._input["index"], _quantize(picture[None], self._input))
            interpreter.invoke()
            values = interpreter.get_tensor(self._output["index"])
        except (RuntimeError, ValueError) as error:
            raise SodkerasError(
                f"LiteRT cannot run the network ({first_line(error)}). Received: {self._path}"
            ) from None
        values = _dequantize(values, self._output, is_map=not self._gives_logits)[0, ..., 0]
        # What convert was asked to leave out of the graph is done here.
        values = self.preprocessing.restore(values, self.preprocessing.size)
        return (1 + np.tanh(values / 2)) / 2 if self._gives_logits else values

    def fingerprint(self):
        """A hexadecimal digest of all that the maps follow from: the file, and metadata that it has not yet."""
        return hashlib.sha256(self._content + json.dumps(self.metadata, sort_keys=True).encode()).hexdigest()

    def __getstate__(self):
        return self._path, self._content, self._threads, self.metadata

    def __setstate__(self, state):
        self._open(*state)


# What half precision and resizing add to the ends of [0, 1].
_ROUNDING = 0.01
# Interpreters of the process that this one was forked from.
_LEFT_BEHIND: list[Any] = []


def open_runtime(source, threads=None):
    """The runtime for a model object, a `.keras` or `.tflite` path, or the name of a preset.

    A network's name alone, as "u2netp", stands for its file that is best for phones, where it has one, in LiteRT. For
    Keras's give `weights.load_model("u2netp")` or "u2netp_keras".

    Raises:
        SodkerasError: if there is no such file or preset.
    """
    if isinstance(source, (str, os.PathLike)):
        suffix = pathlib.Path(source).suffix.lower()
        if suffix not in (".keras", ".tflite"):
            from sodkeras import weights

            name = str(source)
            if weights.is_preset_folder(name):
                return KerasRuntime(weights.load_model(name))
            suffix = pathlib.Path(weights.preset(name)["file"]).suffix
            source = weights.fetch(name) if suffix == ".tflite" else weights.load_model(name)
        if suffix == ".tflite":
            return LiteRTRuntime(source, threads)
    return KerasRuntime(source)


def _check_tensors(interpreter, size, path):
    """Whether a file takes one picture of this (height, width) and gives one map."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shapes = [tuple(map(int, tensor["shape"])) for tensor in (*inputs, *outputs)]
    good = len(inputs) == len(outputs) == 1 and shapes[0] == (1, *size, 3)
    if not good or len(shapes[1]) != 4 or shapes[1][::3] != (1, 1):
        raise SodkerasError(
            f"A saliency network takes a picture of {size[0]}x{size[1]}, as its metadata says, and gives a map; "
            f"convert it anew. Received: {path} with tensors of {', '.join(map(str, shapes))}"
        )


def _quantize(values, details):
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"], copy=False)
    limits = np.iinfo(details["dtype"])
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(details["dtype"])


def _dequantize(values, details, is_map):
    """The values of integers.

    A map's largest integer stands for 1: LiteRT's sigmoid has steps of 1/256 and so would end at 255/256, where no
    pixel is ever wholly salient. The app and the page compute the same, to the bit.
    """
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(np.float32, copy=False)
    scale, largest = np.float32(scale), np.float32(np.iinfo(details["dtype"]).max - zero_point)
    steps = values.astype(np.float32) - zero_point
    if is_map and largest * scale < 1 <= largest * scale + scale:
        return steps / largest
    return steps * scale


def _finite(maps, name):
    if not np.isfinite(maps).all():
        raise SodkerasError(
            f"The network gives NaN, which is no saliency map: train it, or convert it anew. Received: {name}"
        )
    if maps.min() < -_ROUNDING or maps.max() > 1 + _ROUNDING:
        raise SodkerasError(
            "A saliency map is in [0, 1]: the network's metadata must say if its output is one of logits. "
            f"Received: {name} with values from {maps.min():g} to {maps.max():g}"
        )
    return maps
