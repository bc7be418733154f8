"""LiteRT files as plain arrays."""

import numpy as np

from sodkeras.errors import SodkerasError, first_line
from sodkeras.files import read_bytes

_TYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32}


def read_convolutions(path):
    """The convolutions of a `.tflite` file, in the order in which it runs them, dequantized.

    Args:
        path: the file; weights in float32, float16 (behind DEQUANTIZE) or 8 bits.

    Returns:
        A list of `(kernel, bias)`, float32: the kernel as Keras stores it, `[h, w, in, out]`, or `[h, w, channels, 1]`
        of a depthwise convolution; the bias `[out]`.

    Raises:
        SodkerasError: if the file is no LiteRT network, or a convolution's weights are not stored in it.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = read_bytes(path)
    try:
        if not schema.Model.ModelBufferHasIdentifier(content, 0):
            raise ValueError("no TFL3 at its beginning")
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        graph = model.subgraphs[0]
        names = {value: name for name, value in vars(schema.TensorType).items() if name in _TYPES}
        dequantized, convolutions = {}, []
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            code = max(code.builtinCode, code.deprecatedBuiltinCode)
            if code == schema.BuiltinOperator.DEQUANTIZE:
                dequantized[operator.outputs[0]] = operator.inputs[0]
            elif code in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D):
                kernel, bias = (
                    _values(graph.tensors[dequantized.get(index, index)], model.buffers, names)
                    for index in operator.inputs[1:3]
                )
                # Stored are [out, h, w, in], and of depthwise convolutions [1, h, w, channels].
                convolutions.append((kernel.transpose((1, 2, 3, 0)), bias))
    except Exception as error:  # foreign bytes end the reader as they happen to: struct.error, IndexError, TypeError
        raise SodkerasError(
            f"The file is no LiteRT network with its weights in it ({first_line(error)}). Received: {path}"
        ) from None
    return convolutions


def _values(tensor, buffers, names):
    """A constant tensor's values, float32."""
    data = buffers[tensor.buffer].data
    if data is None:
        raise ValueError(f"{tensor.name.decode()} is no constant")
    values = np.frombuffer(bytes(data), _TYPES[names[tensor.type]]).reshape(tensor.shape)
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        return values.astype(np.float32)
    # One scale, or one for each slice along the quantized dimension.
    along = [1] * values.ndim
    along[quantization.quantizedDimension] = -1
    scale, zero = (np.reshape(part, along) for part in (quantization.scale, quantization.zeroPoint))
    return ((values.astype(np.int64) - zero) * scale.astype(np.float64)).astype(np.float32)
