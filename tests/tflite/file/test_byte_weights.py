"""Layers in float with weights of 8 bits: a smaller file that computes the same but for the weights' rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from sodkeras.layers import DepthwiseNonLocal
from sodkeras.tflite.check.partitions import count_partitions
from sodkeras.tflite.file.byte_weights import layers_with_byte_weights, store_in_bytes
from sodkeras.tflite.file.lite_file import LiteFile
from sodkeras.tflite.private import operators

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(24, 24)).astype("float32")


class Products(tf.Module):
    """One constant in two products, and a bias of few values."""

    @tf.function(input_signature=[tf.TensorSpec((1, 3, 8, 24))])
    def __call__(self, x):
        kernels = tf.constant(np.broadcast_to(KERNEL, (3, 24, 24)).copy())
        return tf.matmul(tf.matmul(x, kernels), kernels) + tf.constant(np.full(24, 0.25, "float32"))


@pytest.fixture(scope="module")
def in_float():
    module = Products()
    return tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module).convert()


def in_bytes(content, is_meant=lambda name: True):
    file = LiteFile(content)
    store_in_bytes(file, [operator for operator in file.graph.operators if is_meant(file.made_by(operator))])
    return file.to_bytes()


def run(content, x):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter, interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_the_file_computes_with_rounded_weights_in_one_partition(in_float):
    made = in_bytes(in_float)
    assert len(made) < len(in_float) - 2.5 * KERNEL.size * 3
    x = RNG.normal(size=(1, 3, 8, 24)).astype("float32")
    interpreter, found = run(made, x)
    step = np.abs(KERNEL).max() / 127
    rounded = np.round(KERNEL / step) * step
    np.testing.assert_allclose(found, x @ rounded @ rounded + 0.25, atol=1e-3)
    assert np.abs(run(in_float, x)[1] - found).max() > 1e-2  # else nothing was rounded
    assert count_partitions(interpreter).partitions == 1
    names = [node["op_name"] for node in operators(interpreter)]
    assert names.count("DEQUANTIZE") == 1  # the constant is there once, and the bias, of few values, stays


def test_whoever_shares_a_constant_reads_what_became_of_it(in_float):
    made = in_bytes(in_float, lambda name: name == "MatMul_1")
    assert len(made) < len(in_float)
    x = RNG.normal(size=(1, 3, 8, 24)).astype("float32")
    np.testing.assert_array_equal(run(made, x)[1], run(in_bytes(in_float), x)[1])


def test_constants_of_other_layers_stay(in_float):
    assert in_bytes(in_float, lambda name: False) == LiteFile(in_float).to_bytes()


def test_only_modules_that_stay_in_float_have_them():
    inputs = keras.Input((4, 4, 2))
    x = DepthwiseNonLocal("vertical", 2, name="one")(inputs)
    x = DepthwiseNonLocal("horizontal", 2, name="two")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, name="conv")(x))
    assert layers_with_byte_weights(model, ["one", "conv"]) == {"one"}
