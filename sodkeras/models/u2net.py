"""U²-Net and U²-Net†.

Paper: Qin et al., "U²-Net: Going deeper with nested U-structure for salient object detection", Pattern Recognition
2020.
Released weights: Apache-2.0.
Differs from the paper as the released code does: convolutions keep a bias in front of their batch norm, and the
weights start as U(±1/√fan_in); pass `kernel_initializer="glorot_uniform"` for the paper's Xavier.
"""

import re
from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers import ResidualU, ResizeLike
from sodkeras.layers.conv_unit import UNIFORM_FAN_IN
from sodkeras.models.base import SaliencyModel
from sodkeras.preprocessing import Preprocessing

_FULL = {
    "encoder": [
        ["RSU-7", 32, 64],
        ["RSU-6", 32, 128],
        ["RSU-5", 64, 256],
        ["RSU-4", 128, 512],
        ["RSU-4F", 256, 512],
        ["RSU-4F", 256, 512],
    ],
    "decoder": [
        ["RSU-4F", 256, 512],
        ["RSU-4", 128, 256],
        ["RSU-5", 64, 128],
        ["RSU-6", 32, 64],
        ["RSU-7", 16, 64],
    ],
}
_SMALL = {
    "encoder": [[block, 16, 64] for block, _, _ in _FULL["encoder"]],
    "decoder": [[block, 16, 64] for block, _, _ in _FULL["decoder"]],
}
PREPROCESSING = Preprocessing(size=(320, 320), divisor="maximum")
#: The paper's two configurations (Table 1): block, channels inside, output channels.
VARIANTS = {"full": _FULL, "small": _SMALL}


@keras.saving.register_keras_serializable(package="sodkeras")
class U2Net(SaliencyModel):
    """U²-Net: a U-Net whose every stage is a residual U-block.

    Args:
        variant: "full" (U²-Net, 44,009,869 parameters), "small" (U²-Net†, 1,131,181), or any other configuration:
            a dict with the rows of "encoder" (outside in) and "decoder" (inside out, one row fewer), each row
            `[block, channels inside, output channels]` with a block "RSU-L" or "RSU-LF" for a height L.
        input_shape: `(H, W, 3)`; None for any size.
        kernel_initializer: of every convolution.
        preprocessing: default 320×320, divided by the picture's maximum, ImageNet statistics (the released code's).

    Input: normalised RGB, `[B, H, W, 3]`, any size.
    Outputs: a dict of logits, each `[B, H, W, 1]`: "saliency_logits" (the fusion, the result), then "side1_logits" …
    (Sec. 3.2 and 3.3), seven in all for the paper's variants.

    Raises:
        ValueError: for an unknown variant or rows that do not make a network.
    """

    def __init__(
        self,
        variant: str | dict[str, Any] = "full",
        input_shape: Sequence[int | None] = (None, None, 3),
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        preprocessing: Preprocessing | dict[str, Any] | None = None,
        name: str = "u2net",
        **kwargs: Any,
    ) -> None:
        rows = _rows(variant)
        initializer = keras.initializers.get(kernel_initializer)

        def stage(row, name):
            block, mid_filters, filters = row
            height, dilated = re.fullmatch(r"RSU-(\d+)(F?)", block).groups()
            return ResidualU(int(height), mid_filters, filters, bool(dilated), initializer.clone(), name=name)

        picture = keras.Input(tuple(input_shape), name="picture")
        x = picture
        skips = []
        for level, row in enumerate(rows["encoder"], start=1):
            if level > 1:
                x = keras.layers.MaxPooling2D(2, 2, padding="same", name=f"pool{level - 1}")(x)
            x = stage(row, f"encoder{level}")(x)
            skips.append(x)
        sides = [skips.pop()]
        for row in rows["decoder"]:
            level = len(skips)
            skip = skips.pop()
            deeper = ResizeLike(name=f"resize{level}")(sides[0], skip)
            x = keras.layers.Concatenate(name=f"concat{level}")([deeper, skip])
            sides.insert(0, stage(row, f"decoder{level}")(x))

        logits: dict[str, Any] = {}
        for level, side in enumerate(sides, start=1):
            head = keras.layers.Conv2D(
                1, 3, padding="same", kernel_initializer=initializer.clone(), name=f"side{level}_conv"
            )
            side_logits = head(side)
            if level > 1:
                side_logits = ResizeLike(name=f"side{level}_resize")(side_logits, logits["side1_logits"])
            logits[f"side{level}_logits"] = side_logits
        fused = keras.layers.Concatenate(name="fusion_concat")(list(logits.values()))
        fused = keras.layers.Conv2D(1, 1, kernel_initializer=initializer.clone(), name="fusion_conv")(fused)
        # Losses and sums of many pixels want float32 even where the network computes in a smaller type.
        outputs = {
            key: keras.layers.Activation("linear", dtype="float32", name=key)(value)
            for key, value in {"saliency_logits": fused, **logits}.items()
        }

        super().__init__(picture, outputs, preprocessing=preprocessing or PREPROCESSING, name=name, **kwargs)
        self.variant = variant
        self.kernel_initializer = initializer

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "variant": self.variant,
            "input_shape": list(self.input_shape[1:]),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _rows(variant):
    """The encoder and decoder rows of a variant, checked."""
    if isinstance(variant, str) and variant in VARIANTS:
        return VARIANTS[variant]
    try:
        rows = {key: [[str(block), int(mid), int(out)] for block, mid, out in variant[key]] for key in _FULL}
    except (TypeError, KeyError, ValueError):
        raise ValueError(
            f"U2Net needs variant={' or '.join(map(repr, VARIANTS))}, or a dict with 'encoder' and 'decoder' rows of "
            f"[block, channels inside, output channels]. Received: {variant!r}"
        ) from None
    if len(rows["encoder"]) != len(rows["decoder"]) + 1 or not rows["decoder"]:
        raise ValueError(
            "U2Net needs at least two encoder rows and one decoder row fewer than encoder rows. Received: "
            f"{len(rows['encoder'])} and {len(rows['decoder'])}"
        )
    for block, _, _ in rows["encoder"] + rows["decoder"]:
        if not re.fullmatch(r"RSU-\d+F?", block):
            raise ValueError(f"U2Net knows the blocks RSU-L and RSU-LF, such as RSU-7 and RSU-4F. Received: {block!r}")
    return rows
