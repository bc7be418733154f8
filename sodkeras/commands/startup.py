"""The start of TensorFlow and LiteRT, without their remarks about the machine."""

import contextlib
import os
import sys


def import_keras(find_devices=True):
    """Imports Keras and its backend; what they print to stderr at the C level (no CUDA, oneDNN on) goes nowhere.

    Args:
        find_devices: whether the backend may look for its devices, which it does on first use, remarking on them.
    """
    with silent_stderr():
        import keras

        if find_devices:
            keras.ops.zeros(1)


@contextlib.contextmanager
def silent_stderr():
    """What is written to stderr at the C level goes nowhere meanwhile; LiteRT remarks on its first interpreter."""
    try:
        kept = os.dup(2)
    except OSError:  # closed by the caller
        yield
        return
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def open_keras(model):
    """A `Predictor` of a network in Keras, whatever file its name alone stands for; that starts quietly.

    Args:
        model: a preset's name or the path of a .keras file.
    """
    from sodkeras import weights
    from sodkeras.predictor import Predictor

    if not model.lower().endswith(".keras") and not weights.is_preset_folder(model):
        weights.preset(model)  # a wrong name is said at once
    import_keras()
    return Predictor(weights.load_model(model))


def open_predictor(model, threads=None):
    """A `Predictor`; where it runs on Keras, that starts quietly."""
    from sodkeras import weights
    from sodkeras.predictor import Predictor

    # A wrong name is said at once, not after TensorFlow has started.
    is_file = model.lower().endswith((".tflite", ".keras")) or weights.is_preset_folder(model)
    file = model if is_file else weights.preset(model)["file"]
    if not file.lower().endswith(".tflite"):
        import_keras()
    with silent_stderr():
        return Predictor(model, threads)
