"""Res2Net v1b.

Paper: Gao et al., "Res2Net: A New Multi-scale Backbone Architecture", TPAMI 2021. Version 1b differs from it by a stem
of three 3×3 convolutions and by average pooling in front of the shortcuts' convolutions. The classifier is left out.
"""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.backbones.base import Backbone, Tap
from sodkeras.backbones.base import freeze_batch_norm as freeze
from sodkeras.layers import ChannelSlice, ConvNorm

#: Blocks of layer1 … layer4.
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
#: Groups of channels in a block.
SCALES = 4


def res2net_block(
    x: keras.KerasTensor, filters: int, group_filters: int, strides: int = 1, first: bool = False, name: str = ""
) -> keras.KerasTensor:
    """One block: 1×1 to four groups, 3×3 convolutions on three of them, 1×1, added to the shortcut.

    Args:
        x: a Keras tensor `[B, H, W, C]`.
        filters: output channels.
        group_filters: channels of a group.
        strides: of the 3×3 convolutions; needs `first`.
        first: whether the block is a layer's first. Its groups do not see each other, the fourth is averaged over
            3×3, and its shortcut has a convolution; in the others each group is added to the next one's input.
        name: what the layers' names start with.

    Returns:
        `[B, ⌈H / strides⌉, ⌈W / strides⌉, filters]`.
    """
    shortcut = x
    x = ConvNorm(SCALES * group_filters, 1, name=f"{name}_conv1")(x)
    groups = [
        ChannelSlice(index * group_filters, (index + 1) * group_filters, name=f"{name}_group{index}")(x)
        for index in range(SCALES)
    ]
    outputs: list[Any] = []
    for index, group in enumerate(groups[:-1]):
        if outputs and not first:
            group = keras.layers.Add(name=f"{name}_carry{index}")([outputs[-1], group])
        outputs.append(ConvNorm(group_filters, 3, strides, name=f"{name}_convs{index}")(group))
    last = groups[-1]
    if first:
        # The zeros of the padding count, which Keras's own padding would leave out of the mean.
        last = keras.layers.ZeroPadding2D(1, name=f"{name}_average_pad")(last)
        last = keras.layers.AveragePooling2D(3, strides, name=f"{name}_average")(last)
    x = keras.layers.Concatenate(name=f"{name}_concat")([*outputs, last])
    x = ConvNorm(filters, 1, activation=None, name=f"{name}_conv3")(x)
    if first:
        if strides > 1:
            # An odd size keeps its last row and column as a mean of what is there: ceil mode without the padding.
            shortcut = keras.layers.AveragePooling2D(strides, padding="same", name=f"{name}_shortcut_average")(shortcut)
        shortcut = ConvNorm(filters, 1, activation=None, name=f"{name}_shortcut")(shortcut)
    x = keras.layers.Add(name=f"{name}_sum")([x, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def res2net_taps(
    picture: keras.KerasTensor, depth: int = 50, width: int = 64, group_width: int = 26, name: str = ""
) -> dict[str, Tap]:
    """Builds Res2Net's layers (v1b, 26w-4s) on a picture.

    Args:
        picture: a Keras tensor `[B, H, W, 3]`, normalised RGB.
        depth: 50 or 101.
        width: channels of the stem.
        group_width: channels of a group in layer1's blocks where `width` is 64; they grow with the layers and `width`.
        name: what the layers' names start with.

    Returns:
        A dict of `Tap` by name: "stem" (before the max-pooling), "layer1" … "layer4", at the strides 2, 4, … 32.

    Raises:
        ValueError: for another depth.
    """
    if depth not in BLOCKS:
        raise ValueError(f"Res2Net has depths {tuple(BLOCKS)}. Received: {depth}")
    x = ConvNorm(width // 2, 3, 2, name=f"{name}_stem0")(picture)
    x = ConvNorm(width // 2, 3, name=f"{name}_stem1")(x)
    x = ConvNorm(width, 3, name=f"{name}_stem2")(x)
    taps = {"stem": Tap(x, 2)}
    # Zeros pad like -∞, for every window also holds a value that ReLU made at least 0.
    x = keras.layers.ZeroPadding2D(1, name=f"{name}_pool_pad")(x)
    x = keras.layers.MaxPooling2D(3, 2, name=f"{name}_pool")(x)
    for layer, count in enumerate(BLOCKS[depth], start=1):
        planes = width * 2 ** (layer - 1)
        for index in range(count):
            x = res2net_block(
                x,
                4 * planes,
                planes * group_width // 64,
                strides=2 if layer > 1 and index == 0 else 1,
                first=index == 0,
                name=f"{name}_layer{layer}_{index}",
            )
        taps[f"layer{layer}"] = Tap(x, 2 ** (layer + 1))
    return taps


@keras.saving.register_keras_serializable(package="sodkeras")
class Res2Net(Backbone):
    """Res2Net (v1b, 26w-4s) without its classifier.

    Args:
        depth, width, group_width: see `res2net_taps`.
        freeze_batch_norm: see `sodkeras.backbones.freeze_batch_norm`.
        input_shape: `(H, W, 3)`; None for any size.

    Input: normalised RGB, `[B, H, W, 3]`. Outputs: a dict of features, "stem", "layer1" … "layer4"; `strides` has the
    stride of each.
    """

    def __init__(
        self,
        depth: int = 50,
        width: int = 64,
        group_width: int = 26,
        freeze_batch_norm: bool = False,
        input_shape: Sequence[int | None] = (None, None, 3),
        name: str = "res2net",
        **kwargs: Any,
    ) -> None:
        picture = keras.Input(tuple(input_shape), name="picture")
        super().__init__(picture, res2net_taps(picture, depth, width, group_width, name), name=name, **kwargs)
        self.depth = depth
        self.width = width
        self.group_width = group_width
        self.freeze_batch_norm = freeze_batch_norm
        if freeze_batch_norm:
            freeze(self, name)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "depth": self.depth,
            "width": self.width,
            "group_width": self.group_width,
            "freeze_batch_norm": self.freeze_batch_norm,
        }
