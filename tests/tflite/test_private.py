"""A release of TensorFlow, LiteRT or tfmot that changes what it keeps private fails here, by the name of the entry."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from sodkeras.tflite import private

X = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def module():
    class Network(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(np.random.default_rng(1).normal(size=(3, 3, 3, 4)).astype("float32"))

        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3))], autograph=False)
        def serve(self, x):
            return tf.nn.relu(tf.nn.conv2d(x, self.kernel, 1, "SAME"))

    return Network()


@pytest.fixture(scope="module")
def saved_model(module, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("saved"))
    constants = private.as_constants(module.serve.get_concrete_function())
    tf.saved_model.save(tf.Module(), path, signatures=constants)
    return path


def opened(content):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    return interpreter


def test_variables_become_constants(module):
    constants = private.as_constants(module.serve.get_concrete_function())
    assert not constants.variables
    np.testing.assert_allclose(constants(tf.constant(X))[0], module.serve(X), rtol=1e-6)


def test_a_calibrated_file_is_quantized_but_for_the_operators_that_are_named(saved_model):
    content = private.calibrate(saved_model, lambda: [X])
    quantization = private.parse(content).subgraphs[0].tensors[0].quantization
    assert float(quantization.min[0]) == pytest.approx(X.min()) and float(quantization.max[0]) == pytest.approx(X.max())
    names = [
        private.tensor_name(opened(content), int(operator["outputs"][0]))
        for operator in private.operators(opened(content))
        if operator["op_name"] == "CONV_2D"
    ]
    assert len(names) == 1
    types = {}
    for in_float in ([], names):
        interpreter = opened(private.quantize(content, in_float, "int8"))
        assert interpreter.get_input_details()[0]["dtype"] == np.int8
        (convolution,) = [one for one in private.operators(interpreter) if one["op_name"] == "CONV_2D"]
        details = {one["index"]: one for one in interpreter.get_tensor_details()}
        types[len(in_float)] = details[convolution["inputs"][1]]["dtype"]
    assert types == {0: np.int8, 1: np.float32}


def test_a_file_may_say_that_sums_are_of_16_bits(saved_model):
    def metadata(allows):
        converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        if allows:
            private.sum_in_half_precision(converter)
        model = private.parse(converter.convert())
        return [model.buffers[entry.buffer].data.tobytes() for entry in model.metadata]

    assert any(b"fp16accfp16" in value for value in metadata(True))
    assert not any(b"fp16accfp16" in value for value in metadata(False))


def test_a_file_survives_being_parsed_and_packed(saved_model):
    content = tf.lite.TFLiteConverter.from_saved_model(saved_model).convert()
    model = private.parse(content)
    assert isinstance(model, private.schema().ModelT)
    before, after = opened(content), opened(private.pack(model))
    results = []
    for interpreter in (before, after):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X)
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*results)
