"""sodkeras verify: compares a .tflite file with the network it was made from, on pictures.

usage: sodkeras verify FILE.tflite --source=MODEL --pictures=FOLDER [--masks=FOLDER [--mask_value=NUMBER]]

Both run on the same pictures; the exit code is 1 where they differ by more than the numerics allow. Float must give the
same values, to its own rounding; the others are judged by the masks at 0.5 (IoU) and the mean absolute difference
(MAE), both for the median and for the worst picture. With --masks, a folder of masks named as the pictures, both are
scored against ground truth, too. Each limit has a flag; the default follows from the file's numerics.

A file fails as well that holds operators that a phone lacks or that run outside the CPU's delegate, and one whose maps
do not vary with the picture.

Beside the file it writes FILE.verify.json, with a line for each picture, and FILE.verify.png, the pictures on which the
two agree least.

example:
  sodkeras verify u2netp-320x320-float32.tflite --source=u2netp --pictures=photos/
"""

import functools

from absl import flags

from sodkeras.commands.mask_value import define_mask_value
from sodkeras.errors import UsageError

_LIMITS = {
    "largest": "Largest difference of any pixel, at most.",
    "median_iou": "Median mask IoU, at least.",
    "worst_iou": "Mask IoU of the worst picture, at least.",
    "median_mae": "Median mean absolute difference, at most.",
    "worst_mae": "Mean absolute difference of the worst picture, at most.",
    "max_f_loss": "Loss of maxF against ground truth, at most.",
    "mae_rise": "Rise of MAE against ground truth, at most.",
}


def define_flags(flag_values):
    flags.DEFINE_string(
        "source", None, "What the file was made from: a preset's name or a .keras file.", flag_values=flag_values
    )
    flags.DEFINE_list("pictures", [], "Files, folders or globs of pictures.", flag_values=flag_values)
    flags.DEFINE_string("masks", None, "A folder of ground-truth masks.", flag_values=flag_values)
    define_mask_value(flag_values)
    flags.DEFINE_integer(
        "sheet", 6, "Pictures on the contact sheet; 0 for none.", lower_bound=0, flag_values=flag_values
    )
    flags.DEFINE_bool(
        "delegated",
        None,
        "Whether all operators must be in one partition of the CPU's delegate; default yes, but for 16-bit "
        "activations, which it does not have.",
        flag_values=flag_values,
    )
    for name, text in _LIMITS.items():
        flags.DEFINE_float(name, None, text, lower_bound=0, flag_values=flag_values)


def run(flag_values, arguments):
    from tqdm import tqdm

    from sodkeras.commands.startup import open_keras
    from sodkeras.tflite.check.verify import verify

    if len(arguments) != 1 or not flag_values.source or not flag_values.pictures:
        raise UsageError("name one .tflite file, --source=MODEL and --pictures=FOLDER")
    found = verify(
        arguments[0],
        open_keras(flag_values.source),
        flag_values.pictures,
        flag_values.masks,
        flag_values.mask_value,
        flag_values.delegated,
        functools.partial(tqdm, unit="picture"),
        **{name: flag_values[name].value for name in _LIMITS if flag_values[name].value is not None},
    )
    _print(found, flag_values.source)
    print(f"written: {', '.join(map(str, found.write(flag_values.sheet)))}")
    print("they agree" if not found.problems else f"they do not agree: {'; '.join(found.problems)}")
    return 1 if found.problems else 0


def _print(found, source):
    from tabulate import tabulate

    rows, truth = [], found.ground_truth
    for name, value in {**found.agreement.summary(), **(truth or {})}.items():
        if name in _LIMITS:
            limit = getattr(found.tolerance, name)
            sign = "at least" if name.endswith("iou") else "at most"
            limit = "" if limit is None else f"{sign} {limit:g}"
            rows.append([_LIMITS[name].split(",")[0].lower(), f"{value:.4g}", limit])
    print(f"{found.path} ({found.numerics}) against {source}, {len(found.agreement.names)} pictures")
    print(tabulate(rows, headers=["", "measured", "limit"], disable_numparse=True))
    if truth:
        for name in ("source", "file"):
            print(f"{name}: maxF {truth[name]['max_f']:.4f}, MAE {truth[name]['mae']:.4f} ({truth['pictures']} masks)")
    print(found.census.partitions)
