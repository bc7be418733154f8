"""Average pooling as a convolution: 8-bit AVERAGE_POOL_2D runs outside XNNPACK."""

import keras
import numpy as np

from sodkeras.graph import rewrite
from sodkeras.tflite.passes.new_layers import depthwise


def replace_average_pools(model: keras.Model) -> keras.Model:
    """Puts depthwise convolutions with a constant kernel in the place of average poolings; exact.

    Poolings whose windows reach over the edge are left alone: they average over fewer pixels there. So are those whose
    steps differ down and across: TensorFlow has such depthwise convolutions with oneDNN alone, which it leaves out on
    CPUs without AVX-512 or VNNI.

    Args:
        model: a flat functional Keras model.

    Returns:
        A flat model.
    """

    def replace(call, inputs):
        layer = call.layer
        if not isinstance(layer, keras.layers.AveragePooling2D):
            return None
        window, strides = layer.pool_size, layer.strides
        sizes = zip(inputs[0].shape[1:3], window, strides, strict=True)
        fits = all(side == step and size % step == 0 for size, side, step in sizes)
        # XNNPACK's depthwise kernels take 25 taps at the most.
        if not (fits or layer.padding == "valid") or np.prod(window) > 25 or len(set(strides)) > 1:
            return None
        kernel = np.full((*window, call.output.shape[-1]), 1 / np.prod(window), "float32")
        return depthwise(inputs[0], kernel, name=layer.name, strides=strides, padding="valid")

    return rewrite(model, replace)
