"""sodkeras pseudo-label: makes masks for pictures that have none, with a trained network as the teacher.

usage: sodkeras pseudo-label PICTURE [PICTURE ...] --out=FOLDER [--flag=value ...]

A PICTURE is a file, a folder, or a quoted glob. --out gets masks/ and pairs.csv, and is a data set for `sodkeras
train`: each picture, its mask, and a weight between 0 and 1, how sure the teacher is of it. The maps of a picture and
of its mirror image are averaged. An interrupted command goes on where it was. Masks made so are opinions, not ground
truth: never score with them.

Jobs side by side: with --shard=I/N each labels its part, into a folder I_of_N in --out; `sodkeras train` takes --out as
a folder of data sets.

examples:
  sodkeras pseudo-label photos/ --out=labelled
  sodkeras train --recipe=distill --data=labelled --data=DUTS-TR --out=runs/distilled
"""

import pathlib
import sys


def define_flags(options):
    options.model("The teacher: a preset's name, a .keras or a .tflite file.", default="u2net")
    options.out()
    options.whole("threads", None, "CPU threads for a .tflite file.")
    options.batch()


def run(options, arguments):
    from sodkeras.commands.pictures import named_pictures, part_of
    from sodkeras.commands.startup import open_predictor
    from sodkeras.data.pseudo_labels import pseudo_label

    pictures = part_of(named_pictures(arguments, options.recursive), options.shard)
    out = pathlib.Path(options.out)
    if options.shard:
        out /= options.shard.replace("/", "_of_")
    predictor = open_predictor(options.model, options.threads)
    list_file, failures = pseudo_label(predictor, pictures, out, progress=sys.stderr.isatty())
    print(f"{len(pictures) - len(failures)} of {len(pictures)} pictures labelled, {list_file}")
    for path, error in failures:
        print(f"sodkeras pseudo-label: {path} failed: {error}", file=sys.stderr)
    return 1 if failures else 0
