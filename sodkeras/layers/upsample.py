"""Bilinear upsampling by a whole factor."""

import keras
from keras import ops
from keras.src import backend


@keras.saving.register_keras_serializable(package="sodkeras")
class BilinearUpSampling2D(keras.layers.UpSampling2D):
    """`UpSampling2D(size, interpolation="bilinear")` that also works where height and width are not known in advance.

    `keras.ops.image.resize` (3.15) compares the new size with 0, which a TensorFlow graph cannot do for a size that is
    known only when it runs: `predict` on pictures of a second size, say. The backend's own function has no such check.

    Args:
        size: the factor, or a pair for height and width.

    Input `[B, H, W, C]`, output `[B, H · size, W · size, C]`, channels last, half-pixel centres.
    """

    def __init__(self, size, **kwargs):
        super().__init__(size, **{"data_format": "channels_last"} | kwargs | {"interpolation": "bilinear"})

    def call(self, inputs):
        height, width = ops.shape(inputs)[1:3]
        size = (height * self.size[0], width * self.size[1])
        resized = backend.image.resize(inputs, size, interpolation="bilinear", data_format="channels_last")
        return ops.cast(resized, inputs.dtype)  # TensorFlow resizes bfloat16 into float32
