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

import dataclasses
import functools
import json
import pathlib

from absl import flags

from sodkeras.commands.mask_value import define_mask_value
from sodkeras.errors import SodkerasError, UsageError

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

    from sodkeras.commands.startup import open_predictor
    from sodkeras.metrics.folders import by_stem
    from sodkeras.pictures import find_pictures, read_picture
    from sodkeras.pictures.masks import read_mask
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.check.agreement import TOLERANCES, Tolerance, compare
    from sodkeras.tflite.check.census import take_census
    from sodkeras.tflite.check.ground_truth import GroundTruthScores, violations
    from sodkeras.tflite.numerics import is_delegated

    if len(arguments) != 1 or not flag_values.source or not flag_values.pictures:
        raise UsageError("name one .tflite file, --source=MODEL and --pictures=FOLDER")
    path = pathlib.Path(arguments[0])
    pictures = {str(picture): picture for picture in find_pictures(flag_values.pictures)}
    masks = by_stem(flag_values.masks) if flag_values.masks else {}
    if masks and not masks.keys() & {picture.stem for picture in pictures.values()}:
        raise SodkerasError(f"No mask has the name of a picture. Received: --masks={flag_values.masks}")
    candidate = LiteRTRuntime(path)
    reference = open_predictor(flag_values.source).runtime
    read = functools.partial(read_mask, value=flag_values.mask_value)
    scores = GroundTruthScores(masks, candidate.preprocessing, read)
    agreement = compare(
        reference,
        candidate,
        ((name, read_picture(picture)) for name, picture in pictures.items()),
        lambda pairs: tqdm(pairs, total=len(pictures), unit="picture"),
        lambda name, *maps: scores.update(pictures[name].stem, *maps),
    )

    asked = {name: flag_values[name].value for name in _LIMITS if flag_values[name].value is not None}
    tolerance = dataclasses.replace(TOLERANCES.get(candidate.numerics, Tolerance()), **asked)
    census = take_census(candidate.interpreter)
    must = is_delegated(candidate.numerics) if flag_values.delegated is None else flag_values.delegated
    problems = agreement.violations(tolerance) + census.problems(must)
    truth = scores.result()
    if truth:
        problems += violations(truth, tolerance)
    _print(path, candidate, flag_values.source, agreement, census, truth, tolerance)
    report = {
        "file": path.name,
        "numerics": candidate.numerics,
        "source": pathlib.Path(flag_values.source).name,
        "versions": candidate.metadata.get("versions"),
        "agree": not problems,
        "problems": problems,
        "limits": dataclasses.asdict(tolerance),
        "summary": agreement.summary(),
        "ground_truth": truth,
        "census": census.to_dict(),
        "pictures": [
            {"name": pathlib.Path(name).name, "iou": iou, "mae": mae, "largest": largest}
            for name, iou, mae, largest in zip(
                agreement.names, agreement.iou, agreement.mae, agreement.largest, strict=True
            )
        ],
    }
    _write(path, report, agreement, flag_values.sheet, pictures, masks, read, reference, candidate)
    print("they agree" if not problems else f"they do not agree: {'; '.join(problems)}")
    return 1 if problems else 0


def _print(path, candidate, source, agreement, census, truth, tolerance):
    from tabulate import tabulate

    rows = []
    for name, value in {**agreement.summary(), **(truth or {})}.items():
        if name in _LIMITS:
            limit = getattr(tolerance, name)
            sign = "at least" if name.endswith("iou") else "at most"
            limit = "" if limit is None else f"{sign} {limit:g}"
            rows.append([_LIMITS[name].split(",")[0].lower(), f"{value:.4g}", limit])
    print(f"{path} ({candidate.numerics}) against {source}, {len(agreement.names)} pictures")
    print(tabulate(rows, headers=["", "measured", "limit"], disable_numparse=True))
    if truth:
        for name in ("source", "file"):
            print(f"{name}: maxF {truth[name]['max_f']:.4f}, MAE {truth[name]['mae']:.4f} ({truth['pictures']} masks)")
    print(census.partitions)


def _write(path, report, agreement, count, pictures, masks, read, reference, candidate):
    from sodkeras.files import whole_file
    from sodkeras.tflite.check.contact_sheet import write_contact_sheet

    written = [path.with_suffix(".verify.json")]
    with whole_file(written[0]) as temporary:
        temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    worst = agreement.worst_first()[:count]
    if worst:
        written.append(path.with_suffix(".verify.png"))
        rows = [(pictures[agreement.names[index]], f"IoU {agreement.iou[index]:.3f}") for index in worst]
        write_contact_sheet(written[1], rows, masks, read, reference, candidate)
    print(f"written: {', '.join(map(str, written))}")
