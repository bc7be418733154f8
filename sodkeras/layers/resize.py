"""Resizing a feature map to the size of another."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from sodkeras.keras_private import resize_bilinear


@keras.saving.register_keras_serializable(package="sodkeras")
class ResizeLike(keras.layers.Layer):
    """Resizes `x` to the height and width of `reference`, bilinear; nothing is smoothed when shrinking.

    With half-pixel centres (PyTorch's `align_corners=False`) and static shapes it exports to one RESIZE_BILINEAR
    operator. With aligned corners, for which Keras has no operator, it is a product with a constant matrix along each
    axis and exports to two BATCH_MATMULs.

    Args:
        align_corners: whether the centres of the corner pixels stay where they are, or the corners themselves
            (half-pixel centres).

    Call arguments:
        x: `[B, h, w, C]`.
        reference: `[B, H, W, *]`; only its size is used.

    Returns:
        `[B, H, W, C]`.
    """

    def __init__(self, align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.align_corners = align_corners

    def call(self, x: Any, reference: Any) -> Any:
        height, width = ops.shape(reference)[1:3]
        if (height, width) == tuple(x.shape[1:3]):
            return x
        if self.align_corners:
            return map_axes(x, height, width, _aligned_corners)
        return resize_bilinear(x, (height, width))

    def compute_output_shape(self, x_shape: tuple, reference_shape: tuple) -> tuple:
        return (x_shape[0], reference_shape[1], reference_shape[2], x_shape[3])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"align_corners": self.align_corners}


def map_axes(x: Any, height: Any, width: Any, matrix: Callable[[Any, Any, Any], Any]) -> Any:
    """Multiplies every channel of `x` by a matrix along height and by one along width.

    Args:
        x: `[B, h, w, C]`.
        height, width: of the result: numbers, or tensors where they are known only when the graph runs.
        matrix: a function of (from, to, namespace) that gives the matrix `[to, from]`, computed with NumPy or with
            `keras.ops`, whichever the namespace is.

    Returns:
        `[B, height, width, C]` of the type of `x`.
    """

    def constant(before, after):
        if isinstance(before, int) and isinstance(after, int):
            return matrix(before, after, np).astype("float32")
        return ops.cast(matrix(before, after, ops), "float32")

    before_height, before_width = ops.shape(x)[1:3]
    channels = x.shape[-1]
    wide = ops.matmul(constant(before_width, width), ops.cast(x, "float32"))
    wide = ops.reshape(wide, (-1, before_height, width * channels))
    result = ops.reshape(ops.matmul(constant(before_height, height), wide), (-1, height, width, channels))
    return ops.cast(result, x.dtype)


def _aligned_corners(before, after, namespace):
    """Row i takes from i · (before - 1) / (after - 1), each of the two neighbours by its nearness."""
    steps = max(after - 1, 1) if isinstance(after, int) else ops.maximum(after - 1, 1)
    if namespace is np:
        positions = np.arange(after) * (before - 1) / steps
    else:
        positions = ops.cast(ops.arange(after) * (before - 1), "float32") / ops.cast(steps, "float32")
    sources = namespace.arange(before)
    if namespace is not np:
        sources = ops.cast(sources, "float32")
    return namespace.maximum(1 - namespace.abs(positions[:, None] - sources[None]), 0)
