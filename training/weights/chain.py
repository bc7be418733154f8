"""What the scripts in this folder share: pairs that are never trained on, runs one after another, and their record."""

import csv
import hashlib
import json
import pathlib

from absl import app, flags

from sodkeras.commands.main import prepare_tensorflow
from sodkeras.data import find_pairs
from sodkeras.files import whole_file
from sodkeras.tflite.timing.benchmark import cpu_model
from sodkeras.training.settings import Settings

# Pairs whose stem's SHA-256 is below are kept to choose by: 532 of DUTS-TR's.
_KEPT_BELOW = "0c70"

#: Settings that most runs here share.
COMMON = {
    "augmentation": {"left_right": 0.5, "scale": (0.8, 1.5), "brightness": 0.1, "contrast": 0.2, "saturation": 0.3},
    "batch": 16,
    "loss": "bce_iou",
    "schedule": "cosine",
    "clip_norm": 1.0,
}


def kept(pair):
    """Whether a pair is kept out of every training, to choose epochs, rates and the like by."""
    return hashlib.sha256(pair.stem.encode()).hexdigest() < _KEPT_BELOW


class Chain:
    """Runs of the package's trainer, each in a folder of its own, in their order; the same command goes on where it was
    stopped.

    Args:
        script: the file of the script that trains, for the record.
        data: the folder of DUTS-TR, or of any pairs.
        out: the folder for the runs and for made.json.
        steps: for a try, how many steps of two pictures each run makes; None for all of it.
    """

    def __init__(self, script, data, out, steps=None):
        pairs = find_pairs([data])
        self.training = [pair for pair in pairs if not kept(pair)]
        self.kept = [pair for pair in pairs if kept(pair)]
        self._script, self._out, self._steps = pathlib.Path(script).name, pathlib.Path(out), steps
        self._runs = []

    def run(self, name, **settings):
        """Trains; returns the path of the network at the run's end, a .keras file."""
        prepare_tensorflow()
        from sodkeras.training.trainer import train

        folder = self._out / name
        if self._steps:
            settings |= {"epochs": 1, "steps_per_epoch": self._steps, "batch": 2, "warm_up_epochs": 0.0}
        train(Settings(**settings), self.training, folder, self.kept, origin={"recipe": self._script, "changes": {}})
        self._runs.append(folder)
        return folder / "last.keras"

    def record(self, **facts):
        """Writes made.json, what package.py tells of the runs in a preset."""
        stages, minutes = {}, 0.0
        for folder in self._runs:
            with (folder / "log.csv").open(encoding="utf-8") as file:
                seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
            settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
            stages[folder.name] = {"epochs": len(seconds), "size": settings["settings"]["size"]}
            minutes += sum(seconds) / 60
        how = {
            "commands": [f"python training/weights/{self._script} --data=DUTS-TR --out={self._out.name}"],
            "pictures": {"training": len(self.training), "validation": len(self.kept)},
            "stages": stages,
            "minutes": round(minutes),
            "hardware": f"{settings['machine']['cores']} cores of {cpu_model()}",
            "versions": settings["versions"],
        }
        with whole_file(self._out / "made.json") as temporary:
            temporary.write_text(json.dumps(how | facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def start(script, train_all):
    """Runs a script: defines the flags that all have, and calls a function of a `Chain` and the flags."""
    flags.DEFINE_string("data", None, "The folder of DUTS-TR.", required=True)
    flags.DEFINE_string("out", None, "The folder for the runs.", required=True)
    flags.DEFINE_integer("steps", None, "For a try: how many steps of two pictures each run makes.", lower_bound=1)

    def main(_):
        train_all(Chain(script, flags.FLAGS.data, flags.FLAGS.out, flags.FLAGS.steps), flags.FLAGS)

    app.run(main)
