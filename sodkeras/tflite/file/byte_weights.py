"""Weights of 8 bits for layers that compute in float: the file is smaller, and what is computed hardly changes.

LiteRT and XNNPACK turn constants behind a DEQUANTIZE into float once, when a file is opened: an inference takes as long
as with float weights. This is for layers that are in float because 8 bits would split the graph, not for those whose
weights do not fit into 8 bits.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from sodkeras.layers import DepthwiseNonLocal
from sodkeras.tflite import private

#: Constants of fewer values stay: operator and tensor of a DEQUANTIZE would take as much.
_FEWEST = 64


def layers_with_byte_weights(model: keras.Model, float_layers: Iterable[str]) -> set[str]:
    """The names of the layers of a flat Keras model, of those that stay in float, whose weights 8 bits suit."""
    return {layer.name for layer in model.layers if isinstance(layer, DepthwiseNonLocal) and layer.name in float_layers}


def store_in_bytes(file: Any, operators: Sequence[Any]) -> None:
    """Makes float constants of a `LiteFile` 8-bit integers with one scale each.

    Args:
        file: it is changed.
        operators: of it, whose constants are meant; others that share them read what became of them.
    """
    schema = private.schema()
    floats: dict[int, int] = {}
    for operator in operators:
        for index in operator.inputs:
            if index >= 0 and index not in floats and _is_large(file, index, schema):
                floats[index] = _as_bytes(file, index, schema)
    if not floats:
        return
    graph = file.graph
    for operator in graph.operators:
        operator.inputs = _indices(floats.get(index, index) for index in operator.inputs)
    code = len(file.model.operatorCodes)
    file.model.operatorCodes.append(_dequantize(schema))
    graph.operators = [_operator(code, index, made, schema) for index, made in floats.items()] + graph.operators


def _is_large(file, index, schema):
    content = file.constant(index)
    is_constant = file.graph.tensors[index].type == schema.TensorType.FLOAT32 and content is not None
    return is_constant and len(content) >= _FEWEST * np.dtype(np.float32).itemsize


def _as_bytes(file, index, schema):
    """Makes a constant 8-bit. Returns the index of the tensor that is to hold it as float."""
    tensors = file.graph.tensors
    tensor = tensors[index]
    values = np.frombuffer(bytes(file.constant(index)), np.float32)
    scale = float(np.abs(values).max() / 127) or 1.0
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = tensor.name, tensor.shape, tensor.type, 0
    tensors.append(made)
    # Several tensors may share a buffer: this one gets its own, and what nobody refers to any more is emptied.
    if sum(other.buffer == tensor.buffer for other in tensors) == 1:
        file.model.buffers[tensor.buffer].data = None
    tensor.type = schema.TensorType.INT8
    tensor.buffer = file.add_buffer(np.round(values / scale).astype(np.int8).view(np.uint8))
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.zeros(1, np.int64)
    return len(tensors) - 1


def _indices(values):
    """As an array, of which equal ones are written once, unlike lists."""
    return np.array(list(values), np.int32)


def _dequantize(schema):
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 2  # of 8-bit input with a sign
    return code


def _operator(code, source, made, schema):
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, _indices([source]), _indices([made])
    return operator
