"""How the weights that come with the package were made: pictures labelled by U²-Net, CSNet trained on them and pruned.

usage: python benchmarks/own_weights.py --data=FOLDER --out=FOLDER [--teacher=FILE] [--scenes=COUNT]
           [--start=FILE] [--widen=FACTOR] [--revive] [-- further flags of sodkeras train]

FOLDER holds msra_1000_images/ and coco128/images/, which the teacher labels, and weizmann_horses/ and human_290/, whose
masks are used: all people, and half of the horses by the SHA-256 of their stem, without horse274, which is also in the
other half under another name. PASCAL-S and the other horses are not trained on, nor looked at to choose an epoch.
One pair in twenty is for validation. Of the others' pictures and objects scenes are made; the teacher labels them, too.

Runs follow one another, each in a folder of its own under --out: `run` trains CSNet ×1, prunes it and fine-tunes what
is left, without scenes; `wide` trains that on, at 128×128, where two cores see three times as many pictures as at
224×224; `sharp` ends at 224×224, with the batch norms' statistics as they are. In these two every photo counts twice.
With --start the first is left out: `wide` starts from that file or preset, with --widen=1.4 from a network that
computes the same with 1.4 times the channels, and with --revive from one in which channels that weight decay has
switched off start anew.
An interrupted run goes on with the same command. On a CPU without AVX-512 set TF_ENABLE_ONEDNN_OPTS=1.

What csnet_l_x1 began as was made in four sittings: `run`; without scenes 70 epochs more at 128×128 and 5 at 224×224;
with --start=csnet_l_x1, 6,000 scenes labelled by U²-Net† and photos counted once, `wide` (7 epochs, at most 3e-3) and
`sharp` (1 epoch, at most 1e-3); then with --start=csnet_l_x1 --widen=1.4 --scenes=3931, all labelled by U²-Net in 8
bits:

    sodkeras convert u2net --numerics=int8 --calibrate=msra_1000_images --out=FOLDER

All but the first had weight decay of 1e-4 (-- --set=weight_decay=1e-4), which switched off what idled; there is none
now.
package_weights.py took out the channels that had long been switched off. csnet_l_x1 and csnet_l_x2 as they ship are
this, widened and trained on a GPU (own_weights_gpu.py), and then as `sharp` here does it, at 192×192, for 6 and 5
epochs of every photo once, COCO128's three times more, and 420 scenes made of those that are not MSRA's; their logits
were doubled then (own_sharpness.py); then on photos of packages, too (own_photos.py says how), averaged with what they
had been (package_weights.py --average), and their logits doubled again. NOTES.md says what else was tried.
"""

import json
import pathlib
import sys

import keras
from absl import app, flags
from own_pairs import CROWDED, UNLABELLED, VALIDATION_SHARE, labelled_by_hand

from sodkeras.commands.main import main as sodkeras
from sodkeras.data import find_pairs, split_pairs
from sodkeras.files import whole_file
from sodkeras.pruning import revive, widen
from sodkeras.weights import load_model

FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "The folder around the data sets.", required=True)
flags.DEFINE_string("out", None, "The folder for labels and the run.", required=True)
flags.DEFINE_string("teacher", "u2net", "What labels: a preset, a .keras or a .tflite file.")
flags.DEFINE_string("start", None, "What the second run starts from; default: what the first has made.")
flags.DEFINE_float("widen", None, "How many times the channels of --start.", lower_bound=1)
flags.DEFINE_bool("revive", False, "Whether channels of --start that are gone start anew.")
flags.DEFINE_integer("scenes", 6000, "How many are made.", lower_bound=1)
flags.DEFINE_integer("crowded", 0, "How many times more COCO128's photos count.", lower_bound=0)
flags.DEFINE_integer("wide", 13, "Epochs of the second run; 0: there is none.", lower_bound=0)
flags.DEFINE_integer("sharp", 3, "Epochs of the third; 0: there is none.", lower_bound=0)
flags.DEFINE_integer("sharp_size", 224, "The side of its pictures.", lower_bound=1)
flags.DEFINE_integer("threads", None, "CPU threads of a .tflite teacher.")

