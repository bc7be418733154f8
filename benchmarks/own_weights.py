"""How the weights that come with the package were made: pictures labelled by U²-Net, CSNet trained on them and pruned.

usage: python benchmarks/own_weights.py --data=FOLDER --out=FOLDER [--teacher=FILE] [--start=FILE]
           [-- further flags of sodkeras train]

FOLDER holds msra_1000_images/ and coco128/images/, which the teacher labels, and weizmann_horses/ and human_290/, whose
masks are used: all people, and half of the horses by the SHA-256 of their stem, without horse274, which is also in the
other half under another name. PASCAL-S and the other horses are neither trained on nor looked at to choose anything.

Three runs follow one another, each in a folder of its own under --out: `run` trains CSNet ×1, prunes it and fine-tunes
what is left; `longer` trains that on, at 128×128, where two cores see three times as many pictures as at 224×224;
`sharp` ends at 224×224. With --start the first is left out: `longer` starts from that file or preset. An interrupted
run goes on with the same command.
"""

import pathlib
import sys

from absl import app, flags

from sodkeras.commands.main import main as sodkeras
from sodkeras.data import find_pairs, split_pairs
from sodkeras.files import whole_file

FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "The folder around the data sets.", required=True)
flags.DEFINE_string("out", None, "The folder for labels and the run.", required=True)
flags.DEFINE_string("teacher", "u2net", "What labels: a preset, a .keras or a .tflite file.")
flags.DEFINE_string("start", None, "What the second run starts from; default: what the first has made.")
flags.DEFINE_integer("threads", None, "CPU threads of a .tflite teacher.")

_TWIN = "horse274"
_LONGER = [
    "--set=prune={}",
    "--set=dynamic_decay=0",
    "--set=decay_exempt=none",
    "--set=weight_decay=1e-4",
    "--set=epochs=70",
    "--set=learning_rate=3e-3",
]
_SHARP = ["--set=size=224", "--set=epochs=5", "--set=learning_rate=1e-3"]


def main(arguments):
    data, out = pathlib.Path(FLAGS.data), pathlib.Path(FLAGS.out)
    teacher = [f"--model={FLAGS.teacher}"] + ([f"--threads={FLAGS.threads}"] if FLAGS.threads else [])
    sources = []
    for name, pictures in {"msra": data / "msra_1000_images", "coco": data / "coco128" / "images"}.items():
        if code := sodkeras(["pseudo-label", str(pictures), f"--out={out / name}", *teacher]):
            sys.exit(code)
        sources.append(f"--data={name}={out / name / 'pairs.csv'}")
    horses = [pair for pair in split_pairs(find_pairs([data / "weizmann_horses"]), 0.5)[0] if pair.stem != _TWIN]
    by_hand = out / "by_hand.csv"
    with whole_file(by_hand) as temporary:
        lines = [f"{pair.picture.resolve()},{pair.mask.resolve()}\n" for pair in horses]
        lines += [f"{pair.picture.resolve()},{pair.mask.resolve()}\n" for pair in find_pairs([data / "human_290"])]
        temporary.write_text("".join(lines), encoding="utf-8")
    sources.append(f"--data=by_hand={by_hand}")

    def train(name, *flags):
        if code := sodkeras(
            ["train", "--recipe=distill", "--short", f"--out={out / name}", *flags, *sources, *arguments[1:]]
        ):
            sys.exit(code)

    if not FLAGS.start:
        train("run")
    start = FLAGS.start or out / "run/pruned/last.keras"
    train("longer", f"--network={start}", *_LONGER)
    train("sharp", f"--network={out / 'longer/last.keras'}", *_LONGER, *_SHARP)


if __name__ == "__main__":
    app.run(main)
