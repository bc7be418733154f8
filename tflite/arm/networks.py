"""The networks that tflite/arm counts, as .tflite files in float, 16-bit float and 8 bits.

usage: python tflite/arm/networks.py [NAME or FILE.keras ...] [--out=out/arm/models]

NAME is a preset (U²-Net† has its released weights), a network of conversions.py in tflite/benchmarks with random
weights, or csnet_x1_relu: CSNet ×1 with ReLU in the place of PReLU, as it is fastest. The work that a file takes does
not depend on its weights. Files that are there stay.
"""

import pathlib
import sys

from absl import app, flags

ROOT = pathlib.Path(__file__).parent.parent.parent
PHOTOS = sorted((ROOT / "examples").glob("*.jpg"))
FLAGS = flags.FLAGS
flags.DEFINE_string("out", str(ROOT / "out/arm/models"), "The folder to write to.")


def random_network(kind, arguments, name):
    """A seeded network whose batch norms have the statistics of `PHOTOS`."""
    import keras
    import numpy as np

    from sodkeras import models
    from sodkeras.pictures import read_picture
    from sodkeras.pruning import re_estimate_statistics

    keras.utils.set_random_seed(0)
    model = models.MODELS[kind](**arguments, name=name)
    re_estimate_statistics(model, [np.concatenate([model.preprocessing(read_picture(path)) for path in PHOTOS])])
    return model


def main(arguments):
    sys.path.insert(0, str(ROOT / "tflite/benchmarks"))
    from conversions import NETWORKS

    from sodkeras.tflite.convert import convert
    from sodkeras.weights import preset_names

    networks = NETWORKS | {"csnet_x1_relu": ("CSNet", {"width": 1.0, "activation": "relu"})}
    folder = pathlib.Path(FLAGS.out)
    for name in arguments[1:] or ["u2netp", "csnet_x1", "csnet_x1_relu", "dnl"]:
        if len(list(folder.glob(f"{pathlib.Path(name).stem}-*.tflite"))) == 3:
            continue
        is_random = name in networks and name not in preset_names()
        model = random_network(*networks[name], name) if is_random else name
        for path in convert(model, folder, ["float32", "float16", "static_wi8_ai8"], [str(path) for path in PHOTOS]):
            # A model is named by its class where it was imported; the table needs the file's name.
            named = path.with_name(f"{pathlib.Path(name).stem}-{path.name.partition('-')[2]}")
            print(path.rename(named), flush=True)


if __name__ == "__main__":
    app.run(main)