_ON = [
    "--set=prune={}",
    "--set=dynamic_decay=0",
    "--set=decay_exempt=none",
    "--set=weight_decay=0",  # any that is added to the gradient switches idle channels off
    "--set=augmentation.paste=0",
    "--set=augmentation.scale=0.9,1.2",
]
_TOLD = ("start", "widen", "revive", "teacher", "scenes", "crowded", "wide", "sharp", "sharp_size")
_WIDE = ["--set=learning_rate=4e-3", "--set=warm_up_epochs=0.3"]
_SHARP = ["--set=learning_rate=1e-3", "--set=warm_up_epochs=0.1", "--set=batch_statistics=false", "--set=re_estimate=0"]


def main(arguments):
    data, out = pathlib.Path(FLAGS.data), pathlib.Path(FLAGS.out)
    if (FLAGS.widen or FLAGS.revive) and not FLAGS.start:
        raise app.UsageError("--widen and --revive change what --start names")
    for name, pictures in UNLABELLED.items():
        label(data / pictures, out / name, FLAGS.teacher)
    pairs = [*find_pairs([out / name for name in UNLABELLED]), *labelled_by_hand(data)]
    pairs = split_pairs(pairs, VALIDATION_SHARE)
    crowded = [pair for pair in pairs[0] if pair.mask.is_relative_to(out / CROWDED)]
    parts = {"training": pairs[0], "validation": pairs[1], "training_again": pairs[0]}
    parts |= {f"crowded_{number}": crowded for number in range(FLAGS.crowded)}
    lists = [out / f"{name}.csv" for name in parts]
    for file, part in zip(lists, parts.values(), strict=True):
        with whole_file(file) as temporary:
            lines = [f"{pair.picture.resolve()},{pair.mask.resolve()},{pair.weight}\n" for pair in part]
            temporary.write_text("".join(lines), encoding="utf-8")
    sources = [f"--data={lists[0]}", f"--validation={lists[1]}"]
    if not FLAGS.start:
        train("run", *sources, *arguments[1:])
    if len(list((out / "scenes/masks").glob("*.png"))) < FLAGS.scenes:
        run("data", str(lists[0]), f"--make_scenes={out / 'scenes'}", f"--count={FLAGS.scenes}")
    label(out / "scenes/images", out / "scenes_labelled", FLAGS.teacher)
    sources += [f"--data={file}" for file in (*lists[2:], out / "scenes_labelled")]
    wide, sharp = ([*_ON, f"--set=epochs={epochs}", *sources, *arguments[1:]] for epochs in (FLAGS.wide, FLAGS.sharp))
    network = start(out)
    if FLAGS.wide:
        train("wide", f"--network={network}", *_WIDE, *wide)
        network = out / "wide/last.keras"
    if FLAGS.sharp:
        train("sharp", f"--network={network}", f"--set=size={FLAGS.sharp_size}", *_SHARP, *sharp)


def start(out):
    """What `wide` starts from; for package_weights.py, how.json says so."""
    with whole_file(out / "how.json") as temporary:
        how = {name: FLAGS[name].value for name in _TOLD}
        temporary.write_text(json.dumps(how), encoding="utf-8")
    if not (FLAGS.widen or FLAGS.revive):
        return FLAGS.start or out / "run/pruned/last.keras"
    changed = out / "start.keras"
    if not changed.exists():
        name = FLAGS.start
        model = load_model(name)
        if FLAGS.widen:
            model = widen(model, FLAGS.widen)[0]
        if FLAGS.revive:
            keras.utils.set_random_seed(0)
            model = revive(model)
        with whole_file(changed) as temporary:
            model.save(temporary)
    return changed


def label(pictures, folder, teacher):
    run(
        "pseudo-label",
        str(pictures),
        f"--model={teacher}",
        f"--out={folder}",
        *([f"--threads={FLAGS.threads}"] if FLAGS.threads else []),
    )


def train(name, *flags):
    run("train", "--recipe=distill", "--short", f"--out={pathlib.Path(FLAGS.out) / name}", *flags)


def run(*arguments):
    """A command of `sodkeras`; what fails ends all."""
    if code := sodkeras(list(arguments)):
        sys.exit(code)


if __name__ == "__main__":
    app.run(main)
