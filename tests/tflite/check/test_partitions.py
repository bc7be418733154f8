"""The count of delegated operators, on models built to have a known number."""

import numpy as np
import pytest
import tensorflow as tf

from sodkeras.tflite.check.partitions import Partitions, count_partitions


def interpreter_of(function):
    from ai_edge_litert.interpreter import Interpreter

    module = tf.Module()
    concrete = tf.function(function, input_signature=[tf.TensorSpec((1, 8, 8, 4))]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    return interpreter


def test_a_plain_convolution_is_one_partition():
    kernel = tf.constant(np.ones((3, 3, 4, 4), np.float32))
    partitions = count_partitions(interpreter_of(lambda x: tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))))
    assert (partitions.operators, partitions.delegated, partitions.partitions) == (1, 1, 1)
    assert str(partitions) == "1 of 1 ops delegated, 1 partition"


@pytest.mark.parametrize("outside", [1, 2])
def test_an_operator_that_xnnpack_lacks_splits_the_graph(outside):
    kernel = tf.constant(np.ones((3, 3, 4, 4), np.float32))

    def function(x):
        for _ in range(outside):
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
            x = tf.cumsum(x, 1)
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    partitions = count_partitions(interpreter_of(function))
    assert partitions == Partitions(2 * outside + 1, outside + 1, outside + 1, {"CUMSUM": outside})
    assert f"outside: {outside} CUMSUM" in str(partitions)
