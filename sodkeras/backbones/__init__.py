"""Feature extractors that are trained on ImageNet elsewhere: functional models with named taps."""

from sodkeras.backbones.base import Backbone, Tap, freeze_batch_norm
from sodkeras.backbones.mobilenet_v2 import MobileNetV2, mobilenet_v2_taps

__all__ = ["Backbone", "MobileNetV2", "Tap", "freeze_batch_norm", "mobilenet_v2_taps"]
