"""From a SavedModel to a `.tflite` file in each of the numerics."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from sodkeras.errors import SodkerasError
from sodkeras.tflite import private
from sodkeras.tflite.eight_bits.activation_ranges import Ranges
from sodkeras.tflite.file.byte_weights import store_in_bytes
from sodkeras.tflite.file.lite_file import LiteFile, layers_of

#: Gives the pictures to calibrate with, preprocessed, `[1, H, W, 3]`.
Pictures = Callable[[], Iterable[np.ndarray]]


def convert_float(saved_model: str) -> LiteFile:
    """In float32."""
    return LiteFile(tf.lite.TFLiteConverter.from_saved_model(saved_model).convert())


def convert_half(saved_model: str, computes_in_half: bool) -> LiteFile:
    """With weights in float16; XNNPACK computes in it, where the processor can, only if the file says so."""
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    if computes_in_half:
        private.sum_in_half_precision(converter)
    return LiteFile(converter.convert())


def convert_dynamic(saved_model: str, float_layers: Iterable[str]) -> LiteFile:
    """With weights in 8 bits and activations in float.

    Args:
        saved_model: the folder of a SavedModel.
        float_layers: the names of layers that keep float weights.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    file = LiteFile(converter.convert())
    if float_layers:
        # The converter has no way to leave a layer out: it gets its weights back from the float file.
        in_float = convert_float(saved_model)
        theirs = {in_float.made_by(operator): operator for operator in in_float.graph.operators}
        for operator in file.operators_of(float_layers):
            if len(operator.inputs) > 1:
                own = file.graph.tensors[operator.inputs[1]]
                index = theirs[file.made_by(operator)].inputs[1]
                other = in_float.graph.tensors[index]
                # Several operators may share a tensor, so the values go into a buffer of their own.
                own.type, own.quantization = other.type, other.quantization
                own.buffer = file.add_buffer(in_float.constant(index))
    return file


def convert_16(saved_model: str, pictures: Pictures, interface: str) -> LiteFile:
    """With weights in 8 bits and activations in 16; arguments as for `Calibrated`."""
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([batch] for batch in pictures())
    # Operators that have no 16-bit form stay in float.
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(interface)
    return LiteFile(converter.convert())


class Calibrated:
    """A float `.tflite` whose tensors carry ranges, to be quantized to 8 bits in one way or another.

    Args:
        saved_model: the folder of a SavedModel of a network in the form for 8 bits.
        pictures: see `Pictures`.
        ranges: of layers, other ranges than those on the pictures, as `eight_bits.activation_ranges` gives them.
        takes_bytes: whether the input is a picture's bytes: the input's range is then all of 0 … 255, and its integers
            are those bytes (of int8, less 128).
    """

    def __init__(self, saved_model: str, pictures: Pictures, ranges: Ranges, takes_bytes: bool) -> None:
        file = LiteFile(private.calibrate(saved_model, pictures))
        _set_ranges(file, ranges, (0.0, 255.0) if takes_bytes else None)
        self._content = private.pack(file.model)  # with the tensors' whole names, which tell the layers

    def quantize(self, float_layers: Sequence[str], byte_weights: Iterable[str], interface: str) -> LiteFile:
        """The 8-bit file.

        Args:
            float_layers: the names of layers that stay in float.
            byte_weights: the names of those whose weights are of 8 bits, see `sodkeras.tflite.file.byte_weights`.
            interface: the type of input and output: "int8", "uint8" or "float32".
        """
        interpreter = Interpreter(model_content=self._content)
        names = (
            private.tensor_name(interpreter, int(operator["outputs"][0]))
            for operator in private.operators(interpreter)
            if operator["op_name"] != "DELEGATE"
        )
        in_float = [name for name in names if layers_of(name) & set(float_layers)]
        file = LiteFile(private.quantize(self._content, in_float, interface))
        store_in_bytes(file, file.operators_of(byte_weights))
        return file


def _set_ranges(file, ranges, input_range):
    """Gives the file other ranges: of layers' results, but not of the file's output, and of its input."""
    graph = file.graph
    of_input = graph.tensors[graph.inputs[0]].quantization
    if of_input is None or of_input.min is None:
        raise SodkerasError("The converter left the input without a range. Received: TensorFlow of another version")
    order = {name: index for index, name in enumerate(ranges)}
    for index, tensor in enumerate(graph.tensors):
        if tensor.quantization is None or tensor.quantization.min is None:
            continue
        # An operator that several layers were made into gives what the last of them gives.
        layers = sorted(layers_of(tensor.name.decode()) & order.keys(), key=order.get)
        chosen = ranges[layers[-1]] if layers and index not in graph.outputs else None
        if index in graph.inputs:
            chosen = input_range
        if chosen is not None:
            tensor.quantization.min, tensor.quantization.max = ([float(end)] for end in chosen)
