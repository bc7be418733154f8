"""Salient object detection on phones: a photo in, a saliency map out.

The names below are imported on first use, so that `import sodkeras` and a `.tflite` prediction
on a small board need neither Keras nor TensorFlow.
"""

import importlib

from sodkeras.registration import register_with_keras

__version__ = "0.1.0"

_HOME = {
    "Predictor": "sodkeras.predictor",
    "Preprocessing": "sodkeras.preprocessing",
    "SodkerasError": "sodkeras.errors",
    "U2Net": "sodkeras.models",
    "load_model": "sodkeras.weights",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'sodkeras' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__():
    return sorted(__all__)


register_with_keras()
