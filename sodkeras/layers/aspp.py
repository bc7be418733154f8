"""Atrous spatial pyramid pooling."""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers.conv_norm import KAIMING_NORMAL, ConvNorm
from sodkeras.layers.resize import ResizeLike


@keras.saving.register_keras_serializable(package="sodkeras")
class ASPP(keras.layers.Layer):
    """Parallel 1×1, dilated 3×3 and image-pooling branches, concatenated.

    Source: Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation", ECCV
    2018, in the form that DNL uses (Sec. III-D and Fig. 5 of its paper): dilations 6, 12, 18 and the picture's mean.

    Args:
        filters: output channels of each branch.
        dilation_rates: one 3×3 branch for each.
        activation: "relu" or None, see `ConvNorm`.
        kernel_initializer: of every convolution.

    Input `[B, H, W, C]`, output `[B, H, W, (len(dilation_rates) + 2) · filters]`.
    """

    def __init__(
        self,
        filters: int,
        dilation_rates: Sequence[int] = (6, 12, 18),
        activation: str | None = "relu",
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = KAIMING_NORMAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.dilation_rates = [int(rate) for rate in dilation_rates]
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

        def unit(part, kernel_size, dilation_rate=1):
            return ConvNorm(
                filters,
                kernel_size,
                dilation_rate=dilation_rate,
                activation=activation,
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=f"{self.name}_{part}",
            )

        self.branches = [unit("point", 1), *(unit(f"dilated{rate}", 3, rate) for rate in self.dilation_rates)]
        self.mean = keras.layers.GlobalAveragePooling2D(
            keepdims=True, dtype=self.dtype_policy, name=f"{self.name}_mean"
        )
        self.mean_unit = unit("pooled", 1)
        self.spread = ResizeLike(dtype=self.dtype_policy, name=f"{self.name}_spread")
        self.concatenation = keras.layers.Concatenate(dtype=self.dtype_policy, name=f"{self.name}_concat")

    def build(self, input_shape: tuple) -> None:
        for unit in [*self.branches, self.mean_unit]:
            unit.build(input_shape)
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        branches = [unit(x, training=training) for unit in self.branches]
        pooled = self.mean_unit(self.mean(x), training=training)
        return self.concatenation([*branches, self.spread(pooled, x)])

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:3], self.filters * (len(self.branches) + 1))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "dilation_rates": self.dilation_rates,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
