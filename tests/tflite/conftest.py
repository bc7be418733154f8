"""A `.tflite` file that is made in a second, for what times files rather than judges them."""

import pytest


@pytest.fixture(scope="session")
def small_file(tmp_path_factory):
    """Two convolutions with a cumulative sum between, which XNNPACK does not take: 2 of 4 operators in 2 partitions."""
    import numpy as np
    import tensorflow as tf

    from sodkeras import Preprocessing
    from sodkeras.tflite.file.lite_file import LiteFile

    kernel = tf.constant(np.full((3, 3, 3, 3), 0.02, np.float32))
    last = tf.constant(np.full((3, 3, 3, 1), 0.02, np.float32))

    def function(picture):
        features = tf.cumsum(tf.nn.relu(tf.nn.conv2d(picture, kernel, 1, "SAME")), 1)
        return tf.nn.sigmoid(tf.nn.conv2d(features, last, 1, "SAME"))

    module = tf.Module()
    concrete = tf.function(function, input_signature=[tf.TensorSpec((1, 16, 24, 3))]).get_concrete_function()
    module.serve = concrete
    folder = tmp_path_factory.mktemp("small")
    tf.saved_model.save(module, str(folder / "saved"), signatures=concrete)
    content = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert()
    path = folder / "small-16x24-float32.tflite"
    metadata = {"name": "small", "numerics": "float32", "preprocessing": Preprocessing((16, 24)).to_dict()}
    path.write_bytes(LiteFile(content).to_bytes(metadata))
    return path
