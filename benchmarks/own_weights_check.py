"""Whether networks that own_weights_gpu.py trained compute here, on TensorFlow, what they computed there, on PyTorch.

usage: python benchmarks/own_weights_check.py FOLDER

FOLDER is what own_weights_gpu.py was given as --out. Prints the largest difference of saliency for each network, and
fails if one is over 1e-4.
"""

import pathlib
import sys

import keras
import numpy as np
from absl import app

from sodkeras.keras_file import load_keras

_TOLERANCE = 1e-4


def main(arguments):
    if len(arguments) != 2:
        raise app.UsageError("name one FOLDER")
    folder = pathlib.Path(arguments[1])
    recorded = np.load(folder / "check.npz")
    differences = {}
    for name in sorted(set(recorded.files) - {"x"}):
        logits = load_keras(folder / f"{name}.keras").predict(recorded["x"], verbose=0)["saliency_logits"]
        there, here = (keras.ops.convert_to_numpy(keras.ops.sigmoid(values)) for values in (recorded[name], logits))
        differences[name] = float(np.abs(there - here).max())
        print(f"{name}: {differences[name]:.1e}")
    if max(differences.values()) > _TOLERANCE:
        sys.exit(f"The saliency differs by more than {_TOLERANCE}. Received: {differences}")


if __name__ == "__main__":
    app.run(main)
