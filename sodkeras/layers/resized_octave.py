"""Octave convolution and cross-stage fusion on feature maps of any sizes, for big backbones."""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers.cross_stage_fusion import DILATION_RATES, ParallelDilatedConv
from sodkeras.layers.normalised_activation import activation as activation_layer
from sodkeras.layers.normalised_activation import group_norm
from sodkeras.layers.resize import ResizeLike


@keras.saving.register_keras_serializable(package="sodkeras")
class ResizedOctaveConv(keras.layers.Layer):
    """1×1 gOctConv whose scales are brought to one size by bilinear resizing → group norm → PReLU.

    Source: the released code of CSF+Res2Net (Gao et al., ECCV 2020; Cheng et al., TPAMI 2021). `OctaveConv`, which is
    CSNet's, pools where this one resizes, needs sizes that halve evenly, and has batch norm. For outputs j, summed
    over the inputs i:

        conv(resize(x_i)) if i is finer than j,  resize(conv(x_i)) if coarser,  conv(x_i) if i = j

    Resizing has half-pixel centres and smooths nothing when shrinking.

    Args:
        filters: output channels of each scale, the finest first.
        groups: of the group norm.

    Input: a list of `[B, H_i, W_i, C_i]`, the finest first, at least as many as `filters`.
    Output: a list of `[B, H_j, W_j, filters[j]]`.
    """

    def __init__(self, filters: Sequence[int], groups: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = [int(count) for count in filters]
        self.groups = groups

    def build(self, input_shape: Sequence[tuple]) -> None:
        channels = [shape[-1] for shape in input_shape]
        # The released kernel is one for all scales, and so is its fan: U(±1/√ΣC).
        limit = sum(channels) ** -0.5

        def own(part):
            return {"dtype": self.dtype_policy, "name": f"{self.name}_{part}"}

        #: Convolutions, and the resizings beside them, by "i to j".
        self.convs, self.resizes = {}, {}
        self.activations: list[Any]
        #: The sum, group norm and activation of each output scale.
        self.sums, self.norms, self.activations = [], [], []
        for j, filters in enumerate(self.filters):
            for i, count in enumerate(channels):
                path = f"{i}to{j}"
                initializer = keras.initializers.RandomUniform(-limit, limit)
                self.convs[path] = keras.layers.Conv2D(
                    filters, 1, use_bias=False, kernel_initializer=initializer, **own(f"conv{path}")
                )
                self.convs[path].build((None, None, None, count))
                if i != j:
                    self.resizes[path] = ResizeLike(**own(f"resize{path}"))
            self.sums.append(keras.layers.Add(**own(f"sum{j}")))
            self.norms.append(group_norm(self.groups, f"{self.name}_gn{j}", self.dtype_policy))
            self.activations.append(activation_layer("prelu", f"{self.name}_activation{j}", self.dtype_policy))
            for layer in (self.norms[-1], self.activations[-1]):
                layer.build((None, None, None, filters))
        self.built = True

    def call(self, inputs: Sequence[Any]) -> list[Any]:
        outputs = []
        for j in range(len(self.filters)):
            terms = []
            for i, x in enumerate(inputs):
                path = f"{i}to{j}"
                if i < j:
                    x = self.resizes[path](x, inputs[j])
                x = self.convs[path](x)
                if i > j:
                    x = self.resizes[path](x, inputs[j])
                terms.append(x)
            total = self.sums[j](terms) if len(terms) > 1 else terms[0]
            outputs.append(self.activations[j](self.norms[j](total)))
        return outputs

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> list[tuple]:
        return [(*shape[:3], filters) for shape, filters in zip(input_shape, self.filters, strict=False)]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"filters": self.filters, "groups": self.groups}


@keras.saving.register_keras_serializable(package="sodkeras")
class ResizedCrossStageFusion(keras.layers.Layer):
    """Cross-stage fusion (CSF) for big backbones: features of several stages in, one map at the finest's size out.

    Source: as `ResizedOctaveConv`: a cross-stage gOctConv, parallel dilated convolutions on each scale that keep its
    channels, and a gOctConv that merges the scales. `CrossStageFusion` is CSNet's.

    Args:
        mixed_filters: channels of each scale behind the first gOctConv, the finest first. Each scale's dilated
            convolutions share them evenly, the last one takes what is left.
        filters: output channels; default the sum of `mixed_filters`.
        groups: of every group norm.
        dilation_rates: the dilations.

    Input: a list of `[B, H_i, W_i, C_i]` of any sizes, the finest first. Output: `[B, H_0, W_0, filters]`.
    """

    def __init__(
        self,
        mixed_filters: Sequence[int],
        filters: int | None = None,
        groups: int = 32,
        dilation_rates: Sequence[int] = DILATION_RATES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mixed_filters = [int(count) for count in mixed_filters]
        self.filters = filters or sum(self.mixed_filters)
        self.groups = groups
        self.dilation_rates = [int(rate) for rate in dilation_rates]

        def own(part):
            return {"groups": groups, "dtype": self.dtype_policy, "name": f"{self.name}_{part}"}

        def shares(count):
            share = count // len(self.dilation_rates)
            return [*[share] * (len(self.dilation_rates) - 1), count - share * (len(self.dilation_rates) - 1)]

        self.mix = ResizedOctaveConv(self.mixed_filters, **own("mix"))
        #: One `ParallelDilatedConv` for each scale.
        self.dilated = [
            ParallelDilatedConv(
                shares(count),
                self.dilation_rates,
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                kernel_scale=1,
                **own(f"dilated{scale}"),
            )
            for scale, count in enumerate(self.mixed_filters)
        ]
        self.merge = ResizedOctaveConv([self.filters], **own("merge"))

    def build(self, input_shape: Sequence[tuple]) -> None:
        self.mix.build(input_shape)
        shapes = self.mix.compute_output_shape(input_shape)
        for dilated, shape in zip(self.dilated, shapes, strict=True):
            dilated.build(shape)
        self.merge.build(shapes)
        self.built = True

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        mixed = self.mix(inputs)
        return self.merge([layer(x, training=training) for layer, x in zip(self.dilated, mixed, strict=True)])[0]

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        return (*input_shape[0][:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "mixed_filters": self.mixed_filters,
            "filters": self.filters,
            "groups": self.groups,
            "dilation_rates": self.dilation_rates,
        }
