"""How good networks are, on pictures that nobody trained on, with 95 % bootstrap intervals.

usage: python training/weights/scores.py --data=FOLDER [--models=NAME,…] [--sheet=FILE.jpg]

FOLDER holds pascal_s_200/, ecssd_150/ and weizmann_horses/, of which the half that the project keeps for scoring is
taken. Models are .keras or .tflite files, networks of the package, whose files are all scored, or one file of them, as
"u2netp_int8" or, in Keras, "u2netp_keras". Maps are scored in 8 bits at the picture's own size against masks at > 127;
maxF is from precision and recall averaged over the pictures first (β² = 0.3), as in the papers. An interval is between
the 2.5th and 97.5th percentile of 2,000 resamplings of the pictures. The rows of these files in scores.csv, beside this
file, are replaced, others stay. --sheet draws twenty pictures, at random, with every file's map.
"""

import csv
import pathlib

import numpy as np
from absl import app, flags
from tqdm import tqdm

from sodkeras import Predictor
from sodkeras.data import find_pairs, split_pairs
from sodkeras.data.samples import read_pair
from sodkeras.metrics import FMeasure, MeanAbsoluteError
from sodkeras.metrics.scored_map import ScoredMap
from sodkeras.pictures import compositing
from sodkeras.report import contact_sheet
from sodkeras.weights import preset, preset_names

_DATA = flags.DEFINE_string("data", None, "The folder around the data sets.", required=True)
_MODELS = flags.DEFINE_list("models", None, "What is scored; default all files of all presets.")
_SHEET = flags.DEFINE_string("sheet", None, "A .jpg or .png file to draw the sheet on.")
_CSV = flags.DEFINE_string("csv", str(pathlib.Path(__file__).with_suffix(".csv")), "The table to write.")
_COLUMNS = ("set", "model", "pictures", "max_f", "max_f_interval", "mae", "mae_interval")
_RESAMPLINGS = 2000
_SHOWN = 20


def main(_):
    data = pathlib.Path(_DATA.value)
    sets = {
        "PASCAL-S": find_pairs([data / "pascal_s_200"]),
        "ECSSD": find_pairs([data / "ecssd_150"]),
        "unseen horses": split_pairs(find_pairs([data / "weizmann_horses"]), 0.5)[1],
    }
    predictors = {model: Predictor(model) for model in each_file(_MODELS.value)}
    rows, columns = [], ["picture", "ground truth", *(pathlib.Path(name).name for name in predictors)]
    everything = [(name, pair) for name, pairs in sets.items() for pair in pairs]
    shown = set(np.random.default_rng(0).choice(len(everything), _SHOWN, replace=False).tolist())
    scores = {(name, model): [] for name in sets for model in predictors}
    for number, (name, pair) in enumerate(tqdm(everything, unit="picture")):
        picture, mask = read_pair(pair)
        maps = {model: predictor.predict(picture) for model, predictor in predictors.items()}
        for model, saliency_map in maps.items():
            scores[name, model].append(score(saliency_map, mask))
        if number in shown:
            drawn = [compositing.grey(saliency_map) for saliency_map in maps.values()]
            rows.append((f"{name}\n{pair.stem}", [picture, mask, *drawn]))
    write(_CSV.value, {key: [len(found), *interval(found)] for key, found in scores.items()})
    if _SHEET.value:
        contact_sheet(_SHEET.value, rows, columns)


def each_file(models):
    """Models, with all files of a network in the place of its name, which would stand for the best of them alone."""
    found = []
    for model in models or preset_names():
        files = preset(model)["files"] if model in preset_names() else ()
        found += [f"{model}_{kind}" for kind in files] or [model]
    return list(dict.fromkeys(found))


def write(path, values):
    """Writes rows by (set, model's name), in the place of those that the file has of these, sorted."""
    rows = {}
    if pathlib.Path(path).exists():
        with open(path, newline="", encoding="utf-8") as file:
            rows = {(row["set"], row["model"]): row for row in csv.DictReader(file)}
    for (name, model), measured in values.items():
        model = pathlib.Path(model).name
        rows[name, model] = dict(zip(_COLUMNS, (name, model, *measured), strict=True))
    order = list(dict.fromkeys(name for name, _ in [*values, *rows]))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows, key=lambda key: (order.index(key[0]), key[1])))


def score(saliency_map, mask):
    """Of one picture: precision and recall at 256 thresholds, and mean absolute error, `[513]`."""
    pair = ScoredMap(saliency_map, mask)
    found = FMeasure().score(pair)
    return np.concatenate([found["precision"], found["recall"], [MeanAbsoluteError().score(pair)["mae"]]])


def interval(found):
    """maxF with its interval, and MAE with its, as texts."""
    found, rng = np.array(found), np.random.default_rng(0)
    samples = np.array([found[rng.integers(len(found), size=len(found))].mean(0) for _ in range(_RESAMPLINGS)])
    texts = []
    for value in (max_f, lambda means: means[..., -1]):
        low, high = np.percentile(value(samples), (2.5, 97.5))
        texts += [f"{value(found.mean(0)):.4f}", f"{low:.3f}–{high:.3f}"]
    return texts


def max_f(means):
    """The largest F over the thresholds, of mean precisions and recalls `[..., 513]`."""
    precision, recall = means[..., :256], means[..., 256:512]
    return (1.3 * precision * recall / (0.3 * precision + recall)).max(-1)


if __name__ == "__main__":
    app.run(main)
