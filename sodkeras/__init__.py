"""Salient object detection on phones: a photo in, a saliency map out.

The names below are imported on first use, so that `import sodkeras` and a `.tflite` prediction on a small board need
neither Keras nor TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from sodkeras.registration import register_with_keras

if TYPE_CHECKING:
    from sodkeras.errors import SodkerasError
    from sodkeras.evaluation import evaluate
    from sodkeras.models import CII, DNL, CSFResNet, CSNet, U2Net
    from sodkeras.predictor import Predictor
    from sodkeras.preprocessing import Preprocessing
    from sodkeras.pruning.prune import prune
    from sodkeras.tflite.check.verify import verify
    from sodkeras.tflite.convert import convert
    from sodkeras.tflite.quantize_train import quantize_train
    from sodkeras.tflite.timing.benchmark import benchmark
    from sodkeras.training.trainer import train
    from sodkeras.weights import load_model

__version__ = "0.1.0"

_HOME = {
    "CII": "sodkeras.models",
    "CSFResNet": "sodkeras.models",
    "CSNet": "sodkeras.models",
    "DNL": "sodkeras.models",
    "Predictor": "sodkeras.predictor",
    "Preprocessing": "sodkeras.preprocessing",
    "SodkerasError": "sodkeras.errors",
    "U2Net": "sodkeras.models",
    "benchmark": "sodkeras.tflite.timing.benchmark",
    "convert": "sodkeras.tflite.convert",
    "evaluate": "sodkeras.evaluation",
    "load_model": "sodkeras.weights",
    "prune": "sodkeras.pruning.prune",
    "quantize_train": "sodkeras.tflite.quantize_train",
    "train": "sodkeras.training.trainer",
    "verify": "sodkeras.tflite.check.verify",
}
__all__ = [
    "CII",
    "DNL",
    "CSFResNet",
    "CSNet",
    "Predictor",
    "Preprocessing",
    "SodkerasError",
    "U2Net",
    "__version__",
    "benchmark",
    "convert",
    "evaluate",
    "load_model",
    "prune",
    "quantize_train",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sodkeras' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


register_with_keras()
