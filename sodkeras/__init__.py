"""Salient object detection on phones: a photo in, a saliency map out.

The names below are imported on first use, so that `import sodkeras` and a `.tflite` prediction on a small board need
neither Keras nor TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from sodkeras.registration import register_with_keras

if TYPE_CHECKING:  # each as itself: for type checkers, and not unused
    from sodkeras.errors import SodkerasError as SodkerasError
    from sodkeras.evaluation import evaluate as evaluate
    from sodkeras.models import CII as CII
    from sodkeras.models import DNL as DNL
    from sodkeras.models import CSFResNet as CSFResNet
    from sodkeras.models import CSNet as CSNet
    from sodkeras.models import U2Net as U2Net
    from sodkeras.predictor import Predictor as Predictor
    from sodkeras.preprocessing import Preprocessing as Preprocessing
    from sodkeras.pruning.prune import prune as prune
    from sodkeras.tflite.check.verify import verify as verify
    from sodkeras.tflite.convert import convert as convert
    from sodkeras.tflite.quantize_train import quantize_train as quantize_train
    from sodkeras.tflite.timing.benchmark import benchmark as benchmark
    from sodkeras.training.trainer import train as train
    from sodkeras.weights import load_model as load_model

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
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sodkeras' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        from sodkeras.extras import advice

        if not (advised := advice(error)):
            raise
        raise ModuleNotFoundError(advised, name=error.name) from None


def __dir__() -> list[str]:
    return sorted(__all__)


register_with_keras()
