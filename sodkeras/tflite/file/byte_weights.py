"""Weights of 8 bits for layers that compute in float: the file is smaller, and what is computed hardly changes.

LiteRT and XNNPACK turn constants behind a DEQUANTIZE into float once, when a file is opened: an inference takes as long
as with float weights. This is for layers that are in float because 8 bits would split the graph, not for those whose
weights do not fit into 8 bits.
"""

import numpy as np

from sodkeras.layers import DepthwiseNonLocal

#: Constants of fewer values stay: operator and tensor of a DEQUANTIZE would take as much.
_FEWEST = 64


def layers_with_byte_weights(model, float_layers):
    """The names of the layers of a flat Keras model, of those that stay in float, whose weights 8 bits suit."""
    return {layer.name for layer in model.layers if isinstance(layer, DepthwiseNonLocal) and layer.name in float_layers}


def store_in_bytes(content, is_of_layers):
    """A `.tflite` file whose float constants are 8-bit integers with one scale each, where operators say so.

    Args:
        content: the file's bytes.
        is_of_layers: a function of the name of what an operator gives to whether its constants are meant.

    Returns:
        The new file's bytes.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(content)
    graph = model.subgraphs[0]
    floats = {}
    for operator in graph.operators:
        if is_of_layers(graph.tensors[operator.outputs[0]].name.decode()):
            for index in operator.inputs:
                if index >= 0 and index not in floats and _is_large(model, graph.tensors[index], schema):
                    floats[index] = _as_bytes(model, graph, index, schema)
    for operator in graph.operators:
        operator.inputs = [floats.get(index, index) for index in operator.inputs]
    if not floats:
        return content
    code = len(model.operatorCodes)
    model.operatorCodes.append(_dequantize(schema))
    graph.operators = [_operator(code, index, made, schema) for index, made in floats.items()] + graph.operators
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _is_large(model, tensor, schema):
    content = model.buffers[tensor.buffer].data
    is_constant = tensor.type == schema.TensorType.FLOAT32 and content is not None
    return is_constant and len(content) >= _FEWEST * np.dtype(np.float32).itemsize


def _as_bytes(model, graph, index, schema):
    """Makes a constant 8-bit. Returns the index of the tensor that is to hold it as float."""
    tensor = graph.tensors[index]
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32)
    scale = float(np.abs(values).max() / 127) or 1.0
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = tensor.name, tensor.shape, tensor.type, 0
    graph.tensors.append(made)
    buffer = schema.BufferT()
    buffer.data = np.round(values / scale).astype(np.int8).view(np.uint8)
    # Several tensors may share a buffer: this one gets its own, and what nobody refers to any more is emptied.
    shared = sum(other.buffer == tensor.buffer for other in graph.tensors) > 1
    if not shared:
        model.buffers[tensor.buffer].data = None
    tensor.type, tensor.buffer = schema.TensorType.INT8, len(model.buffers)
    model.buffers.append(buffer)
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    return len(graph.tensors) - 1


def _dequantize(schema):
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 2  # of 8-bit input with a sign
    return code


def _operator(code, source, made, schema):
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [source], [made]
    return operator
