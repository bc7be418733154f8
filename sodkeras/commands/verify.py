"""sodkeras verify: compares a .tflite file with the network it was made from, on pictures.

usage: sodkeras verify FILE.tflite --model=MODEL --pictures=FOLDER [--masks=FOLDER [--mask_value=NUMBER]]

Both run on the same pictures; the exit code is 1 where they differ by more than the numerics allow. Float must give the
same values, to its own rounding; the others are judged by the masks at 0.5 (IoU) and the mean absolute difference
(MAE), both for the median and for the worst picture. With --masks, a folder of masks named as the pictures, both are
scored against ground truth, too. Each limit has a flag; the default follows from the file's numerics.

A file fails as well that holds operators that a phone lacks or that run outside the CPU's delegate, and one whose maps
do not vary with the picture.

Beside the file it writes FILE.verify.json, with a line for each picture, and FILE.verify.png, the pictures on which the
two agree least.

example:
  sodkeras verify u2netp-320x320-float32.tflite -m u2netp --pictures=photos/
"""

import functools
import json

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

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "train"


def define_flags(options):
    options.model("What the file was made from: a preset's name or a .keras file.")
    options.pictures()
    options.text("masks", None, "A folder of ground-truth masks.")
    options.mask_value()
    options.whole("sheet", 6, "Pictures on the contact sheet; 0 for none.", least=0)
    options.switch(
        "delegated",
        None,
        "Whether all operators must be in one partition of the CPU's delegate; default yes, but for 16-bit "
        "activations, which it does not have.",
    )
    for name, text in _LIMITS.items():
        options.number(name, None, text)
    options.json()


def run(options, arguments):
    from sodkeras.commands.startup import open_keras, silent_stderr
    from sodkeras.progress import progress_bar
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.check.verify import verify

    if len(arguments) != 1 or not options.pictures:
        raise UsageError("name one .tflite file, --model=MODEL and --pictures=FOLDER")
    with silent_stderr():
        LiteRTRuntime(arguments[0])  # what is wrong with the file is said before TensorFlow starts
    found = verify(
        arguments[0],
        open_keras(options.model),
        options.pictures,
        options.masks,
        options.mask_value,
        options.delegated,
        functools.partial(progress_bar, unit="picture"),
        **{name: getattr(options, name) for name in _LIMITS if getattr(options, name) is not None},
    )
    written = found.write(options.sheet)
    if options.json:
        print(json.dumps(found.to_dict(), indent=1, ensure_ascii=False))
        return 1 if found.problems else 0
    _print(found, options.model)
    print(f"written: {', '.join(map(str, written))}")
    print("they agree" if not found.problems else f"they do not agree: {'; '.join(found.problems)}")
    return 1 if found.problems else 0


def _print(found, source):
    from tabulate import tabulate

    rows, truth = [], found.ground_truth
    for name, value in {**found.agreement.summary(), **(truth or {})}.items():
        if name in _LIMITS:
            limit = getattr(found.tolerance, name)
            sign = "at least" if name.endswith("iou") else "at most"
            why = ""
            if name == "largest" and limit is not None:
                at, applied = found.agreement.largest_limit(limit)
                if applied > limit:  # the picture that was judged, and by what
                    value, why = (
                        found.agreement.largest[at],
                        f", by float's own rounding on that picture; else {limit:g}",
                    )
                limit = applied
            limit = "" if limit is None else f"{sign} {limit:.3g}{why}"
            rows.append([_LIMITS[name].split(",")[0].lower(), f"{value:.4g}", limit])
    print(f"{found.path} ({found.numerics}) against {source}, {len(found.agreement.names)} pictures")
    print(tabulate(rows, headers=["", "measured", "limit"], disable_numparse=True))
    if truth:
        for name in ("source", "file"):
            print(f"{name}: maxF {truth[name]['max_f']:.4f}, MAE {truth[name]['mae']:.4f} ({truth['pictures']} masks)")
    print(found.census.partitions)
