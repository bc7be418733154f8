"""DNL, the paper's network on ImageNet's MobileNetV2, trained on DUTS-TR.

usage: python training/weights/dnl.py --data=DUTS-TR --out=runs/dnl [--encoder=FILE.tflite] [--steps=20]

First without modules on pictures of 128×128, where two cores see four times as many as at 256×256; then whole, at
256×256. The modules' layers begin as the identity. ASPP has 128 channels and no branch of rate 18, for most of its taps
would lie outside a grid of 32×32.
"""

from absl import flags
from chain import start

_SMALL, _WHOLE = 128, 256
#: As ImageNet's weights want pictures.
PREPROCESSING = {"mean": (0.5,) * 3, "standard_deviation": (0.5,) * 3, "interpolation": "area"}
COMMON = {
    "augmentation": {
        "left_right": 0.5,
        "scale": (0.8, 1.5),
        "brightness": 0.1,
        "contrast": 0.2,
        "saturation": 0.3,
    },
    "batch": 16,
    "loss": "bce_iou",
    "schedule": "cosine",
    "clip_norm": 1.0,
}


def train_all(chain, flag_values):
    small = chain.run(
        "small",
        network="DNL",
        arguments={
            "positions": (),
            "aspp_filters": 128,
            "aspp_dilation_rates": (6, 12),
            "attention_scale": 0.25,
            "padding": "same",
            "input_shape": (_SMALL, _SMALL, 3),
        },
        size=_SMALL,
        preprocessing=PREPROCESSING,
        backbone_weights=flag_values.encoder,
        learning_rate=1e-3,
        epochs=16,
        warm_up_epochs=0.2,
        **COMMON,
    )
    chain.run(
        "whole",
        network=str(small),
        arguments={"positions": (3, 4), "parts": 8, "input_shape": (_WHOLE, _WHOLE, 3)},
        size=_WHOLE,
        learning_rate=3e-4,
        epochs=5,
        warm_up_epochs=0.1,
        **COMMON,
    )
    chain.record(start="ImageNet's MobileNetV2, 8 bits (google-coral/test_data, Apache-2.0)")


if __name__ == "__main__":
    flags.DEFINE_string("encoder", "mobilenet_v2_8_bits", "ImageNet's MobileNetV2: a name or a file.")
    start(__file__, train_all)
