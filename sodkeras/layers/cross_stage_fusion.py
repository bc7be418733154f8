"""The cross-stage fusion head of CSNet, with its parallel dilated convolutions."""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers.conv_unit import UNIFORM_FAN_IN
from sodkeras.layers.normalised_activation import activation as activation_layer
from sodkeras.layers.normalised_activation import batch_norm, group_norm, normalise
from sodkeras.layers.octave import OctaveConv
from sodkeras.layers.scaled_conv import KERNEL_SCALE, ScaledConv2D

#: The dilations of the released network.
DILATION_RATES = (1, 2, 4, 8, 16)


@keras.saving.register_keras_serializable(package="sodkeras")
class ParallelDilatedConv(keras.layers.Layer):
    """Parallel 3×3 convolutions of growing dilation, concatenated → batch or group norm → activation.

    Source: Gao et al., ECCV 2020, Sec. 3.2 and Fig. 3. CSNet's kernels carry the released code's factor of 100.

    Args:
        filters: output channels of each dilation; a dilation with 0 channels has no convolution.
        dilation_rates: one for each entry of `filters`.
        activation: "prelu", "relu" or "leaky_relu".
        kernel_initializer: of every convolution.
        kernel_scale: a factor on the stored kernels in the forward pass, see `ScaledConv2D`.
        groups: of a group norm; None for batch norm.

    Input `[B, H, W, C]`, output `[B, H, W, sum(filters)]`.

    Raises:
        ValueError: without channels, or with other numbers of dilations and filters.
    """

    def __init__(
        self,
        filters: Sequence[int],
        dilation_rates: Sequence[int] = DILATION_RATES,
        activation: str = "prelu",
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        kernel_scale: float = KERNEL_SCALE,
        groups: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = [int(count) for count in filters]
        self.dilation_rates = [int(rate) for rate in dilation_rates]
        if not any(self.filters) or len(self.filters) != len(self.dilation_rates):
            raise ValueError(
                "ParallelDilatedConv needs the channels of each dilation, not all 0. Received: "
                f"filters={filters}, dilation_rates={dilation_rates}"
            )
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_scale = kernel_scale
        self.groups = groups

        def conv(rate, count):
            arguments = {
                "padding": "same",
                "dilation_rate": rate,
                "use_bias": False,
                "kernel_initializer": self.kernel_initializer.clone(),
                "dtype": self.dtype_policy,
                "name": f"{self.name}_conv{rate}",
            }
            if kernel_scale == 1:
                return keras.layers.Conv2D(count, 3, **arguments)
            return ScaledConv2D(count, 3, kernel_scale=kernel_scale, **arguments)

        #: The convolutions by dilation rate, those with channels.
        self.convs = {
            str(rate): conv(rate, count) for rate, count in zip(self.dilation_rates, self.filters, strict=True) if count
        }
        self.concatenation = keras.layers.Concatenate(dtype=self.dtype_policy, name=f"{self.name}_concat")
        if groups is None:
            self.norm = batch_norm(f"{self.name}_bn", self.dtype_policy, kernel_scale)
        else:
            self.norm = group_norm(groups, f"{self.name}_gn", self.dtype_policy)
        self.activation_layer = activation_layer(activation, f"{self.name}_activation", self.dtype_policy)

    def build(self, input_shape: tuple) -> None:
        for conv in self.convs.values():
            conv.build(input_shape)
        self.norm.build(self.compute_output_shape(input_shape))
        if self.activation_layer is not None:
            self.activation_layer.build(self.compute_output_shape(input_shape))
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        branches = [conv(x) for conv in self.convs.values()]
        x = self.concatenation(branches) if len(branches) > 1 else branches[0]
        if self.groups is None:
            return normalise(x, self.norm, self.activation_layer, training)
        x = self.norm(x)
        return x if self.activation_layer is None else self.activation_layer(x)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:3], sum(self.filters))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "dilation_rates": self.dilation_rates,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_scale": self.kernel_scale,
            "groups": self.groups,
        }


