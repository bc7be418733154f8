"""sodkeras verify: compares a .tflite file with the network it was made from, on pictures.

usage: sodkeras verify FILE.tflite --source=MODEL --pictures=FOLDER

Both run on the same prepared pictures; the exit code is 1 where they differ by more than the numerics allow. Float
must give the same values, to its own rounding; the others are judged by the masks at 0.5 (IoU) and the mean
absolute difference (MAE), both for the median and for the worst picture. Each limit has a flag; the default follows
from the file's numerics.

example:
  sodkeras verify u2netp-320x320-float32.tflite --source=u2netp --pictures=photos/
"""

import dataclasses

from absl import flags

from sodkeras.errors import UsageError

_LIMITS = {
    "largest": "Largest difference of any pixel, at most.",
    "median_iou": "Median mask IoU, at least.",
    "worst_iou": "Mask IoU of the worst picture, at least.",
    "median_mae": "Median mean absolute difference, at most.",
    "worst_mae": "Mean absolute difference of the worst picture, at most.",
}


def define_flags(flag_values):
    flags.DEFINE_string(
        "source", None, "What the file was made from: a preset's name or a .keras file.", flag_values=flag_values
    )
    flags.DEFINE_list("pictures", [], "Files, folders or globs of pictures.", flag_values=flag_values)
    for name, text in _LIMITS.items():
        flags.DEFINE_float(name, None, text, lower_bound=0, flag_values=flag_values)


def run(flag_values, arguments):
    from tabulate import tabulate
    from tqdm import tqdm

    from sodkeras.commands.startup import open_predictor
    from sodkeras.pictures import find_pictures, read_picture
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.verify import TOLERANCES, Tolerance, compare

    if len(arguments) != 1 or not flag_values.source or not flag_values.pictures:
        raise UsageError("name one .tflite file, --source=MODEL and --pictures=FOLDER")
    pictures = find_pictures(flag_values.pictures)
    candidate = LiteRTRuntime(arguments[0])
    reference = open_predictor(flag_values.source).runtime
    named = ((path, read_picture(path)) for path in pictures)
    agreement = compare(reference, candidate, named, lambda pairs: tqdm(pairs, total=len(pictures), unit="picture"))

    asked = {name: flag_values[name].value for name in _LIMITS if flag_values[name].value is not None}
    tolerance = dataclasses.replace(TOLERANCES.get(candidate.numerics, Tolerance()), **asked)
    rows = []
    for name, value in agreement.summary().items():
        limit = getattr(tolerance, name)
        sign = "at least" if name.endswith("iou") else "at most"
        rows.append([_LIMITS[name].split(",")[0].lower(), f"{value:.4g}", "" if limit is None else f"{sign} {limit:g}"])
    print(f"{arguments[0]} ({candidate.numerics}) against {flag_values.source}, {len(pictures)} pictures")
    print(tabulate(rows, headers=["", "measured", "limit"], disable_numparse=True))
    violations = agreement.violations(tolerance)
    print("they agree" if not violations else f"they do not agree: {'; '.join(violations)}")
    return 1 if violations else 0
