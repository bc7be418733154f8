"""An ONNX file of anyone's is convolutions, or one sentence, and leads to no other file."""

import random

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sodkeras import SodkerasError
from sodkeras.checkpoints import import_file
from sodkeras.checkpoints.onnx_file import read_convolutions

KERNEL = np.arange(2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3)


def network(*tensors, inputs=None):
    names = [tensor.name for tensor in tensors] if inputs is None else inputs
    node = helper.make_node("Conv", ["x", *names], ["y"])
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph([node], "net", [picture], [result], list(tensors)))


def endless():
    tensor = numpy_helper.from_array(KERNEL, "w")
    tensor.dims[0] = 10**15
    return tensor


def elsewhere():
    tensor = numpy_helper.from_array(KERNEL, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    return tensor


def unknown():
    tensor = numpy_helper.from_array(KERNEL, "w")
    tensor.data_type = 999
    return tensor


def test_kernels_and_biases_are_read(tmp_path):
    bias = np.float32([4, 5])
    onnx.save(network(numpy_helper.from_array(KERNEL, "w"), numpy_helper.from_array(bias, "b")), tmp_path / "net.onnx")
    [(kernel, found)] = read_convolutions(tmp_path / "net.onnx")
    np.testing.assert_array_equal(kernel, KERNEL.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(found, bias)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (network(inputs=["w"]), "lacks the weights 'w'"),
        (network(inputs=[]), "no ONNX network, or is damaged"),
        (network(numpy_helper.from_array(np.zeros(3, np.float32), "w")), "no ONNX network, or is damaged"),
        (network(endless()), "no ONNX network, or is damaged"),
        (network(unknown()), "no ONNX network, or is damaged"),
        (network(elsewhere()), "has weights in another file"),
        (onnx.ModelProto(ir_version=8), "no ONNX network"),
    ],
)
def test_weights_that_cannot_be_are_one_sentence(tmp_path, monkeypatch, model, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(KERNEL.tobytes())
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SodkerasError, match=message) as caught:
        read_convolutions(path)
    assert str(caught.value).endswith(f"Received: {path}")


def test_a_network_of_others_is_one_sentence(tmp_path):
    path = tmp_path / "net.onnx"
    for tensors in ([numpy_helper.from_array(KERNEL, "w")], []):
        model = network(*tensors)
        if tensors:
            model.graph.node.append(model.graph.node[0])
        else:
            model.graph.node[0].op_type = "Relu"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(SodkerasError, match="Received: "):
            import_file(path)


def test_damaged_bytes_are_one_sentence(tmp_path):
    path = tmp_path / "net.onnx"
    content = network(numpy_helper.from_array(KERNEL, "w")).SerializeToString()
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        start = rng.randrange(len(content))
        damaged[start : start + rng.choice([1, 4])] = rng.randbytes(rng.choice([0, 1, 4]))
        path.write_bytes(damaged[: rng.randrange(len(damaged))] if rng.random() < 0.2 else damaged)
        try:
            read_convolutions(path)
        except SodkerasError as error:
            assert str(error).endswith(f"Received: {path}")
