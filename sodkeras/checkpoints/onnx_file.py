"""ONNX files as plain arrays."""

import pathlib

import numpy as np

from sodkeras.errors import SodkerasError


def read_convolutions(path):
    """The convolutions of an ONNX graph, in the order in which the graph runs them.

    Exporters rename or drop the weights' names but keep the order, so the order is what a network can be filled by.

    Args:
        path: an ONNX file.

    Returns:
        A list of `(kernel, bias)`, float32: the kernel `[h, w, in, out]` as Keras stores it, the bias `[out]`, or None.

    Raises:
        SodkerasError: if the file is not ONNX or a convolution's weights are not stored in it.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_from_string(pathlib.Path(path).read_bytes()).graph
    except DecodeError:
        graph = None
    if graph is None or not graph.node:
        raise SodkerasError(f"The file holds no ONNX network; export it again or fetch it anew. Received: {path}")
    arrays = {tensor.name: tensor for tensor in graph.initializer}
    convolutions = []
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        try:
            values = [onnx.numpy_helper.to_array(arrays[name]) for name in node.input[1:]]
        except KeyError as error:
            raise SodkerasError(
                f"The ONNX file lacks the weights {error}; export it with constants folded. Received: {path}"
            ) from None
        kernel = np.ascontiguousarray(values[0].transpose(2, 3, 1, 0))
        convolutions.append((kernel, values[1] if len(values) > 1 else None))
    return convolutions
