"""Convolutions whose stored kernel is smaller than the one they apply."""

from typing import Any

import keras
from keras import ops

#: The released CSNet multiplies the kernels of depthwise and dilated convolutions by this in the forward pass.
KERNEL_SCALE = 100


@keras.saving.register_keras_serializable(package="sodkeras")
class ScaledConv2D(keras.layers.Conv2D):
    """`Conv2D` with the kernel `kernel_scale · w`, where w is what is stored and trained.

    The function class is that of `Conv2D`; optimiser and weight decay act on w, so that a step of an optimiser that
    normalises its gradients (Adam) moves the applied kernel `kernel_scale` times as far. Folding the factor into the
    kernel of a plain `Conv2D` gives the same outputs.

    Args:
        kernel_scale: the factor.
        Others: as `keras.layers.Conv2D`.
    """

    def __init__(self, *args: Any, kernel_scale: float = KERNEL_SCALE, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kernel_scale = kernel_scale

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, ops.multiply(kernel, self.kernel_scale))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"kernel_scale": self.kernel_scale}


@keras.saving.register_keras_serializable(package="sodkeras")
class ScaledDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`DepthwiseConv2D` with the kernel `kernel_scale · w`, where w is what is stored and trained.

    See `ScaledConv2D`; has no bias and no activation.

    Args:
        kernel_scale: the factor.
        Others: as `keras.layers.DepthwiseConv2D`.
    """

    def __init__(self, *args: Any, kernel_scale: float = KERNEL_SCALE, use_bias: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, use_bias=use_bias, **kwargs)
        if self.use_bias or self.activation is not keras.activations.linear:
            raise ValueError(
                "ScaledDepthwiseConv2D has no bias and no activation. "
                f"Received: use_bias={use_bias}, activation={kwargs.get('activation')!r}"
            )
        self.kernel_scale = kernel_scale

    def call(self, inputs: Any) -> Any:
        return ops.depthwise_conv(
            inputs,
            ops.multiply(self.kernel, self.kernel_scale),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"kernel_scale": self.kernel_scale}
