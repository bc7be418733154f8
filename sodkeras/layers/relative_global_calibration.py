"""The relative global calibration of CII."""

from typing import Any

import keras

from sodkeras.layers.conv_norm import KAIMING_NORMAL, ConvNorm


@keras.saving.register_keras_serializable(package="sodkeras")
class ResidualConvs(keras.layers.Layer):
    """3×3 convolutions with batch norm and ReLU, added to their input if asked for.

    Args:
        filters: channels of the output; those of the input, too, with a residual.
        count: how many convolutions.
        residual: whether the input is added, without an activation after the sum.
        kernel_initializer: of every convolution.

    Input `[B, H, W, C]`, output `[B, H, W, filters]`.
    """

    def __init__(
        self,
        filters: int,
        count: int = 2,
        residual: bool = True,
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = KAIMING_NORMAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.count = count
        self.residual = residual
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.units = [
            ConvNorm(
                filters,
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=f"{self.name}_unit{index}",
            )
            for index in range(count)
        ]
        self.sum = keras.layers.Add(dtype=self.dtype_policy, name=f"{self.name}_sum") if residual else None

    def build(self, input_shape: tuple) -> None:
        for unit in self.units:
            unit.build(input_shape)
            input_shape = unit.compute_output_shape(input_shape)
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        y = x
        for unit in self.units:
            y = unit(y, training=training)
        return y if self.sum is None else self.sum([x, y])

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "count": self.count,
            "residual": self.residual,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="sodkeras")
class RelativeGlobalCalibration(keras.layers.Layer):
    """Relative global calibration (RGC): features weighted, channel by channel, by what a wider view holds.

    Source: Liu et al., "Centralized Information Interaction for Salient Object Detection" (CII), IEEE Transactions on
    Image Processing 2021; in the form of the released code:
    `F₃(σ(max over the picture of F₂(source)) · F₁(x))`, each F two 3×3 convolutions with batch norm and ReLU added to
    their input.

    Args:
        filters: channels of both inputs and of the output.
        kernel_initializer: of every convolution.

    Call arguments:
        x: `[B, H, W, filters]`.
        source: `[B, h, w, filters]` of any size: x itself (the paper's RGC), or the succeeding stage's (RGC†).

    Returns:
        `[B, H, W, filters]`.
    """

    def __init__(
        self,
        filters: int,
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = KAIMING_NORMAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

        def own(part):
            return {"dtype": self.dtype_policy, "name": f"{self.name}_{part}"}

        def convs(part):
            return ResidualConvs(filters, kernel_initializer=self.kernel_initializer.clone(), **own(part))

        self.local, self.relative, self.output_convs = convs("local"), convs("relative"), convs("output")
        self.maximum = keras.layers.GlobalMaxPooling2D(keepdims=True, **own("maximum"))
        self.gate = keras.layers.Activation("sigmoid", **own("gate"))
        self.product = keras.layers.Multiply(**own("product"))

    def build(self, x_shape: tuple, source_shape: tuple) -> None:
        self.local.build(x_shape)
        self.relative.build(source_shape)
        self.output_convs.build(x_shape)
        self.built = True

    def call(self, x: Any, source: Any, training: bool | None = None) -> Any:
        gate = self.gate(self.maximum(self.relative(source, training=training)))
        return self.output_convs(self.product([self.local(x, training=training), gate]), training=training)

    def compute_output_shape(self, x_shape: tuple, source_shape: tuple) -> tuple:
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