@keras.saving.register_keras_serializable(package="sodkeras")
class CrossStageFusion(keras.layers.Layer):
    """Cross-stage fusion (CSF): features of several stages in, one feature map at the finest stage's size out.

    Source: Gao et al., ECCV 2020, Sec. 3.2 and Fig. 3: a cross-stage 1×1 gOctConv on the stages' features, parallel
    dilated convolutions on each scale, and a 1×1 gOctConv that merges the scales.

    Args:
        mixed_filters: output channels of the first gOctConv at each scale, 0 the finest stage's. A 0 leaves a scale
            out.
        dilated_filters: for each scale the channels of each dilation, see `ParallelDilatedConv`; zeros where the scale
            is left out.
        filters: output channels.
        input_scales: the scale of each input; default 0, 1, 2, …
        dilation_rates: the dilations.
        activation: "prelu", "relu" or "leaky_relu".
        kernel_initializer: of every convolution.

    Input: a list of `[B, H / 2^i, W / 2^i, C_i]`, one for each of `input_scales`. Output: `[B, H, W, filters]`.

    Raises:
        ValueError: if a scale has mixed channels and no dilated ones, or the reverse.
    """

    def __init__(
        self,
        mixed_filters: Sequence[int],
        dilated_filters: Sequence[Sequence[int]],
        filters: int,
        input_scales: Sequence[int] | None = None,
        dilation_rates: Sequence[int] = DILATION_RATES,
        activation: str = "prelu",
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mixed_filters = [int(count) for count in mixed_filters]
        self.dilated_filters = [[int(count) for count in row] for row in dilated_filters]
        if [bool(count) for count in self.mixed_filters] != [any(row) for row in self.dilated_filters]:
            raise ValueError(
                "CrossStageFusion needs dilated channels exactly at the scales with mixed channels. Received: "
                f"mixed_filters={mixed_filters}, dilated_filters={dilated_filters}"
            )
        self.filters = filters
        scales = range(len(self.mixed_filters)) if input_scales is None else input_scales
        self.input_scales = [int(scale) for scale in scales]
        self.dilation_rates = [int(rate) for rate in dilation_rates]
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

        def arguments(part):
            return {
                "activation": activation,
                "kernel_initializer": self.kernel_initializer.clone(),
                "dtype": self.dtype_policy,
                "name": f"{self.name}_{part}",
            }

        # Where an octave convolution is an ordinary one, the released code gives it the factor, too.
        kernel_scale = KERNEL_SCALE if len(self.mixed_filters) == 1 else 1
        self.mix = OctaveConv(
            self.mixed_filters, 1, input_scales=self.input_scales, kernel_scale=kernel_scale, **arguments("mix")
        )
        #: One `ParallelDilatedConv` for each of `mix.output_scales`.
        self.dilated = [
            ParallelDilatedConv(self.dilated_filters[scale], self.dilation_rates, **arguments(f"dilated{scale}"))
            for scale in self.mix.output_scales
        ]
        self.merge = OctaveConv(
            [filters], 1, input_scales=self.mix.output_scales, kernel_scale=kernel_scale, **arguments("merge")
        )

    def build(self, input_shape: Sequence[tuple]) -> None:
        self.mix.build(input_shape)
        shapes = self.mix.compute_output_shape(input_shape)
        for dilated, shape in zip(self.dilated, shapes, strict=True):
            dilated.build(shape)
        self.merge.build([d.compute_output_shape(shape) for d, shape in zip(self.dilated, shapes, strict=True)])
        self.built = True

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        mixed = self.mix(inputs, training=training)
        dilated = [layer(x, training=training) for layer, x in zip(self.dilated, mixed, strict=True)]
        return self.merge(dilated, training=training)[0]

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        finest = self.mix.compute_output_shape(input_shape)[0]
        factor = 2 ** self.mix.output_scales[0]
        return (finest[0], *(size if size is None else size * factor for size in finest[1:3]), self.filters)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "mixed_filters": self.mixed_filters,
            "dilated_filters": self.dilated_filters,
            "filters": self.filters,
            "input_scales": self.input_scales,
            "dilation_rates": self.dilation_rates,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
