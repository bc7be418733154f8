"""Feature extractors that are trained on ImageNet elsewhere: functional models with named taps."""

from sodkeras.backbones.base import Backbone, Tap, freeze_batch_norm
from sodkeras.backbones.mobilenet_v2 import MobileNetV2, mobilenet_v2_taps
from sodkeras.backbones.res2net import Res2Net, res2net_taps
from sodkeras.backbones.resnet import ResNet, resnet_taps

__all__ = [
    "Backbone",
    "MobileNetV2",
    "Res2Net",
    "ResNet",
    "Tap",
    "freeze_batch_norm",
    "mobilenet_v2_taps",
    "res2net_taps",
    "resnet_taps",
]
