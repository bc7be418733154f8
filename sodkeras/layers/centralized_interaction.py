"""The centralised strategy of CII: one module that every level of a U-shaped network passes through."""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers.conv_norm import KAIMING_NORMAL, ConvNorm
from sodkeras.layers.pyramid_pooling import PyramidPooling
from sodkeras.layers.relative_global_calibration import RelativeGlobalCalibration, ResidualConvs

#: What the levels pass through, by name: nothing, 2 or 4 convolutions, relative global calibration, pyramid pooling.
INTERACTORS = ("none", "conv2", "conv4", "rgc", "ppm")


@keras.saving.register_keras_serializable(package="sodkeras")
class CentralizedInteraction(keras.layers.Layer):
    """Brings features of all levels to one width and sends each through the interactor, one for all or one for each.

    Source: Liu et al., CII, IEEE Transactions on Image Processing 2021. The rows of its Tables 1 and 2:

    | row | arguments |
    |---|---|
    | U-shape baseline | `interactor="none"` |
    | 2 or 4 shared 3×3 convolutions | `"conv2"`, `"conv4"` |
    | convolutions that are not shared | `"conv2"`, `"conv4"` with `shared=False` |
    | RGC, RGC† (the released network) | `"rgc"` with `next_stage=False`, `True` |
    | PPM, PPM† | `"ppm"` with `next_stage=False`, `True` |

    Args:
        filters: channels of every level.
        interactor: one of `INTERACTORS`.
        next_stage: whether RGC and PPM take their wider view from the succeeding level (†) or from the level itself.
            Behind the last level stands a convolution with pooling that makes a succeeding one.
        shared: one interactor for all levels, or one for each.
        kernel_initializer: of every convolution.

    Input: a list of `[B, H_i, W_i, C_i]`, the finest first. Output: a list of `[B, H_i, W_i, filters]`.

    Raises:
        ValueError: for an unknown interactor.
    """

    def __init__(
        self,
        filters: int = 64,
        interactor: str = "rgc",
        next_stage: bool = True,
        shared: bool = True,
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = KAIMING_NORMAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if interactor not in INTERACTORS:
            raise ValueError(f"CentralizedInteraction takes interactor from {INTERACTORS}. Received: {interactor!r}")
        self.filters = filters
        self.interactor = interactor
        self.next_stage = next_stage
        self.shared = shared
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def _needs_source(self):
        return self.interactor in ("rgc", "ppm")

    def build(self, input_shape: Sequence[tuple]) -> None:
        levels = len(input_shape)
        common = (None, None, None, self.filters)

        def own(part):
            return {
                "kernel_initializer": self.kernel_initializer.clone(),
                "dtype": self.dtype_policy,
                "name": f"{self.name}_{part}",
            }

        #: One 1×1 unit for each level.
        self.reductions = [ConvNorm(self.filters, 1, **own(f"reduce{level}")) for level in range(levels)]
        for unit, shape in zip(self.reductions, input_shape, strict=True):
            unit.build(shape)
        #: What makes the stage behind the last one.
        self.down: Any = None
        if self._needs_source and self.next_stage:
            self.down = ConvNorm(self.filters, 3, **own("down"))
            self.down.build(common)
            # Zeros pad like -∞, for every window also holds a value that ReLU made at least 0.
            self.down_pad = keras.layers.ZeroPadding2D(1, dtype=self.dtype_policy, name=f"{self.name}_down_pad")
            self.down_pool = keras.layers.MaxPooling2D(3, 2, dtype=self.dtype_policy, name=f"{self.name}_down_pool")
        #: The interactor of each level: several times the same one if it is shared.
        self.interactors = []
        if self.interactor != "none":
            made = [self._make(own, f"level{level}") for level in range(levels)] if not self.shared else []
            self.interactors = made or [self._make(own, "shared")] * levels
            for layer in {id(layer): layer for layer in self.interactors}.values():
                layer.build(*[common] * (2 if self._needs_source else 1))
        self.built = True

    def _make(self, own, name):
        if self.interactor == "rgc":
            return RelativeGlobalCalibration(self.filters, **own(name))
        if self.interactor == "ppm":
            return PyramidPooling(self.filters, **own(name))
        return ResidualConvs(self.filters, int(self.interactor[4:]), residual=False, **own(name))

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> list[Any]:
        levels = [unit(x, training=training) for unit, x in zip(self.reductions, inputs, strict=True)]
        if self.interactor == "none":
            return levels
        if not self._needs_source:
            return [layer(x, training=training) for layer, x in zip(self.interactors, levels, strict=True)]
        sources = levels
        if self.next_stage:
            sources = [*levels[1:], self.down_pool(self.down_pad(self.down(levels[-1], training=training)))]
        return [
            layer(x, source, training=training)
            for layer, x, source in zip(self.interactors, levels, sources, strict=True)
        ]

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> list[tuple]:
        return [(*shape[:3], self.filters) for shape in input_shape]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "interactor": self.interactor,
            "next_stage": self.next_stage,
            "shared": self.shared,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
