"""New layers for rewritten graphs."""

from typing import Any

import keras
import numpy as np
from keras import ops

from sodkeras.graph import Tensor, is_convolution, is_depthwise


def convolution_like(
    layer: keras.Layer, inputs: Tensor, kernel: np.ndarray, bias: np.ndarray, **changes: Any
) -> Tensor:
    """Calls a plain convolution with a layer's settings and other weights.

    Args:
        layer: a `Conv2D` or `DepthwiseConv2D`, or a subclass, whose own weights are left alone.
        inputs: the tensor to call it on.
        kernel, bias: the new layer's weights as arrays.
        **changes: further entries of its config.

    Returns:
        The new layer's output.
    """
    plain = keras.layers.DepthwiseConv2D if is_depthwise(layer) else keras.layers.Conv2D
    config = layer.get_config() | {"use_bias": True} | changes
    config.pop("kernel_scale", None)
    if plain is keras.layers.Conv2D:
        config["filters"] = kernel.shape[-1]
    convolution = plain.from_config(config)
    outputs = convolution(inputs)
    convolution.set_weights([kernel, bias])
    return outputs


def depthwise(
    inputs: Tensor, kernel: np.ndarray, bias: np.ndarray | None = None, name: str | None = None, **settings: Any
) -> Tensor:
    """Calls a new depthwise convolution with a constant kernel.

    Args:
        inputs: `[B, H, W, C]`.
        kernel: `[h, w, C]`.
        bias: `[C]`; default none.
        name: the layer's name.
        **settings: of `keras.layers.DepthwiseConv2D`, such as `strides` or `activation`.

    Returns:
        Its output.
    """
    layer = keras.layers.DepthwiseConv2D(kernel.shape[:2], use_bias=bias is not None, name=name, **settings)
    outputs = layer(inputs)
    layer.set_weights([kernel[..., None]] + ([] if bias is None else [bias]))
    return outputs


def can_fold(layer: keras.Layer) -> bool:
    """Whether a scale and a shift for each output channel can go into a layer's own kernel and bias."""
    return is_convolution(layer) and getattr(layer, "depth_multiplier", 1) == 1


def weights(layer: keras.Layer) -> tuple[np.ndarray, np.ndarray | None]:
    """A convolution's kernel as it is applied, and its bias or None, in float64."""
    kernel = float64(layer.kernel) * getattr(layer, "kernel_scale", 1)
    return kernel, float64(layer.bias) if layer.use_bias else None


def float64(variable: keras.Variable) -> np.ndarray:
    """A variable's value."""
    return ops.convert_to_numpy(variable).astype(np.float64)
