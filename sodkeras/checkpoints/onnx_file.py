"""ONNX files as plain arrays."""

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, reason


def read_convolutions(path):
    """The convolutions of an ONNX graph, in the order in which the graph runs them.

    Exporters rename or drop the weights' names but keep the order, so the order is what a network can be filled by.

    Args:
        path: an ONNX file.

    Returns:
        A list of `(kernel, bias)`, float32: the kernel `[h, w, in, out]` as Keras stores it, the bias `[out]`, or None.

    Raises:
        SodkerasError: if the file is missing, damaged or not ONNX, or a convolution's weights are not stored in it.
    """
    import onnx

    content = read_bytes(path)
    try:
        graph = onnx.load_from_string(content).graph
        arrays = {tensor.name: tensor for tensor in graph.initializer}
        convolutions = [_convolution(node, arrays) for node in graph.node if node.op_type == "Conv"]
    except SodkerasError as error:
        raise SodkerasError(f"{error} Received: {path}") from None
    except Exception as error:  # foreign bytes end the reader as they happen to: DecodeError, ValueError, IndexError
        raise SodkerasError(
            f"The file holds no ONNX network, or is damaged ({reason(error)}); export it again or fetch it anew. "
            f"Received: {path}"
        ) from None
    if not graph.node:
        raise SodkerasError(f"The file holds no ONNX network; export it again or fetch it anew. Received: {path}")
    return convolutions


def _convolution(node, arrays):
    import onnx

    missing = [name for name in node.input[1:] if name not in arrays]
    if missing:
        raise SodkerasError(f"The ONNX file lacks the weights {missing[0]!r}; export it with constants folded.")
    tensors = [arrays[name] for name in node.input[1:]]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):  # any file, by its path
        raise SodkerasError("The ONNX file has weights in another file; export it as one file.")
    kernel, *bias = [onnx.numpy_helper.to_array(tensor) for tensor in tensors]
    return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)), bias[0] if bias else None
