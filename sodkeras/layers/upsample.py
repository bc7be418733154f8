"""Bilinear upsampling by a whole factor."""

from typing import Any

import keras
from keras import ops

from sodkeras.keras_private import resize_bilinear


@keras.saving.register_keras_serializable(package="sodkeras")
class BilinearUpSampling2D(keras.layers.UpSampling2D):
    """`UpSampling2D(size, interpolation="bilinear")` that also works where height and width are not known in advance.

    Args:
        size: the factor, or a pair for height and width.

    Input `[B, H, W, C]`, output `[B, H · size, W · size, C]`, channels last, half-pixel centres.
    """

    def __init__(self, size: int | tuple[int, int], **kwargs: Any) -> None:
        super().__init__(size, **{"data_format": "channels_last"} | kwargs | {"interpolation": "bilinear"})

    def call(self, inputs: Any) -> Any:
        height, width = ops.shape(inputs)[1:3]
        return resize_bilinear(inputs, (height * self.size[0], width * self.size[1]))
