"""Convolution, batch norm, ReLU."""

from typing import Any

import keras

#: U(-1/√fan_in, 1/√fan_in), the convolution initialisation of every released code this project reproduces.
UNIFORM_FAN_IN = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1 / 3, "mode": "fan_in", "distribution": "uniform"},
}


@keras.saving.register_keras_serializable(package="sodkeras")
class ConvUnit(keras.layers.Layer):
    """3×3 convolution with bias → batch norm → ReLU, at the input's size.

    U²-Net's unit (U²-Net, Sec. 3.1; the released code keeps the convolution's bias in front of the batch norm).

    Args:
        filters: output channels.
        dilation_rate: dilation of the 3×3 kernel; the zero padding equals it.
        kernel_initializer: default U(±1/√fan_in).

    Input `[B, H, W, C]`, output `[B, H, W, filters]`.
    """

    def __init__(
        self,
        filters: int,
        dilation_rate: int = 1,
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.dilation_rate = dilation_rate
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        # Sublayers carry the parent's name so that a flattened network keeps unique, readable names.
        self.conv = keras.layers.Conv2D(
            filters,
            3,
            padding="same",
            dilation_rate=dilation_rate,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=f"{self.name}_conv",
        )
        self.batch_norm = keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name=f"{self.name}_bn"
        )
        self.activation = keras.layers.ReLU(dtype=self.dtype_policy, name=f"{self.name}_relu")

    def build(self, input_shape: tuple) -> None:
        self.conv.build(input_shape)
        self.batch_norm.build(self.conv.compute_output_shape(input_shape))
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.activation(self.batch_norm(self.conv(x), training=training))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "dilation_rate": self.dilation_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
