"""DNL, the paper's network on ImageNet's MobileNetV2, trained on DUTS-TR.

usage: python training/weights/dnl.py --data=DUTS-TR --out=runs/dnl [--encoder=FILE.tflite] [--steps=20]

First without modules on pictures of 128×128, where two cores see four times as many as at 256×256; then whole, at
256×256. The modules' layers begin as the identity. ASPP has 128 channels and no branch of rate 18, for most of its taps
would lie outside a grid of 32×32.
"""

from absl import flags
from chain import COMMON, start

_SMALL = 128


def train_all(chain, flag_values):
    in_two_stages(chain, flag_values.encoder, {"aspp_filters": 128}, side=256, epochs=(16, 5))


def in_two_stages(chain, encoder, arguments, side, epochs):
    """Trains a DNL on small pictures, without modules, and then whole.

    Args:
        chain: a `Chain`.
        encoder: ImageNet's weights, see `sodkeras.checkpoints.imagenet.load`.
        arguments: of `DNL`, where they are not those of all networks here.
        side: of the pictures of the whole network; a multiple of 64, for each module cuts the features into 8 parts.
        epochs: of the two runs.
    """
    small = chain.run(
        "small",
        model="DNL",
        arguments={
            "positions": (),
            "aspp_dilation_rates": (6, 12),
            "attention_scale": 0.25,
            "padding": "same",
            "input_shape": (_SMALL, _SMALL, 3),
        }
        | arguments,
        size=_SMALL,
        # Means and deviations are what ImageNet's weights want.
        preprocessing={"mean": (0.5,) * 3, "standard_deviation": (0.5,) * 3, "interpolation": "area"},
        backbone_weights=encoder,
        learning_rate=1e-3,
        epochs=epochs[0],
        warm_up_epochs=0.2,
        **COMMON,
    )
    chain.run(
        "whole",
        model=str(small),
        arguments={"positions": (3, 4), "parts": 8, "input_shape": (side, side, 3)},
        size=side,
        learning_rate=3e-4,
        epochs=epochs[1],
        warm_up_epochs=0.1,
        **COMMON,
    )
    chain.record(start="ImageNet's MobileNetV2, 8 bits (google-coral/test_data, Apache-2.0)")


def begin(script, function):
    """Runs a script that trains a DNL."""
    flags.DEFINE_string("encoder", "mobilenet_v2_8_bits", "ImageNet's MobileNetV2: a name or a file.")
    start(script, function)


if __name__ == "__main__":
    begin(__file__, train_all)
