"""sodkeras data: lists, checks and shows data sets for training, or makes new ones.

usage: sodkeras data SOURCE [SOURCE ...] [--check] [--show=SHEET.png] [--pack=FILE.npz] [--mask_value=NUMBER]
       sodkeras data --make_synthetic=FOLDER [--count=NUMBER] [--size=HEIGHTxWIDTH] [--seed=NUMBER]
       sodkeras data SOURCE [SOURCE ...] --make_scenes=FOLDER [--count=NUMBER] [--size=HEIGHTxWIDTH] [--seed=NUMBER]

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
  sodkeras pseudo-label scenes/images --model=u2netp --out=scenes_labelled
"""

import re

from absl import flags

from sodkeras.commands.mask_value import define_mask_value
from sodkeras.errors import UsageError

# Of each kind of problem, unless all are asked for; and of each set's pairs, on a sheet.
_SHOWN = 5


def define_flags(flag_values):
    flags.DEFINE_bool("check", False, "Read every pair and print what is wrong.", flag_values=flag_values)
    define_mask_value(flag_values)
    flags.DEFINE_bool("all", False, f"Print every problem, not {_SHOWN} of a kind.", flag_values=flag_values)
    flags.DEFINE_string(
        "show", None, "A .png file to draw some pairs on, picture, mask and both.", flag_values=flag_values
    )
    flags.DEFINE_string(
        "pack",
        None,
        "An .npz file to write all pairs to, resized, for training without TensorFlow.",
        flag_values=flag_values,
    )
    flags.DEFINE_string("make_synthetic", None, "A folder to make a synthetic set in.", flag_values=flag_values)
    flags.DEFINE_string("make_scenes", None, "A folder to make a set of scenes in.", flag_values=flag_values)
    flags.DEFINE_integer("count", 500, "Pairs of the set that is made.", lower_bound=1, flag_values=flag_values)
    flags.DEFINE_string(
        "size",
        None,
        "HEIGHTxWIDTH; default 240x320 for a synthetic set, 256x256 for scenes, 224x224 to pack.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer("seed", 0, "Of what is random.", lower_bound=0, flag_values=flag_values)


def run(flag_values, arguments):
    from tabulate import tabulate

    from sodkeras.data.pairs import find_sets

    # What is made here has no classes.
    sets = find_sets(arguments, flag_values.mask_value)
    if flag_values.make_synthetic:
        from sodkeras.data.synthetic import write_synthetic

        size = _size(flag_values.size or "240x320")
        write_synthetic(flag_values.make_synthetic, flag_values.count, size, flag_values.seed)
        sets += find_sets([flag_values.make_synthetic])
    if not sets:
        raise UsageError("name at least one SOURCE, or --make_synthetic")
    if flag_values.make_scenes:
        from sodkeras.data.scenes import write_scenes

        pairs = [pair for found in sets for pair in found.pairs]
        size = _size(flag_values.size or "256x256")
        write_scenes(flag_values.make_scenes, pairs, flag_values.count, size, flag_values.seed)
        sets += find_sets([flag_values.make_scenes])
    rows = [(found.name, len(found.pairs), len(found.unpaired)) for found in sets]
    print(tabulate(rows, headers=("set", "pairs", "files without a partner")))
    size = _size(flag_values.size or "224x224")
    if flag_values.show:
        _show(sets, flag_values.show, flag_values.seed)
    fatal = flag_values.check and _check(sets, _SHOWN if not flag_values.all else None)
    if fatal:
        return 1
    if flag_values.pack:
        from sodkeras.data.packed import pack

        pack([pair for found in sets for pair in found.pairs], size, flag_values.pack)
        print(f"wrote {flag_values.pack}")
    return 0


def _check(sets, shown):
    """Prints the problems by kind; returns whether training cannot use some of it."""
    from sodkeras.data.check import ADVICE, check_sets

    problems = check_sets(sets)
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
    return any(problem.fatal for problem in problems)


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
    print(f"wrote {path}")


def _size(text):
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise UsageError(f"--size is HEIGHTxWIDTH, as 224x224. Received: {text}")
    return int(match[1]), int(match[2])
