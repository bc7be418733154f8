"""Resizing a feature map to the size of another."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sodkeras")
class ResizeLike(keras.layers.Layer):
    """Resizes `x` to the height and width of `reference`, bilinear with half-pixel centres.

    The sampling grid is PyTorch's `align_corners=False` and TensorFlow Lite's `half_pixel_centers`; nothing is
    smoothed when shrinking. With static shapes it exports to one RESIZE_BILINEAR operator.

    Call arguments:
        x: `[B, h, w, C]`.
        reference: `[B, H, W, *]`; only its size is used.

    Returns:
        `[B, H, W, C]`.
    """

    def call(self, x, reference):
        height, width = ops.shape(reference)[1:3]
        if (height, width) == tuple(x.shape[1:3]):
            return x
        resized = ops.image.resize(x, (height, width), interpolation="bilinear", data_format="channels_last")
        return ops.cast(resized, x.dtype)  # TensorFlow resizes bfloat16 into float32

    def compute_output_shape(self, x_shape, reference_shape):
        return (x_shape[0], reference_shape[1], reference_shape[2], x_shape[3])
