"""Whether a network that gpu_train.py trained computes here, on TensorFlow, what it computed there; then its file.

usage: python training/weights/gpu_check.py FOLDER --out=NETWORK.keras

FOLDER holds weights.npz and check.npz. The largest difference of a logit may be 1e-4 of the largest logit. Beside the
.keras file, which package.py and `sodkeras train --model=` take, comes made.json, for package.py's --made.
"""

import json
import pathlib

import numpy as np
from absl import app, flags

from sodkeras.commands.main import prepare_tensorflow
from sodkeras.files import whole_file

_TOLERANCE = 1e-4


def check(folder):
    """The network of a folder, its facts, and the largest difference of a logit as a share of the largest logit.

    Raises:
        ValueError: if that is over 1e-4.
    """
    from sodkeras import models

    with np.load(folder / "weights.npz") as state:
        facts = json.loads(str(state["facts"]))
        model = getattr(models, facts["network"]["class"]).from_config(facts["network"]["config"])
        model.set_weights([state[f"arr_{index}"].astype("float32") for index in range(len(model.weights))])
    with np.load(folder / "check.npz") as recorded:
        x, there = recorded["x"], recorded["logits"]
    here = next(iter(model.predict(x, verbose=0).values()))
    difference = float(np.abs(here - there).max() / np.abs(there).max())
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"Logits may differ by {_TOLERANCE} of the largest; are weights.npz and check.npz of one run? "
            f"Received: {difference:.2g}, {folder}"
        )
    return model, facts, difference


def main(arguments):
    if len(arguments) != 2:
        raise app.UsageError("name one FOLDER")
    prepare_tensorflow()
    model, facts, difference = check(pathlib.Path(arguments[1]))
    with whole_file(FLAGS.out) as temporary:
        model.save(temporary)
    with whole_file(pathlib.Path(FLAGS.out).parent / "made.json") as temporary:
        temporary.write_text(json.dumps(facts["made"], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{FLAGS.out}: {facts['steps']:,} steps, logits differ by {difference:.1e} of the largest")


if __name__ == "__main__":
    FLAGS = flags.FLAGS
    flags.DEFINE_string("out", None, "The .keras file to write.", required=True)
    app.run(main)
