"""CII.

Paper: Liu et al., "Centralized Information Interaction for Salient Object Detection", IEEE Transactions on Image
Processing 2021. The released code and weights have no licence (all rights reserved) and are not part of this project.
Differs from the paper as the released network does: relative global calibration takes its wider view from the
succeeding stage (the paper's RGC†), and ResNet-50 has one more block on top.
"""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.backbones import freeze_batch_norm as freeze
from sodkeras.backbones import resnet_taps
from sodkeras.backbones.resnet import BOTTLENECK_DEPTHS
from sodkeras.layers import CentralizedInteraction, ConvNorm, ResizeLike
from sodkeras.models.base import SaliencyModel
from sodkeras.preprocessing import Preprocessing


@keras.saving.register_keras_serializable(package="sodkeras")
class CII(SaliencyModel):
    """A U-shaped network on ResNet whose levels all pass through one shared module.

    Args:
        depth: of the ResNet: 18 (11,888,513 parameters), 34, 50 (24,482,561) or 101.
        interactor, next_stage, shared: what the levels pass through, see `CentralizedInteraction`; the defaults are
            the released network's RGC†.
        filters: channels behind the backbone.
        width: channels of the backbone's first convolution.
        freeze_batch_norm: whether the backbone's batch norm stays as loaded.
        input_shape: `(H, W, 3)`; None for any size.
        preprocessing: default 352×352 with ImageNet statistics, shrunk by areas: the released code resizes with Pillow,
            which smooths when it shrinks.

    Input: normalised RGB, `[B, H, W, 3]`, any size.
    Outputs: `{"saliency_logits": [B, H, W, 1]}`.

    Raises:
        ValueError: for an unknown depth or interactor.
    """

    backbone = "resnet"

    def __init__(
        self,
        depth: int = 18,
        interactor: str = "rgc",
        next_stage: bool = True,
        shared: bool = True,
        filters: int = 64,
        width: int = 64,
        freeze_batch_norm: bool = False,
        input_shape: Sequence[int | None] = (None, None, 3),
        preprocessing: Preprocessing | dict[str, Any] | None = None,
        name: str = "cii",
        **kwargs: Any,
    ) -> None:
        def unit(part, kernel_size=3, activation="relu"):
            return ConvNorm(filters, kernel_size, activation=activation, name=part)

        picture = keras.Input(tuple(input_shape), name="picture")
        taps = resnet_taps(picture, depth, width, name=self.backbone)
        levels = CentralizedInteraction(filters, interactor, next_stage, shared, name="interaction")(
            [tap.features for tap in taps.values()]
        )
        *skips, x = levels
        if depth in BOTTLENECK_DEPTHS:
            x = unit("top_conv")(x)
            x = unit("top_conv_sum", activation=None)(x)
            x = unit("top_mix", 1, activation=None)(x)
        for step, skip in enumerate(reversed(skips)):
            part = f"topdown{step}"
            x = unit(f"{part}_conv")(x)
            x = ResizeLike(align_corners=True, name=f"{part}_resize")(x, skip)
            x = unit(f"{part}_conv_sum", activation=None)(x)
            x = keras.layers.Add(name=f"{part}_sum")([x, skip])
            x = unit(f"{part}_mix", 1, activation=None)(x)
        x = unit(f"topdown{len(skips)}_conv")(x)
        x = unit(f"topdown{len(skips)}_conv_sum", activation=None)(x)
        x = keras.layers.Conv2D(1, 1, name="score")(x)
        x = ResizeLike(align_corners=True, name="upsample")(x, picture)
        # Losses and sums of many pixels want float32 even where the network computes in a smaller type.
        logits = keras.layers.Activation("linear", dtype="float32", name="saliency_logits")(x)

        super().__init__(
            picture,
            {"saliency_logits": logits},
            preprocessing={"size": (352, 352), "interpolation": "area"} if preprocessing is None else preprocessing,
            name=name,
            **kwargs,
        )
        self.depth = depth
        self.interactor = interactor
        self.next_stage = next_stage
        self.shared = shared
        self.filters = filters
        self.width = width
        self.freeze_batch_norm = freeze_batch_norm
        if freeze_batch_norm:
            freeze(self, self.backbone)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "depth": self.depth,
            "interactor": self.interactor,
            "next_stage": self.next_stage,
            "shared": self.shared,
            "filters": self.filters,
            "width": self.width,
            "freeze_batch_norm": self.freeze_batch_norm,
            "input_shape": list(self.input_shape[1:]),
        }
