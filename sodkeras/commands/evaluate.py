"""sodkeras evaluate: scores saliency maps, or a model, against masks with the field's metrics.

usage: sodkeras evaluate MAPS MASKS [--flag=value ...]
       sodkeras evaluate --maps=[NAME=]FOLDER ... --model=[NAME=]MODEL ... --set=[NAME=]FOLDER ... [--flag=value ...]

Maps may come from any tool. A map and its mask are joined by their stem (photo_map.png belongs to photo.png, too), and
the map has its mask's size. A set is a folder of masks, or a folder that holds one beside the pictures (images/ and
masks/, and the pairs of DUTS, ECSSD, HKU-IS); models need the pictures. For several sets, the folder of a method's maps
has a subfolder for each, or {set} in its name. What a model finds is scored in 8 bit at the picture's own size, as the
papers score the files they save: rounded down. --save_maps keeps these maps, and a folder of them scores as the model
does; the maps of `sodkeras predict` are rounded to the nearest instead, and score a little differently. The map of a
cut-out is its alpha channel.

A mask's background is the darker and its object the lighter of two values, whatever they are; shades are taken as they
are. Masks of classes are refused unless --mask_value says which class is the object. A set whose masks are all empty,
or all full, has no scores.

The tables go to --out as scores.json, .csv, .md and .tex, the curves as curves.json and PNG, and the conventions behind
the numbers with them. A file that cannot be scored does not stop the rest: it is named at the end, and the exit code
is 1.

examples:
  sodkeras evaluate maps/ masks/
  sodkeras evaluate --model=u2netp --set=PASCAL-S=pascal_s --threshold=PASCAL-S=0.5
  sodkeras evaluate --maps=ours/{set} --maps=theirs/{set} --set=sets/ECSSD --set=sets/DUTS-TE --metrics=mae,f,s
"""

import functools
import os
import pathlib
import sys

from absl import flags

from sodkeras.commands.mask_value import define_mask_value
from sodkeras.errors import SodkerasError, UsageError

_METRICS = ["mae", "f", "f_per_image", "s", "e", "weighted_f", "boundary_f"]
# Below this many pairs the time to start processes is longer than the time that they save.
# Maps that are wrong in most of their pixels.
_WORSE_THAN_INVERTED = 0.5
_WORTH_PROCESSES = 100


def define_flags(flag_values):
    def several(name, text):
        flags.DEFINE_multi_string(name, [], text, flag_values=flag_values)

    several("maps", "[NAME=]FOLDER: a method's maps")
    several("model", "[NAME=]MODEL: a preset's name, a .keras file or a .tflite file")
    several("set", "[NAME=]FOLDER: a set's masks, or the folder around masks and pictures")
    several("images", "[SET=]FOLDER: a set's pictures, where they are not beside the masks")
    several("threshold", "[SET=]NUMBER in [0, 1): a mask's pixel is salient above it (0.5: above 127 of 255)")
    define_mask_value(flag_values)
    flags.DEFINE_list("metrics", _METRICS, "What to compute.", flag_values=flag_values)
    flags.DEFINE_bool(
        "count_empty_masks", True, "Whether pictures without a salient pixel count.", flag_values=flag_values
    )
    flags.DEFINE_bool("resize", False, "Resize maps to their masks' size, bilinear.", flag_values=flag_values)
    flags.DEFINE_bool("allow_missing", False, "Score a set although some maps are missing.", flag_values=flag_values)
    flags.DEFINE_string("out", "evaluation", "The folder to write to.", flag_values=flag_values)
    flags.DEFINE_string(
        "save_maps", None, "A folder to keep the models' maps in, as METHOD/SET/stem.png.", flag_values=flag_values
    )
    flags.DEFINE_integer(
        "processes", None, "Processes that score maps; default one a core.", lower_bound=1, flag_values=flag_values
    )


