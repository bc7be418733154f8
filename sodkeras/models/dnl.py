"""DNL: a MobileNetV2 encoder-decoder with depthwise non-local modules.

Paper: Li et al., "Depthwise Nonlocal Module for Fast Salient Object Detection Using a Single Thread", IEEE
Transactions on Cybernetics 2020. Not to be confused with "Disentangled Non-Local" (ECCV 2020).
No code and no weights were released: this is a reconstruction, and each choice that the text leaves open is an
argument, with the reading that fits the paper's numbers best as its default.
"""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.backbones import freeze_batch_norm as freeze
from sodkeras.backbones import mobilenet_v2_taps
from sodkeras.backbones.mobilenet_v2 import STAGES
from sodkeras.layers import ASPP, ConvNorm, DepthwiseNonLocal, ResizeLike
from sodkeras.models.base import SaliencyModel
from sodkeras.preprocessing import Preprocessing


@keras.saving.register_keras_serializable(package="sodkeras")
class DNL(SaliencyModel):
    """MobileNetV2 at output stride 8, depthwise non-local modules inside it, ASPP and a small decoder.

    Args:
        positions: the stages behind which a module stands: (3, 4) is the paper's network, (6,) its IR6, () its
            baseline. A module is one layer for each of `directions`, each with its own residual.
        parts: s, into how many parts each layer cuts its free axis; must divide the features' height and width.
        directions: the layers of a module, in order.
        latent_values, attention_scale, output_initializer: see `DepthwiseNonLocal`.
        dilate: whether the stages behind the removed strides are dilated.
        low_level_before: whether the decoder's fine features are IR-3's output before a module there, or after it.
        head_kernel_size: of the last convolution.
        activation: "relu" or None, of ASPP and decoder.
        aspp_filters, low_level_filters: channels of each ASPP branch and of the decoder, and of the fine features.
        aspp_dilation_rates: of ASPP's 3×3 branches, see `ASPP`. On small features a large one sees little but padding.
        stages, stem_filters, padding: of the backbone, see `mobilenet_v2_taps`.
        freeze_batch_norm: whether the backbone's batch norm stays as loaded.
        input_shape: `(H, W, 3)`, fixed, for the modules' weights depend on it: 360×360 makes features of 45×45, whose
            divisors are the parts that the paper tried. The baseline also takes None for any size.
        preprocessing: default the input's size with ImageNet statistics.

    Input: normalised RGB, `[B, H, W, 3]`.
    Outputs: `{"saliency_logits": [B, H, W, 1]}`.

    Raises:
        ValueError: for a stage that is not there, parts that do not divide the features' size, or modules without a
            fixed one.
    """

    backbone = "mobilenet_v2"

    def __init__(
        self,
        positions: Sequence[int] = (3, 4),
        parts: int = 9,
        directions: Sequence[str] = ("vertical", "horizontal"),
        latent_values: bool = True,
        attention_scale: float = 1.0,
        output_initializer: str | dict[str, Any] | keras.initializers.Initializer = "zeros",
        dilate: bool = True,
        low_level_before: bool = True,
        head_kernel_size: int = 1,
        activation: str | None = "relu",
        aspp_filters: int = 256,
        low_level_filters: int = 48,
        aspp_dilation_rates: Sequence[int] = (6, 12, 18),
        stages: Sequence[Sequence[int]] = STAGES,
        stem_filters: int = 32,
        padding: str = "symmetric",
        freeze_batch_norm: bool = False,
        input_shape: Sequence[int | None] = (360, 360, 3),
        preprocessing: Preprocessing | dict[str, Any] | None = None,
        name: str = "dnl",
        **kwargs: Any,
    ) -> None:
        unknown = sorted(set(positions) - set(range(1, len(stages) + 1)))
        if unknown:
            raise ValueError(f"DNL takes positions from 1 to {len(stages)}. Received: {unknown}")
        after_module = {}

        def module(position):
            def apply(x):
                for direction in directions:
                    layer = DepthwiseNonLocal(
                        direction,
                        parts,
                        latent_values,
                        attention_scale,
                        output_initializer=keras.initializers.get(output_initializer),
                        name=f"non_local{position}_{direction}",
                    )
                    x = layer(x)
                after_module[position] = x
                return x

            return apply

        picture = keras.Input(tuple(input_shape), name="picture")
        taps = mobilenet_v2_taps(
            picture,
            output_stride=8,
            dilate=dilate,
            stages=stages,
            stem_filters=stem_filters,
            padding=padding,
            after={position: module(position) for position in positions},
            name=self.backbone,
        )
        deepest = len(stages)
        x = after_module.get(deepest, taps[f"ir{deepest}"].features)
        x = ASPP(aspp_filters, aspp_dilation_rates, activation=activation, name="aspp")(x)
        x = ConvNorm(aspp_filters, 1, activation=activation, name="decoder")(x)
        low_level = taps["ir3"].features if low_level_before else after_module.get(3, taps["ir3"].features)
        low_level = ConvNorm(low_level_filters, 1, activation=activation, name="low_level")(low_level)
        x = keras.layers.Concatenate(name="decoder_concat")([x, low_level])
        x = keras.layers.Conv2D(1, head_kernel_size, padding="same", name="head")(x)
        x = ResizeLike(name="upsample")(x, picture)
        # Losses and sums of many pixels want float32 even where the network computes in a smaller type.
        logits = keras.layers.Activation("linear", dtype="float32", name="saliency_logits")(x)

        size = tuple(length or 360 for length in input_shape[:2])
        super().__init__(
            picture,
            {"saliency_logits": logits},
            preprocessing={"size": size} if preprocessing is None else preprocessing,
            name=name,
            **kwargs,
        )
        self.positions = tuple(positions)
        self.parts = parts
        self.directions = tuple(directions)
        self.latent_values = latent_values
        self.attention_scale = attention_scale
        self.output_initializer = keras.initializers.get(output_initializer)
        self.dilate = dilate
        self.low_level_before = low_level_before
        self.head_kernel_size = head_kernel_size
        self.activation = activation
        self.aspp_filters = aspp_filters
        self.low_level_filters = low_level_filters
        self.aspp_dilation_rates = [int(rate) for rate in aspp_dilation_rates]
        self.stages = [list(row) for row in stages]
        self.stem_filters = stem_filters
        self.padding = padding
        self.freeze_batch_norm = freeze_batch_norm
        if freeze_batch_norm:
            freeze(self, self.backbone)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "positions": list(self.positions),
            "parts": self.parts,
            "directions": list(self.directions),
            "latent_values": self.latent_values,
            "attention_scale": self.attention_scale,
            "output_initializer": keras.initializers.serialize(self.output_initializer),
            "dilate": self.dilate,
            "low_level_before": self.low_level_before,
            "head_kernel_size": self.head_kernel_size,
            "activation": self.activation,
            "aspp_filters": self.aspp_filters,
            "low_level_filters": self.low_level_filters,
            "aspp_dilation_rates": self.aspp_dilation_rates,
            "stages": [list(row) for row in self.stages],
            "stem_filters": self.stem_filters,
            "padding": self.padding,
            "freeze_batch_norm": self.freeze_batch_norm,
            "input_shape": list(self.input_shape[1:]),
        }
