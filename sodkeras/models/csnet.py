"""CSNet.

Papers: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters", ECCV 2020; Cheng et al., "A Highly
Efficient Model to Study the Semantics of Salient Object Detection", TPAMI 2021.
Released weights (CSNet-L ×1, ×2): CC BY-NC-SA 4.0, not part of this project.
Differs from the papers as the released network does: 18 blocks (one in stage 0), max-pooling between scales, a factor
of 100 on the kernels of depthwise and dilated convolutions, and stages that end in one scale where they are fused.
"""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers import BilinearUpSampling2D, CropLike, CrossStageFusion, ILBlock, PadToMultiple
from sodkeras.layers.conv_unit import UNIFORM_FAN_IN
from sodkeras.models.base import SaliencyModel
from sodkeras.models.channel_plan import channel_plan, check_plan
from sodkeras.preprocessing import Preprocessing


@keras.saving.register_keras_serializable(package="sodkeras")
class CSNet(SaliencyModel):
    """CSNet: stages of in-layer multi-scale blocks without a pretrained backbone, and a cross-stage fusion head.

    Args:
        width: the k of CSNet ×k: 1 has 210,985 parameters, 2 has 788,631.
        split: the shares of the scales in a block, the finest first: (1, 1) is the papers' 5/5.
        fusion_stages: the stages the head fuses: (4,), (3, 4), (2, 3, 4) or (1, 2, 3, 4); () for the feature extractor
            alone, with a 1×1 convolution on its last block.
        plan: a channel plan (see `sodkeras.models.channel_plan`), which then stands for the three arguments above.
        simplified: False takes vanilla OctConvs as the blocks' 3×3 units (the papers' comparison).
        activation: "prelu" (the papers), "relu" or "leaky_relu".
        pad_to_multiple: pads a picture whose size is no multiple of `size_multiple` with zeros at the bottom and
            right, and crops the result.
        input_shape: `(H, W, 3)`; None for any size.
        kernel_initializer: of every convolution.
        preprocessing: default 224×224 with ImageNet statistics.

    Attributes:
        channels: the plan of the network, whichever arguments it was built from.
        size_multiple: what height and width must be multiples of; 16 for two scales.

    Input: normalised RGB, `[B, H, W, 3]`.
    Outputs: `{"saliency_logits": [B, H, W, 1]}`.

    Raises:
        SodkerasError: for arguments or a plan that make no network.
        ValueError: for a size that is no multiple of `size_multiple`, naming the next one that is.
    """

    def __init__(
        self,
        width: float = 1.0,
        split: Sequence[float] = (1, 1),
        fusion_stages: Sequence[int] = (2, 3, 4),
        plan: dict[str, Any] | None = None,
        simplified: bool = True,
        activation: str = "prelu",
        pad_to_multiple: bool = False,
        input_shape: Sequence[int | None] = (None, None, 3),
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        preprocessing: Preprocessing | dict[str, Any] | None = None,
        name: str = "csnet",
        **kwargs: Any,
    ) -> None:
        channels = channel_plan(width, split, fusion_stages) if plan is None else check_plan(plan)
        stages, fusion = channels["stages"], channels["fusion"]
        # Stage 4 works at 1/8, and each further scale of a block halves once more.
        size_multiple = 8 * 2 ** (max(len(block) for blocks in stages for block in blocks) - 1)
        if not pad_to_multiple:
            _check_size(input_shape[:2], size_multiple)
        initializer = keras.initializers.get(kernel_initializer)

        picture = keras.Input(tuple(input_shape), name="picture")
        padded = PadToMultiple(size_multiple, name="pad")(picture) if pad_to_multiple else picture
        features, scales, stage_features = padded, [0], {}
        for stage, blocks in enumerate(stages):
            for number, filters in enumerate(blocks):
                block = ILBlock(
                    filters,
                    kernel_size=3 if number == 0 and stage != 1 else 1,
                    strides=2 if number == 0 and stage >= 2 else 1,
                    input_scales=scales,
                    simplified=simplified,
                    activation=activation,
                    kernel_initializer=initializer.clone(),
                    name=f"stage{stage}_{number}",
                )
                features, scales = block(features), block.output_scales
            stage_features[stage] = features[0]
        if fusion is None:
            fused = stage_features[4]
        else:
            fused = CrossStageFusion(
                fusion["mixed"],
                fusion["dilated"],
                fusion["filters"],
                dilation_rates=fusion["dilation_rates"],
                activation=activation,
                kernel_initializer=initializer.clone(),
                name="fusion",
            )([stage_features[stage] for stage in fusion["stages"]])
        logits = keras.layers.Conv2D(1, 1, kernel_initializer=initializer.clone(), name="classifier")(fused)
        # Stage s works at 1/2^(s-1), and the finest of the fused stages gives the size.
        finest = fusion["stages"][0] if fusion else 4
        if finest > 1:
            logits = BilinearUpSampling2D(2 ** (finest - 1), name="upsample")(logits)
        if pad_to_multiple:
            logits = CropLike(name="crop")(logits, picture)
        # Losses and sums of many pixels want float32 even where the network computes in a smaller type.
        logits = keras.layers.Activation("linear", dtype="float32", name="saliency_logits")(logits)

        super().__init__(
            picture,
            {"saliency_logits": logits},
            preprocessing={"size": (224, 224)} if preprocessing is None else preprocessing,
            name=name,
            **kwargs,
        )
        self.width = width
        self.split = tuple(split)
        self.fusion_stages = tuple(fusion_stages)
        self.plan = plan
        self.simplified = simplified
        self.activation = activation
        self.pad_to_multiple = pad_to_multiple
        self.kernel_initializer = initializer
        self.channels = channels
        self.size_multiple = size_multiple

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not self.pad_to_multiple:
            _check_size(keras.tree.flatten(inputs)[0].shape[1:3], self.size_multiple)
        return super().call(inputs, training=training, mask=mask)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "width": self.width,
            "split": list(self.split),
            "fusion_stages": list(self.fusion_stages),
            "plan": self.plan,
            "simplified": self.simplified,
            "activation": self.activation,
            "pad_to_multiple": self.pad_to_multiple,
            "input_shape": list(self.input_shape[1:]),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _check_size(size, multiple):
    if any(length is not None and length % multiple for length in size):
        good = "×".join("any" if length is None else str(length + -length % multiple) for length in size)
        raise ValueError(
            f"CSNet needs a height and width that are multiples of {multiple}; the next good size is {good}; "
            f"pad_to_multiple=True pads and crops. Received: {'×'.join(map(str, size))}"
        )
