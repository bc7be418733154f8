"""CSF+ResNet and CSF+Res2Net: the cross-stage fusion head on a big backbone.

Papers: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters", ECCV 2020; Cheng et al., "A Highly
Efficient Model to Study the Semantics of Salient Object Detection", TPAMI 2021.
Released weights (Res2Net-50): CC BY-NC-SA 4.0, not part of this project. The ResNet-50 variant was never released; it
is torchvision's here, whose parameters are those of the paper.
"""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.backbones import freeze_batch_norm as freeze
from sodkeras.backbones import res2net_taps, resnet_taps
from sodkeras.layers import ResizedCrossStageFusion, ResizeLike
from sodkeras.models.base import SaliencyModel
from sodkeras.preprocessing import Preprocessing

#: The backbones by name, which is also what their layers are named after.
BACKBONES = ("res2net", "resnet")


@keras.saving.register_keras_serializable(package="sodkeras")
class CSFResNet(SaliencyModel):
    """Cross-stage fusion of the four layers of a ResNet or Res2Net.

    Args:
        backbone: "res2net" or "resnet".
        depth: of the backbone; with the papers' 50 they have 36,528,489 and 36,367,169 parameters.
        mixed_filters: channels of the four scales in the head.
        groups: of the head's group norms.
        width: channels of the backbone's stem.
        freeze_batch_norm: whether the backbone's batch norm stays as loaded, as the released training does. Without
            ImageNet weights there is nothing loaded to normalise by: then pass False.
        input_shape: `(H, W, 3)`; None for any size.
        preprocessing: default 300×400, the size of the papers' FLOPs, with ImageNet statistics. The released code
            takes each picture at its own size.

    Input: normalised RGB, `[B, H, W, 3]`, any size.
    Outputs: `{"saliency_logits": [B, H, W, 1]}`.

    Raises:
        ValueError: for an unknown backbone or depth.
    """

    def __init__(
        self,
        backbone: str = "res2net",
        depth: int = 50,
        mixed_filters: Sequence[int] = (128, 256, 512, 512),
        groups: int = 32,
        width: int = 64,
        freeze_batch_norm: bool = True,
        input_shape: Sequence[int | None] = (None, None, 3),
        preprocessing: Preprocessing | dict[str, Any] | None = None,
        name: str = "csf_resnet",
        **kwargs: Any,
    ) -> None:
        if backbone not in BACKBONES:
            raise ValueError(f"CSFResNet takes backbone from {BACKBONES}. Received: {backbone!r}")
        picture = keras.Input(tuple(input_shape), name="picture")
        build = res2net_taps if backbone == "res2net" else resnet_taps
        taps = build(picture, depth, width, name=backbone)
        stages = [taps[f"layer{number}"].features for number in range(1, 5)]
        x = ResizedCrossStageFusion(mixed_filters, groups=groups, name="fusion")(stages)
        initializer = keras.initializers.RandomNormal(stddev=0.01)
        x = keras.layers.Conv2D(1, 1, kernel_initializer=initializer, name="classifier")(x)
        x = ResizeLike(name="upsample")(x, picture)
        # Losses and sums of many pixels want float32 even where the network computes in a smaller type.
        logits = keras.layers.Activation("linear", dtype="float32", name="saliency_logits")(x)

        super().__init__(
            picture,
            {"saliency_logits": logits},
            preprocessing={"size": (300, 400)} if preprocessing is None else preprocessing,
            name=name,
            **kwargs,
        )
        self.backbone = backbone
        self.depth = depth
        self.mixed_filters = tuple(mixed_filters)
        self.groups = groups
        self.width = width
        self.freeze_batch_norm = freeze_batch_norm
        if freeze_batch_norm:
            freeze(self, backbone)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "backbone": self.backbone,
            "depth": self.depth,
            "mixed_filters": list(self.mixed_filters),
            "groups": self.groups,
            "width": self.width,
            "freeze_batch_norm": self.freeze_batch_norm,
            "input_shape": list(self.input_shape[1:]),
        }
