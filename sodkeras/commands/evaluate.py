"""sodkeras evaluate: scores saliency maps, or a model, against masks with the field's metrics.

usage: sodkeras evaluate MAPS MASKS [--flag=value ...]
       sodkeras evaluate --maps=[NAME=]FOLDER ... --model=[NAME=]MODEL ... --data=[NAME=]SET ... [--flag=value ...]

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
  sodkeras evaluate -m u2netp --data=PASCAL-S=pascal_s --threshold=PASCAL-S=0.5
  sodkeras evaluate --maps=ours/{set} --maps=theirs/{set} --data=sets/ECSSD --data=sets/DUTS-TE --metrics=mae,f,s
"""

import functools
import os
import pathlib
import sys

from sodkeras.errors import SodkerasError, UsageError

_METRICS = ["mae", "f", "f_per_image", "s", "e", "weighted_f", "boundary_f"]
# Maps that are wrong in most of their pixels.
_WORSE_THAN_INVERTED = 0.5
# Below this many pairs the time to start processes is longer than the time that they save.
_WORTH_PROCESSES = 100


def define_flags(options):
    options.several("maps", "[NAME=]FOLDER: a method's maps")
    options.several("model", "[NAME=]MODEL: a preset's name, a .keras file or a .tflite file", short="m")
    options.several("data", "[NAME=]SET: a folder of masks, or the folder around masks and pictures")
    options.several("pictures", "[SET=]FOLDER: a set's pictures, where they are not beside the masks")
    options.several("threshold", "[SET=]NUMBER in [0, 1): a mask's pixel is salient above it (0.5: above 127 of 255)")
    options.mask_value()
    options.names("metrics", _METRICS, "What to compute.")
    options.switch("count_empty_masks", True, "Whether pictures without a salient pixel count.")
    options.switch("resize", False, "Resize maps to their masks' size, bilinear.")
    options.switch("allow_missing", False, "Score a set although some maps are missing.")
    options.out(default="evaluation")
    options.text("save_maps", None, "A folder to keep the models' maps in, as METHOD/SET/stem.png.")
    options.whole("processes", None, "Processes that score maps; default one a core.")
    options.json()


def run(options, arguments):
    from sodkeras.commands.startup import open_predictor
    from sodkeras.metrics import Evaluator
    from sodkeras.metrics.plots import write_curves
    from sodkeras.metrics.scorer import score_model, scorer
    from sodkeras.metrics.tables import ScoreTable, conventions
    from sodkeras.pictures.masks import read_mask
    from sodkeras.progress import progress_bar, say, warn

    if len(arguments) not in (0, 2):
        raise UsageError(f"give the two folders MAPS and MASKS, or flags alone. Received: {' '.join(arguments)}")
    maps = _named([*options.maps, *arguments[:1]], "--maps", _folder_name)
    models = _named(options.model, "--model", lambda model: pathlib.Path(model).stem)
    sets = _sets([*options.data, *arguments[1:]], options)
    if not sets or not (maps or models):
        raise UsageError("name at least one set as --data, and --maps or a --model")
    if maps.keys() & models.keys():
        raise UsageError(f"every method needs a name of its own. Received: {', '.join(maps.keys() & models.keys())}")

    # Everything is found, checked and opened before the first picture is scored.
    settings = {
        a_set: {
            "metrics": options.metrics,
            "ground_truth_threshold": a_set.threshold,
            "count_empty_masks": options.count_empty_masks,
        }
        for a_set in sets
    }
    for of_set in settings.values():
        Evaluator(**of_set)
    jobs = [
        (a_set, name, None, a_set.join_maps(_maps_of_set(folder, a_set.name, sets), options.allow_missing))
        for a_set in sets
        for name, folder in maps.items()
    ]
    count = sum(len(pairs) for *_, pairs in jobs)
    processes = options.processes or (os.cpu_count() if count >= _WORTH_PROCESSES else 1)
    if models:
        pictures = {a_set: a_set.join_pictures() for a_set in sets}
        predictors = {name: open_predictor(model) for name, model in models.items()}
        jobs += [(a_set, *method, pictures[a_set]) for a_set in sets for method in predictors.items()]
        jobs.sort(key=lambda job: sets.index(job[0]))  # a table compares methods within a set
    total = sum(len(pairs) for *_, pairs in jobs)

    read = functools.partial(read_mask, value=options.mask_value)
    rows, curves, failures, empty = [], {}, [], {}
    with scorer(processes) as score_all, progress_bar(total=total, unit="picture", disable=total < 2) as bar:
        for a_set, method, predictor, pairs in jobs:
            bar.set_description(f"{method}, {a_set.name}")
            if predictor is None:
                evaluator, failed = score_all(pairs, settings[a_set], options.resize, bar.update, read)
            else:
                keep = pathlib.Path(options.save_maps) / method / a_set.name if options.save_maps else None
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
            counted = evaluator.pictures - (0 if options.count_empty_masks else evaluator.empty_masks)
            row = {"set": a_set.name, "method": method, "pictures": counted}
            row |= {"empty_masks": evaluator.empty_masks, "ground_truth_threshold": a_set.threshold}
            rows.append(row | results)
            if evaluator.empty_masks:
                empty[a_set.name] = max(empty.get(a_set.name, (0, 0)), (evaluator.empty_masks, evaluator.pictures))
            curves.setdefault(a_set.name, {})[method] = evaluator.curves()
            last = evaluator
    if rows:
        table = ScoreTable(rows, conventions(rows, last, options.count_empty_masks, options.resize))
        print(table.json() if options.json else table.terminal(), end="" if options.json else "\n")
        for name, (masks, pictures) in empty.items():
            counted = "count" if options.count_empty_masks else "are left out"
            warn(f"{masks} of the {pictures} masks of {name} are empty, and {counted}")
        for row in rows:
            if row.get("mae", 0) > _WORSE_THAN_INVERTED:
                warn(
                    f"{row['method']} on {row['set']}: turned black for white, the maps would have an MAE of "
                    f"{1 - row['mae']:.3f}; are these, or the masks, inverted?"
                )
        out = pathlib.Path(options.out)
        written = [*table.write(out), *write_curves(out, curves)]
        say(f"{', '.join(path.name for path in written)} in {out}")
    for path, reason in failures:
        print(f"sodkeras evaluate: {path} failed: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _sets(texts, options):
    from sodkeras.metrics.folders import MaskSet

    folders = _named(texts, "--data", _folder_name)
    pictures = _by_set(options.pictures, "--pictures", folders)
    thresholds = _by_set(options.threshold, "--threshold", folders)
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
