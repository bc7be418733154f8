"""What runs a network: Keras, or LiteRT on a `.tflite` file. Both take and give the same arrays."""

import dataclasses
import json
import os
import pathlib

import numpy as np

from sodkeras.errors import SodkerasError, first_line
from sodkeras.files import read_bytes
from sodkeras.keras_file import load_keras
from sodkeras.preprocessing import Preprocessing

#: The name under which a `.tflite` file's metadata holds this project's JSON.
METADATA_NAME = "sodkeras"


class KerasRuntime:
    """Runs a Keras model of this project.

    Args:
        model: a `SaliencyModel` or `InferenceModel`, or the path of a `.keras` file with one.

    Attributes:
        preprocessing: the model's `Preprocessing`.
        name: what to call it in a table.
        numerics: "float32", or the model's own type.

    Raises:
        SodkerasError: if the file is no Keras model of this project.
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

    def __call__(self, batch):
        """Network input, float32 `[B, h, w, 3]`, to saliency maps, float32 `[B, h, w]` in [0, 1]."""
        return np.asarray(self._model.predict_on_batch(batch), np.float32)[..., 0]


class LiteRTRuntime:
    """Runs a `.tflite` file that `sodkeras convert` wrote, on the CPU.

    Args:
        path: the file.
        threads: CPU threads; default LiteRT's own choice.
        metadata: what the file's metadata says, for a file that has none yet.

    Attributes:
        preprocessing, name, numerics: as in `KerasRuntime`, from the file's metadata.
        whole_preprocessing: `preprocessing` together with the normalisation inside the graph, if there is one.
        metadata: all of it, a dict.
        interpreter: the LiteRT interpreter.

    Raises:
        SodkerasError: if the file is no `.tflite` file, or carries no preprocessing because something else wrote it.
    """

    def __init__(self, path, threads=None, metadata=None):
        content = read_bytes(path)
        if content[4:8] != b"TFL3":
            raise SodkerasError(f"The file is not a .tflite model. Received: {path}")
        from ai_edge_litert.interpreter import Interpreter

        try:
            self.interpreter = Interpreter(str(path), num_threads=threads)
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise SodkerasError(f"LiteRT cannot load the file ({first_line(error)}). Received: {path}") from None
        self.metadata = metadata or read_metadata(content, path)
        self.preprocessing = Preprocessing.from_dict(self.metadata["preprocessing"])
        inside = self.metadata.get("normalisation_inside")
        self.whole_preprocessing = dataclasses.replace(self.preprocessing, **inside) if inside else self.preprocessing
        self.name = self.metadata["name"]
        self.numerics = self.metadata["numerics"]
        self._input = self.interpreter.get_input_details()[0]
        self._output = self.interpreter.get_output_details()[0]

    def __call__(self, batch):
        """Network input, float32 `[B, h, w, 3]`, to saliency maps, float32 `[B, h, w]` in [0, 1]."""
        return np.stack([self._one(picture) for picture in batch])

    def _one(self, picture):
        self.interpreter.set_tensor(self._input["index"], _quantize(picture[None], self._input))
        self.interpreter.invoke()
        values = _dequantize(self.interpreter.get_tensor(self._output["index"]), self._output)[0, ..., 0]
        # What convert was asked to leave out of the graph is done here.
        values = self.preprocessing.restore(values, self.preprocessing.size)
        return (1 + np.tanh(values / 2)) / 2 if self.metadata.get("output_values") == "logits" else values


def open_runtime(source, threads=None):
    """The runtime for a model object, a `.keras` or `.tflite` path, or the name of a preset.

    Raises:
        SodkerasError: if there is no such file or preset.
    """
    if isinstance(source, (str, os.PathLike)):
        suffix = pathlib.Path(source).suffix.lower()
        if suffix not in (".keras", ".tflite"):
            from sodkeras import weights

            name = str(source)
            suffix = pathlib.Path(weights.preset(name)["file"]).suffix
            source = weights.fetch(name) if suffix == ".tflite" else weights.load_model(name)
        if suffix == ".tflite":
            return LiteRTRuntime(source, threads)
    return KerasRuntime(source)


def read_metadata(content, name):
    """This project's JSON in the bytes of a `.tflite` file, as a dict.

    Args:
        content: the file's bytes.
        name: what to call the file in an error.

    Raises:
        SodkerasError: if there is none.
    """
    from ai_edge_litert.schema_py_generated import Model

    model = Model.GetRootAs(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name().decode() == METADATA_NAME:
            return json.loads(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
    raise SodkerasError(
        f"The .tflite file does not say how to prepare its pictures; make it with sodkeras convert. Received: {name}"
    )


def _quantize(values, details):
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"], copy=False)
    limits = np.iinfo(details["dtype"])
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(details["dtype"])


def _dequantize(values, details):
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(np.float32, copy=False)
    return (values.astype(np.float32) - zero_point) * np.float32(scale)
