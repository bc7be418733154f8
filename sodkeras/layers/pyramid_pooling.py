"""Pyramid pooling, the interactor that CII compares with."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sodkeras.layers.conv_norm import KAIMING_NORMAL, ConvNorm
from sodkeras.layers.resize import ResizeLike, map_axes


@keras.saving.register_keras_serializable(package="sodkeras")
class GridMean(keras.layers.Layer):
    """The means over a grid of `size` × `size` regions that cover the map (adaptive average pooling).

    Region i of n spans the rows from ⌊i · H / n⌋ to ⌈(i + 1) · H / n⌉, so that regions of a small map overlap.

    Args:
        size: regions along each axis.

    Input `[B, H, W, C]`, output `[B, size, size, C]`.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, x: Any) -> Any:
        return map_axes(x, self.size, self.size, _region_means)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.size, self.size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"size": self.size}


def _region_means(before, after, namespace):
    regions, sources = namespace.arange(after), namespace.arange(before)
    starts = regions * before // after
    ends = ((regions + 1) * before + after - 1) // after
    inside = (sources[None] >= starts[:, None]) & (sources[None] < ends[:, None])
    if namespace is np:
        return inside / (ends - starts)[:, None]
    return ops.cast(inside, "float32") / ops.cast(ends - starts, "float32")[:, None]


@keras.saving.register_keras_serializable(package="sodkeras")
class PyramidPooling(keras.layers.Layer):
    """Pyramid pooling (PPM): features beside the means of a wider view over coarse grids, mixed by a convolution.

    Source: Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, Fig. 3: the grids and the reduction of their
    channels. CII's paper compares with it (Tables 1 and 2) and does not describe how it is arranged, so the
    arrangement is this project's: `conv3×3(concat[x, resized conv1×1(means of source) …])`.

    Args:
        filters: output channels.
        sizes: regions along each axis of each grid.
        kernel_initializer: of every convolution.

    Call arguments:
        x: `[B, H, W, C]`.
        source: `[B, h, w, C]` of any size: x itself (PPM), or the succeeding stage's (PPM†).

    Returns:
        `[B, H, W, filters]`.
    """

    def __init__(
        self,
        filters: int,
        sizes: Sequence[int] = (1, 2, 3, 6),
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = KAIMING_NORMAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.sizes = [int(size) for size in sizes]
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

        def own(part):
            return {"dtype": self.dtype_policy, "name": f"{self.name}_{part}"}

        def unit(part, channels, kernel_size):
            return ConvNorm(channels, kernel_size, kernel_initializer=self.kernel_initializer.clone(), **own(part))

        self.means = [GridMean(size, **own(f"mean{size}")) for size in self.sizes]
        self.reductions = [unit(f"reduce{size}", max(filters // len(self.sizes), 1), 1) for size in self.sizes]
        self.resizes = [ResizeLike(align_corners=True, **own(f"resize{size}")) for size in self.sizes]
        self.concatenation = keras.layers.Concatenate(**own("concat"))
        self.output_unit = unit("output", filters, 3)

    def build(self, x_shape: tuple, source_shape: tuple) -> None:
        for unit in self.reductions:
            unit.build((None, None, None, source_shape[-1]))
        reduced = sum(unit.filters for unit in self.reductions)
        self.output_unit.build((None, None, None, x_shape[-1] + reduced))
        self.built = True

    def call(self, x: Any, source: Any, training: bool | None = None) -> Any:
        wider = [
            resize(unit(mean(source), training=training), x)
            for mean, unit, resize in zip(self.means, self.reductions, self.resizes, strict=True)
        ]
        return self.output_unit(self.concatenation([x, *wider]), training=training)

    def compute_output_shape(self, x_shape: tuple, source_shape: tuple) -> tuple:
        return (*x_shape[:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "sizes": self.sizes,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
