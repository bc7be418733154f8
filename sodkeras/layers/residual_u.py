"""The residual U-block (RSU) of U²-Net."""

from typing import Any

import keras

from sodkeras.layers.conv_unit import UNIFORM_FAN_IN, ConvUnit
from sodkeras.layers.resize import ResizeLike


@keras.saving.register_keras_serializable(package="sodkeras")
class ResidualU(keras.layers.Layer):
    """A small U-Net added to its own input convolution: RSU-L, or its dilated form RSU-LF.

    Source: Qin et al., "U²-Net: Going deeper with nested U-structure for salient object detection", Pattern
    Recognition 2020, Sec. 3.1 and Fig. 2(e).

    `F(x)` is one ConvUnit to `filters` channels; `U(F(x))` runs `height` encoder units and `height - 1` decoder
    units of `mid_filters` channels, each decoder unit on `concat[deeper, skip]`; the output is `F(x) + U(F(x))`,
    with no activation after the sum.

    Args:
        height: L, the number of encoder units, at least 2. A plain block halves the size `height - 2` times
            (2×2 max-pooling, odd sizes round up); its last unit works with dilation 2 at the smallest size.
        mid_filters: M, channels inside the block.
        filters: output channels.
        dilated: RSU-LF: no pooling and no resizing; the units' dilations are 1, 2, 4, … 2^(height-1) instead.
        kernel_initializer: of every convolution, default U(±1/√fan_in).

    Input `[B, H, W, C]` of any size, output `[B, H, W, filters]`.

    Raises:
        ValueError: for a height under 2.
    """

    def __init__(
        self,
        height: int,
        mid_filters: int,
        filters: int,
        dilated: bool = False,
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if height < 2:
            raise ValueError(f"ResidualU needs a height of at least 2. Received: height={height}")
        self.height = height
        self.mid_filters = mid_filters
        self.filters = filters
        self.dilated = dilated
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

        def unit(name, channels, dilation_rate):
            return ConvUnit(
                channels,
                dilation_rate,
                self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=f"{self.name}_{name}",
            )

        dilations = [2**level for level in range(height)] if dilated else [1] * (height - 1) + [2]
        self.input_unit = unit("in", filters, 1)
        #: Encoder units 1 … L, from the block's own size inwards.
        self.encoder_units = [unit(f"e{level + 1}", mid_filters, dilation) for level, dilation in enumerate(dilations)]
        #: Decoder units L-1 … 1, from the inside out; the last one restores `filters` channels.
        self.decoder_units = [
            unit(f"d{level + 1}", mid_filters if level else filters, dilations[level])
            for level in reversed(range(height - 1))
        ]
        pools = 0 if dilated else height - 2
        self.pools = [
            keras.layers.MaxPooling2D(2, 2, padding="same", dtype=self.dtype_policy, name=f"{self.name}_pool{i + 1}")
            for i in range(pools)
        ]
        self.resizes = [
            ResizeLike(dtype=self.dtype_policy, name=f"{self.name}_resize{i + 1}") for i in reversed(range(pools))
        ]
        self.concatenations = [
            keras.layers.Concatenate(dtype=self.dtype_policy, name=f"{self.name}_concat{level + 1}")
            for level in reversed(range(height - 1))
        ]
        self.sum = keras.layers.Add(dtype=self.dtype_policy, name=f"{self.name}_sum")

    def build(self, input_shape: tuple) -> None:
        def channels(count):
            return (*input_shape[:1], None, None, count)

        self.input_unit.build(input_shape)
        self.encoder_units[0].build(channels(self.filters))
        for unit in self.encoder_units[1:]:
            unit.build(channels(self.mid_filters))
        for unit in self.decoder_units:
            unit.build(channels(2 * self.mid_filters))
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        x = self.input_unit(x, training=training)
        features: list[Any] = []
        for level, unit in enumerate(self.encoder_units):
            below = features[-1] if features else x
            if 1 <= level <= len(self.pools):
                below = self.pools[level - 1](below)
            features.append(unit(below, training=training))
        deeper = features.pop()
        for step, unit in enumerate(self.decoder_units):
            skip = features.pop()
            # The deepest skip shares the bottom unit's size; every later one is twice as large.
            if self.resizes and step >= 1:
                deeper = self.resizes[step - 1](deeper, skip)
            deeper = unit(self.concatenations[step]([deeper, skip]), training=training)
        return self.sum([x, deeper])

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "height": self.height,
            "mid_filters": self.mid_filters,
            "filters": self.filters,
            "dilated": self.dilated,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
