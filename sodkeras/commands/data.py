"""sodkeras data: lists, checks and shows data sets for training, or makes new ones.

usage: sodkeras data SOURCE [SOURCE ...] [--check] [--show=SHEET.png] [--pack=FILE.npz] [--mask_value=NUMBER]
       sodkeras data --make_synthetic=FOLDER [--count=NUMBER] [--size=HxW] [--seed=NUMBER]
       sodkeras data SOURCE [SOURCE ...] --make_scenes=FOLDER [--count=NUMBER] [--size=HxW] [--seed=NUMBER]

A source is a folder of pictures beside one of masks, as the field's sets are downloaded (images/ and masks/; DUTS,
ECSSD, PASCAL-S, DUT-OMRON, HKU-IS; JPEG pictures among PNG masks, as in MSRA10K), what sodkeras pseudo-label made, a
folder of such folders, or a list (.txt, .csv) with a picture and its mask a line; NAME=SOURCE names it.

--check reads everything and says what is wrong and what to do about it; the exit code is 1 if training cannot use some
of it. Masks of classes are refused unless --mask_value says which class is the object.

--make_synthetic draws a set, for a first try without photos. --make_scenes makes many pictures of few: parts of the
sources' pictures with objects of others in them, and their masks; a teacher's masks of them are better (sodkeras
pseudo-label).

examples:
  sodkeras data DUTS-TR mine=pairs.csv --check
  sodkeras data --make_synthetic=synthetic --count=500
  sodkeras data labelled horses --make_scenes=scenes --count=6000
  sodkeras pseudo-label scenes/images -m u2netp -o scenes_labelled
"""

import dataclasses
import json
import sys

from sodkeras.errors import UsageError
from sodkeras.progress import say

# Of each kind of problem, unless all are asked for; and of each set's pairs, on a sheet.
_SHOWN = 5


def define_flags(options):
    options.switch("check", False, "Read every pair and print what is wrong.")
    options.mask_value()
    options.switch("all", False, f"Print every problem, not {_SHOWN} of a kind.")
    options.text("show", None, "A .png file to draw some pairs on, picture, mask and both.")
    options.text("pack", None, "An .npz file to write all pairs to, resized, for training without TensorFlow.")
    options.text("make_synthetic", None, "A folder to make a synthetic set in.")
    options.text("make_scenes", None, "A folder to make a set of scenes in.")
    options.whole("count", 500, "Pairs of the set that is made.")
    options.size("Default 240x320 for a synthetic set, 256x256 for scenes, 224x224 to pack.")
    options.whole("seed", 0, "Of what is random.", least=0)
    options.json()


def run(options, arguments):
    from tabulate import tabulate

    from sodkeras.data.check import check_sets
    from sodkeras.data.pairs import find_sets

    # What is made here has no classes.
    sets = find_sets(arguments, options.mask_value)
    if options.make_synthetic:
        from sodkeras.data.synthetic import write_synthetic

        size = options.size or (240, 320)
        write_synthetic(options.make_synthetic, options.count, size, options.seed)
        sets += find_sets([options.make_synthetic])
    if not sets:
        raise UsageError("name at least one SOURCE, or --make_synthetic")
    if options.make_scenes:
        from sodkeras.data.scenes import write_scenes

        pairs = [pair for found in sets for pair in found.pairs]
        size = options.size or (256, 256)
        write_scenes(options.make_scenes, pairs, options.count, size, options.seed)
        sets += find_sets([options.make_scenes])
    rows = [(found.name, len(found.pairs), len(found.unpaired)) for found in sets]
    if options.show:
        _show(sets, options.show, options.seed)
    problems = check_sets(sets, progress=sys.stderr.isatty()) if options.check else []
    if options.json:
        columns = ("name", "pairs", "unpaired")
        found = {"sets": [dict(zip(columns, row, strict=True)) for row in rows]}
        listed = [{**dataclasses.asdict(problem), "path": str(problem.path)} for problem in problems]
        print(json.dumps(found | {"problems": listed} if options.check else found, indent=1, ensure_ascii=False))
    else:
        print(tabulate(rows, headers=("set", "pairs", "files without a partner")))
        if options.check:
            _print_problems(problems, _SHOWN if not options.all else None)
    if any(problem.fatal for problem in problems):
        return 1
    if options.pack:
        from sodkeras.data.packed import pack

        size = options.size or (224, 224)
        pack([pair for found in sets for pair in found.pairs], size, options.pack)
        say(f"wrote {options.pack}")
    return 0


def _print_problems(problems, shown):
    from sodkeras.data.check import ADVICE

    for kind, advice in ADVICE.items():
        of_kind = [problem for problem in problems if problem.kind == kind]
        if of_kind:
            stops = "; training stops at it" if of_kind[0].fatal else ""
            print(f"\n{kind}: {len(of_kind)}{stops}\n  {advice}")
            for problem in of_kind[:shown]:
                print(f"  - {problem.path}{f' ({problem.detail})' if problem.detail else ''}")
            if shown is not None and len(of_kind) > shown:
                print(f"  … and {len(of_kind) - shown} more; --all shows them")
    print("" if problems else "nothing wrong")


def _show(sets, path, seed):
    """Writes a sheet of pairs that are drawn from each set."""
    import numpy as np

    from sodkeras.data.samples import read_pair
    from sodkeras.pictures.compositing import overlay
    from sodkeras.report import contact_sheet

    rows = []
    for found in sets:
        rng = np.random.default_rng(seed)
        for index in sorted(rng.choice(len(found.pairs), min(_SHOWN, len(found.pairs)), replace=False)):
            pair = found.pairs[index]
            picture, mask = read_pair(pair)
            rows.append((f"{found.name}\n{pair.stem}", [picture, mask, overlay(picture, np.float32(mask) / 255)]))
    contact_sheet(path, rows, ["picture", "mask", "both"])
    say(f"wrote {path}")