def run(flag_values, arguments):
    from tqdm import tqdm

    from sodkeras.commands.startup import open_predictor
    from sodkeras.metrics import Evaluator
    from sodkeras.metrics.plots import write_curves
    from sodkeras.metrics.scorer import score_model, scorer
    from sodkeras.metrics.tables import ScoreTable, conventions
    from sodkeras.pictures.masks import read_mask

    if len(arguments) not in (0, 2):
        raise UsageError(f"give the two folders MAPS and MASKS, or flags alone. Received: {' '.join(arguments)}")
    maps = _named([*flag_values["maps"].value, *arguments[:1]], "--maps", _folder_name)
    models = _named(flag_values["model"].value, "--model", lambda model: pathlib.Path(model).stem)
    sets = _sets([*flag_values["set"].value, *arguments[1:]], flag_values)
    if not sets or not (maps or models):
        raise UsageError("name at least one --set, and --maps or a --model")
    if maps.keys() & models.keys():
        raise UsageError(f"every method needs a name of its own. Received: {', '.join(maps.keys() & models.keys())}")

    # Everything is found, checked and opened before the first picture is scored.
    settings = {
        a_set: {
            "metrics": flag_values.metrics,
            "ground_truth_threshold": a_set.threshold,
            "count_empty_masks": flag_values.count_empty_masks,
        }
        for a_set in sets
    }
    for of_set in settings.values():
        Evaluator(**of_set)
    jobs = [
        (a_set, name, None, a_set.join_maps(_maps_of_set(folder, a_set.name, sets), flag_values.allow_missing))
        for a_set in sets
        for name, folder in maps.items()
    ]
    count = sum(len(pairs) for *_, pairs in jobs)
    processes = flag_values.processes or (os.cpu_count() if count >= _WORTH_PROCESSES else 1)
    if models:
        pictures = {a_set: a_set.join_pictures() for a_set in sets}
        predictors = {name: open_predictor(model) for name, model in models.items()}
        jobs += [(a_set, *method, pictures[a_set]) for a_set in sets for method in predictors.items()]
        jobs.sort(key=lambda job: sets.index(job[0]))  # a table compares methods within a set
    total = sum(len(pairs) for *_, pairs in jobs)

    read = functools.partial(read_mask, value=flag_values.mask_value)
    rows, curves, failures, empty = [], {}, [], {}
    with scorer(processes) as score_all, tqdm(total=total, unit="picture", disable=total < 2) as bar:
        for a_set, method, predictor, pairs in jobs:
            bar.set_description(f"{method}, {a_set.name}")
            if predictor is None:
                evaluator, failed = score_all(pairs, settings[a_set], flag_values.resize, bar.update, read)
            else:
                keep = pathlib.Path(flag_values.save_maps) / method / a_set.name if flag_values.save_maps else None
                evaluator, failed = score_model(predictor, pairs, settings[a_set], bar.update, keep, read)
            failures += failed
            try:
                evaluator.check_masks()
                if predictor is None:  # a model that finds nothing is a bad one, and scored
                    evaluator.check_maps()
                results = evaluator.result()
            except SodkerasError as error:  # no picture that counts is left, or there was nothing to find
                failures.append((f"{method} on {a_set.name}", error))
                continue
            counted = evaluator.pictures - (0 if flag_values.count_empty_masks else evaluator.empty_masks)
            row = {"set": a_set.name, "method": method, "pictures": counted}
            row |= {"empty_masks": evaluator.empty_masks, "ground_truth_threshold": a_set.threshold}
            rows.append(row | results)
            if evaluator.empty_masks:
                empty[a_set.name] = max(empty.get(a_set.name, (0, 0)), (evaluator.empty_masks, evaluator.pictures))
            curves.setdefault(a_set.name, {})[method] = evaluator.curves()
            last = evaluator
    if rows:
        table = ScoreTable(rows, conventions(rows, last, flag_values.count_empty_masks, flag_values.resize))
        print(table.terminal())
        for name, (masks, pictures) in empty.items():
            counted = "count" if flag_values.count_empty_masks else "are left out"
            print(f"{masks} of the {pictures} masks of {name} are empty, and {counted}")
        for row in rows:
            if row.get("mae", 0) > _WORSE_THAN_INVERTED:
                print(
                    f"{row['method']} on {row['set']}: turned black for white, the maps would have an MAE of "
                    f"{1 - row['mae']:.3f}; are these, or the masks, inverted?"
                )
        out = pathlib.Path(flag_values.out)
        written = [*table.write(out), *write_curves(out, curves)]
        print(f"{', '.join(path.name for path in written)} in {out}")
    for path, reason in failures:
        print(f"sodkeras evaluate: {path} failed: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _sets(texts, flag_values):
    from sodkeras.metrics.folders import MaskSet

    folders = _named(texts, "--set", _folder_name)
    pictures = _by_set(flag_values["images"].value, "--images", folders)
    thresholds = _by_set(flag_values["threshold"].value, "--threshold", folders)
    try:
        thresholds = {name: float(text) for name, text in thresholds.items()}
    except ValueError:
        raise UsageError(f"--threshold takes [SET=]NUMBER. Received: {', '.join(thresholds.values())}") from None
    return [MaskSet(name, folder, pictures.get(name), thresholds.get(name, 0.5)) for name, folder in folders.items()]


def _named(texts, flag, default_name):
    """[NAME=]VALUE texts as a dict; a folder that exists is taken as it is, whatever is in its name."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or pathlib.Path(text).exists():
            name, value = default_name(text), text
        if not name or not value or name in values:
            raise UsageError(f"{flag} takes [NAME=]VALUE with a new name each time. Received: {text}")
        values[name] = value
    return values


def _by_set(texts, flag, sets):
    """[SET=]VALUE texts as a dict with a value for each set that is named, or for all."""
    values = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if equals and name not in sets:
            raise UsageError(f"{flag} names one of the sets {', '.join(sets)}. Received: {text}")
        values |= {name: value} if equals else {name: value for name in sets if name not in values}
    return values


def _folder_name(text):
    from sodkeras.metrics.folders import MASK_FOLDER

    path = pathlib.Path(os.path.abspath(text))
    says_nothing = path.name in ("maps", "{set}") or MASK_FOLDER.fullmatch(path.name)
    return path.parent.name if says_nothing else path.name


def _maps_of_set(text, name, sets):
    folder = pathlib.Path(text.replace("{set}", name))
    if "{set}" in text:
        return folder
    if (folder / name).is_dir():
        return folder / name
    if len(sets) > 1:
        raise SodkerasError(f"For several sets, maps are in a subfolder for each; {name} is missing. Received: {text}")
    return folder
