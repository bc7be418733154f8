"""MobileNetV2.

Paper: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, Table 2. The last 1×1
convolution (to 1280 channels) and the classifier are left out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from sodkeras.backbones.base import Backbone, Tap
from sodkeras.backbones.base import freeze_batch_norm as freeze
from sodkeras.layers import ConvNorm

#: Expansion, channels, blocks and strides of the stages IR-1 … IR-7.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2_taps(
    picture: keras.KerasTensor,
    output_stride: int = 32,
    dilate: bool = True,
    stages: Sequence[Sequence[int]] = STAGES,
    stem_filters: int = 32,
    padding: str = "symmetric",
    after: dict[int, Callable[[Any], Any]] | None = None,
    name: str = "",
) -> dict[str, Tap]:
    """Builds MobileNetV2's layers on a picture.

    Args:
        picture: a Keras tensor `[B, H, W, 3]`, normalised RGB.
        output_stride: where a stage would halve further than this its strides are 1.
        dilate: whether the layers behind a removed stride are dilated by it (à trous, as in DeepLab), so that they
            compute what they do with the stride, and between those places, too.
        stages: rows of expansion, channels, blocks and strides.
        stem_filters: channels of the first convolution.
        padding: see `ConvNorm`: "symmetric" is torchvision's, "same" that of `keras.applications`.
        after: a dict of stage numbers to functions that are applied to a stage's output before the next stage.
        name: what the layers' names start with.

    Returns:
        A dict of `Tap` by name: "stem", "ir1", "ir2", …; each before a function of `after`.
    """

    def unit(part, filters, **arguments):
        return ConvNorm(filters, padding=padding, name=f"{name}_{part}", **arguments)

    x = unit("stem", stem_filters, strides=2, activation="relu6")(picture)
    stride, dilation = 2, 1
    taps = {"stem": Tap(x, stride)}
    for number, (expansion, filters, blocks, strides) in enumerate(stages, start=1):
        # The convolution that loses its stride still sees what it saw before; all behind it are dilated by the stride.
        first_dilation = dilation
        if stride * strides > output_stride:
            dilation *= strides if dilate else 1
            strides = 1
        stride *= strides
        for index in range(blocks):
            block, inputs = f"ir{number}_{index}", x
            if expansion != 1:
                x = unit(f"{block}_expand", expansion * x.shape[-1], kernel_size=1, activation="relu6")(x)
            step = strides if index == 0 else 1
            rate = first_dilation if index == 0 else dilation
            depthwise = unit(f"{block}_depthwise", None, strides=step, dilation_rate=rate, activation="relu6")
            x = unit(f"{block}_project", filters, kernel_size=1, activation=None)(depthwise(x))
            if step == 1 and inputs.shape[-1] == filters:
                x = keras.layers.Add(name=f"{name}_{block}_sum")([inputs, x])
        taps[f"ir{number}"] = Tap(x, stride)
        if after and number in after:
            x = after[number](x)
    return taps


@keras.saving.register_keras_serializable(package="sodkeras")
class MobileNetV2(Backbone):
    """MobileNetV2 without its classifier.

    Args:
        output_stride, dilate, stages, stem_filters, padding: see `mobilenet_v2_taps`.
        freeze_batch_norm: see `sodkeras.backbones.freeze_batch_norm`.
        input_shape: `(H, W, 3)`; None for any size.

    Input: normalised RGB, `[B, H, W, 3]`. Outputs: a dict of features, "stem", "ir1" … "ir7"; `strides` has the stride
    of each.
    """

    def __init__(
        self,
        output_stride: int = 32,
        dilate: bool = True,
        stages: Sequence[Sequence[int]] = STAGES,
        stem_filters: int = 32,
        padding: str = "symmetric",
        freeze_batch_norm: bool = False,
        input_shape: Sequence[int | None] = (None, None, 3),
        name: str = "mobilenet_v2",
        **kwargs: Any,
    ) -> None:
        picture = keras.Input(tuple(input_shape), name="picture")
        taps = mobilenet_v2_taps(picture, output_stride, dilate, stages, stem_filters, padding, name=name)
        super().__init__(picture, taps, name=name, **kwargs)
        self.output_stride = output_stride
        self.dilate = dilate
        self.stages = [list(row) for row in stages]
        self.stem_filters = stem_filters
        self.padding = padding
        self.freeze_batch_norm = freeze_batch_norm
        if freeze_batch_norm:
            freeze(self, name)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "output_stride": self.output_stride,
            "dilate": self.dilate,
            "stages": [list(row) for row in self.stages],
            "stem_filters": self.stem_filters,
            "padding": self.padding,
            "freeze_batch_norm": self.freeze_batch_norm,
        }
