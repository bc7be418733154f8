"""Padding to a size that a network can halve, and the way back."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sodkeras")
class PadToMultiple(keras.layers.Layer):
    """Pads with zeros at the bottom and right until height and width are multiples of `multiple`.

    Zero is the mean colour in a normalised picture.

    Args:
        multiple: a positive integer.

    Input `[B, H, W, C]`, output `[B, ⌈H / multiple⌉ · multiple, ⌈W / multiple⌉ · multiple, C]`.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x: Any) -> Any:
        height, width = ops.shape(x)[1:3]
        return ops.pad(x, [[0, 0], [0, -height % self.multiple], [0, -width % self.multiple], [0, 0]])

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, channels = input_shape
        height, width = (size if size is None else size + -size % self.multiple for size in (height, width))
        return (batch, height, width, channels)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"multiple": self.multiple}


@keras.saving.register_keras_serializable(package="sodkeras")
class CropLike(keras.layers.Layer):
    """Cuts `x` at the bottom and right to the size of `reference`.

    Call arguments:
        x: `[B, h, w, C]`, at least as large as the reference.
        reference: `[B, H, W, *]`; only its size is used.

    Returns:
        `[B, H, W, C]`.
    """

    def call(self, x: Any, reference: Any) -> Any:
        height, width = ops.shape(reference)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, x_shape: tuple, reference_shape: tuple) -> tuple:
        return (x_shape[0], reference_shape[1], reference_shape[2], x_shape[3])
