"""A DNL for the quickest of maps: MobileNetV2's first five stages, at 192×192, trained on DUTS-TR as dnl.py does it.

usage: python training/weights/dnl_small.py --data=DUTS-TR --out=runs/dnl_small [--encoder=FILE.tflite] [--steps=20]
"""

from dnl import begin, in_two_stages

from sodkeras.backbones.mobilenet_v2 import STAGES


def train_all(chain, flag_values):
    arguments = {"stages": STAGES[:5], "aspp_filters": 40, "low_level_filters": 24}
    in_two_stages(chain, flag_values.encoder, arguments, side=192, epochs=(16, 6))


if __name__ == "__main__":
    begin(__file__, train_all)
