"""It learns: CSNet ×1 from scratch on horses and people by `sodkeras train`, scored on horses that it has not seen.

usage: python training/benchmarks/learn_horses.py --data=FOLDER --out=RUN [-- further flags of sodkeras train]

FOLDER holds weizmann_horses/ and human_290/, each with images/ and masks/. Half of the horses, by the SHA-256 of their
stem, and all of the people are trained on, but for a tenth, which chooses best.keras; the other horses are the test.
The lists of pairs are written to RUN.train.csv and RUN.test.csv. What a run reached is kept beside this script, in
learn_horses/.
"""

import pathlib
import sys

from absl import app, flags

from sodkeras.commands.main import main as sodkeras
from sodkeras.data import find_pairs, split_pairs
from sodkeras.files import whole_file

FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "The folder around the data sets.", required=True)
flags.DEFINE_string("out", "runs/horses", "The run's folder.")


def main(arguments):
    data, out = pathlib.Path(FLAGS.data), pathlib.Path(FLAGS.out)
    seen, unseen = split_pairs(find_pairs([data / "weizmann_horses"]), 0.5)
    lists = {"train": seen + find_pairs([data / "human_290"]), "test": unseen}
    for name, pairs in lists.items():
        with whole_file(out.with_name(f"{out.name}.{name}.csv")) as temporary:
            lines = [f"{pair.picture.resolve()},{pair.mask.resolve()}\n" for pair in pairs]
            temporary.write_text("".join(lines), encoding="utf-8")
    command = ["train", "--recipe=csnet", "--short", f"--out={out}", f"--data=horses_and_people={out}.train.csv"]
    sys.exit(sodkeras([*command, f"--test=unseen_horses={out}.test.csv", *arguments[1:]]))


if __name__ == "__main__":
    app.run(main)
