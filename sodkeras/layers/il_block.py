"""The in-layer multi-scale block of CSNet."""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers.conv_unit import UNIFORM_FAN_IN
from sodkeras.layers.octave import OctaveConv
from sodkeras.layers.scaled_conv import KERNEL_SCALE


@keras.saving.register_keras_serializable(package="sodkeras")
class ILBlock(keras.layers.Layer):
    """gOctConv → two 3×3 units, without a shortcut: CSNet's in-layer multi-scale block.

    Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters", ECCV 2020, Sec. 3.2 and
    Fig. 3. The gOctConv mixes channels and scales and sets their number; the 3×3 units are simplified gOctConvs
    (depthwise, no exchange between scales) whose kernels carry the released code's factor of 100.

    Args:
        filters: output channels of each scale, the finest first; zeros are allowed.
        kernel_size: of the gOctConv: 1, or 3 in the first block of a stage.
        strides: 2 halves the size by average pooling in front of the gOctConv.
        input_scales: the scale of each input tensor, ascending; default one input for each entry of `filters`.
        simplified: False makes the 3×3 units vanilla OctConvs: full convolutions that exchange between scales (the
            papers' comparison, several times larger).
        activation: "prelu", "relu" or "leaky_relu".
        kernel_initializer: of every convolution.

    Input and output: as `OctaveConv`.
    """

    def __init__(
        self,
        filters: Sequence[int],
        kernel_size: int = 1,
        strides: int = 1,
        input_scales: Sequence[int] | None = None,
        simplified: bool = True,
        activation: str = "prelu",
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = [int(count) for count in filters]
        self.kernel_size = kernel_size
        self.strides = strides
        scales = range(len(self.filters)) if input_scales is None else input_scales
        self.input_scales = [int(scale) for scale in scales]
        self.simplified = simplified
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

        def unit(part, **arguments):
            return OctaveConv(
                self.filters,
                activation=activation,
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=f"{self.name}_{part}",
                **arguments,
            )

        # Where an octave convolution is an ordinary one, the released code gives it the factor, too.
        ordinary = {"kernel_scale": KERNEL_SCALE} if len(self.filters) == 1 else {}
        #: The gOctConv; its batch norms decide which channels survive pruning.
        self.mix = unit(
            "mix",
            kernel_size=kernel_size,
            strides=strides,
            input_scales=self.input_scales,
            **(ordinary if self.input_scales == [0] else {}),
        )
        depthwise = {"cross_scale": False, "depthwise": True, "kernel_scale": KERNEL_SCALE}
        arguments = depthwise if simplified else ordinary
        self.unit1 = unit("unit1", input_scales=self.mix.output_scales, **arguments)
        self.unit2 = unit("unit2", input_scales=self.mix.output_scales, **arguments)

    @property
    def output_scales(self) -> list[int]:
        """As `OctaveConv.output_scales`."""
        return self.mix.output_scales

    def build(self, input_shape: Any) -> None:
        for unit in (self.mix, self.unit1, self.unit2):
            unit.build(input_shape)
            input_shape = unit.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> list[Any]:
        for unit in (self.mix, self.unit1, self.unit2):
            inputs = unit(inputs, training=training)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> list[tuple]:
        return self.mix.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "input_scales": self.input_scales,
            "simplified": self.simplified,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
