"""ResNet.

Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Table 1, without the classifier. The
bottleneck block is that of version 1.5 (torchvision's), with the stride in the 3×3 convolution.
"""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.backbones.base import Backbone, Tap
from sodkeras.backbones.base import freeze_batch_norm as freeze
from sodkeras.layers import ConvNorm

#: Blocks of layer1 … layer4.
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
#: The depths whose block is the bottleneck, with four times as many output channels.
BOTTLENECK_DEPTHS = (50, 101)


def resnet_taps(picture: keras.KerasTensor, depth: int = 50, width: int = 64, name: str = "") -> dict[str, Tap]:
    """Builds ResNet's layers on a picture.

    Args:
        picture: a Keras tensor `[B, H, W, 3]`, normalised RGB.
        depth: 18, 34, 50 or 101.
        width: channels of the first convolution; 64 in the paper.
        name: what the layers' names start with.

    Returns:
        A dict of `Tap` by name: "stem" (before the max-pooling), "layer1" … "layer4", at the strides 2, 4, … 32.

    Raises:
        ValueError: for another depth.
    """
    if depth not in BLOCKS:
        raise ValueError(f"ResNet has depths {tuple(BLOCKS)}. Received: {depth}")

    def unit(part, filters, kernel_size, strides=1, activation="relu"):
        return ConvNorm(filters, kernel_size, strides, activation=activation, name=f"{name}_{part}")

    def block(x, part, filters, strides):
        shortcut = x
        if depth in BOTTLENECK_DEPTHS:
            x = unit(f"{part}_conv1", filters, 1)(x)
            x = unit(f"{part}_conv2", filters, 3, strides)(x)
            x = unit(f"{part}_conv3", 4 * filters, 1, activation=None)(x)
        else:
            x = unit(f"{part}_conv1", filters, 3, strides)(x)
            x = unit(f"{part}_conv2", filters, 3, activation=None)(x)
        if strides > 1 or shortcut.shape[-1] != x.shape[-1]:
            shortcut = unit(f"{part}_shortcut", x.shape[-1], 1, strides, activation=None)(shortcut)
        x = keras.layers.Add(name=f"{name}_{part}_sum")([x, shortcut])
        return keras.layers.ReLU(name=f"{name}_{part}_relu")(x)

    x = unit("stem", width, 7, 2)(picture)
    taps = {"stem": Tap(x, 2)}
    # Zeros pad like -∞, for every window also holds a value that ReLU made at least 0.
    x = keras.layers.ZeroPadding2D(1, name=f"{name}_pool_pad")(x)
    x = keras.layers.MaxPooling2D(3, 2, name=f"{name}_pool")(x)
    for layer, count in enumerate(BLOCKS[depth], start=1):
        for index in range(count):
            strides = 2 if layer > 1 and index == 0 else 1
            x = block(x, f"layer{layer}_{index}", width * 2 ** (layer - 1), strides)
        taps[f"layer{layer}"] = Tap(x, 2 ** (layer + 1))
    return taps


@keras.saving.register_keras_serializable(package="sodkeras")
class ResNet(Backbone):
    """ResNet without its classifier.

    Args:
        depth, width: see `resnet_taps`.
        freeze_batch_norm: see `sodkeras.backbones.freeze_batch_norm`.
        input_shape: `(H, W, 3)`; None for any size.

    Input: normalised RGB, `[B, H, W, 3]`. Outputs: a dict of features, "stem", "layer1" … "layer4"; `strides` has the
    stride of each.
    """

    def __init__(
        self,
        depth: int = 50,
        width: int = 64,
        freeze_batch_norm: bool = False,
        input_shape: Sequence[int | None] = (None, None, 3),
        name: str = "resnet",
        **kwargs: Any,
    ) -> None:
        picture = keras.Input(tuple(input_shape), name="picture")
        super().__init__(picture, resnet_taps(picture, depth, width, name), name=name, **kwargs)
        self.depth = depth
        self.width = width
        self.freeze_batch_norm = freeze_batch_norm
        if freeze_batch_norm:
            freeze(self, name)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "depth": self.depth,
            "width": self.width,
            "freeze_batch_norm": self.freeze_batch_norm,
        }
