"""Convolution without bias, batch norm, activation: the unit of ResNet, MobileNetV2 and the heads on them."""

from typing import Any

import keras

#: Activations by name; None for none.
ACTIVATIONS = ("relu", "relu6")
#: He et al., ICCV 2015: what the released codes of ResNet and CII start from.
KAIMING_NORMAL = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal"},
}


@keras.saving.register_keras_serializable(package="sodkeras")
class ConvNorm(keras.layers.Layer):
    """Convolution without bias → batch norm → activation.

    Args:
        filters: output channels; None for a depthwise convolution.
        kernel_size: odd.
        strides: 1 or more.
        dilation_rate: dilation of the kernel; needs strides 1.
        activation: "relu", "relu6" or None.
        padding: "symmetric" pads every side by `dilation_rate · (kernel_size // 2)` zeros, as PyTorch does; "same" is
            Keras's, which pads an even size with strides 2 only at the bottom and right, and needs no operator of its
            own on a phone. With strides 1 they are the same.
        kernel_initializer: default He normal.

    Input `[B, H, W, C]`, output `[B, ⌈H / strides⌉, ⌈W / strides⌉, filters]`.

    Raises:
        ValueError: for an unknown activation or padding.
    """

    def __init__(
        self,
        filters: int | None,
        kernel_size: int = 3,
        strides: int = 1,
        dilation_rate: int = 1,
        activation: str | None = "relu",
        padding: str = "symmetric",
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = KAIMING_NORMAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if activation not in (None, *ACTIVATIONS):
            raise ValueError(f"ConvNorm takes activation from {ACTIVATIONS}, or None. Received: {activation!r}")
        if padding not in ("symmetric", "same"):
            raise ValueError(f"ConvNorm takes padding 'symmetric' or 'same'. Received: {padding!r}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.dilation_rate = dilation_rate
        self.activation = activation
        self.padding = padding
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        # Sublayers carry the parent's name so that a flattened network keeps unique, readable names.
        common = {
            "kernel_size": kernel_size,
            "strides": strides,
            "dilation_rate": dilation_rate,
            "use_bias": False,
            "dtype": self.dtype_policy,
            "name": f"{self.name}_conv",
        }
        # Only where the two paddings differ is there an operator for it.
        self.pad = None
        if padding == "symmetric" and strides > 1 and kernel_size > 1:
            self.pad = keras.layers.ZeroPadding2D(kernel_size // 2, dtype=self.dtype_policy, name=f"{self.name}_pad")
        common["padding"] = "same" if self.pad is None else "valid"
        if filters is None:
            self.conv = keras.layers.DepthwiseConv2D(depthwise_initializer=self.kernel_initializer.clone(), **common)
        else:
            self.conv = keras.layers.Conv2D(filters, kernel_initializer=self.kernel_initializer.clone(), **common)
        self.norm = keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name=f"{self.name}_bn"
        )
        self.activation_layer = None
        if activation is not None:
            self.activation_layer = keras.layers.ReLU(
                max_value=6.0 if activation == "relu6" else None, dtype=self.dtype_policy, name=f"{self.name}_relu"
            )

    def build(self, input_shape: tuple) -> None:
        if self.filters is None and isinstance(self.kernel_initializer, keras.initializers.VarianceScaling):
            # Keras counts the fan of a depthwise kernel over all channels, though each sees only its own.
            config = self.kernel_initializer.get_config()
            self.conv.depthwise_initializer = keras.initializers.VarianceScaling(
                **config | {"scale": config["scale"] * input_shape[-1]}
            )
        self.conv.build(input_shape)
        self.norm.build((None, None, None, self.filters or input_shape[-1]))
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        if self.pad is not None:
            x = self.pad(x)
        x = self.norm(self.conv(x), training=training)
        return x if self.activation_layer is None else self.activation_layer(x)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        size = (length if length is None else -(-length // self.strides) for length in input_shape[1:3])
        return (input_shape[0], *size, self.filters or input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "activation": self.activation,
            "padding": self.padding,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
