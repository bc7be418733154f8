"""At which size our own networks see best, and how steep their maps should be: on photos kept out of training.

usage: python benchmarks/own_sharpness.py --validation=FILE,… [--models=NAME_OR_FILE,…]

The first FILE is the validation.csv that own_weights.py wrote; another is the pairs.csv of own_photos.py's photos for
validation, once they are labelled. What the teacher is unsure of (a weight under one half) is left out. A network's
logits are multiplied by factors, which changes neither the order of pixels nor the mask at one half, only how grey a
map is, which the mean absolute error counts. For every size and factor it prints the error against the labels as they
are, soft, and cut at > 127, and maxF (mean precision and recall first, β² = 0.3). package_weights.py --size and
--sharpen take what is chosen. Writes own_sharpness.csv beside this file.
"""

import csv
import dataclasses
import pathlib

import cv2
import numpy as np
from absl import app, flags
from own_scores import max_f, score
from tabulate import tabulate

from sodkeras.data import find_pairs
from sodkeras.data.samples import read_pair
from sodkeras.weights import load_model

FLAGS = flags.FLAGS
flags.DEFINE_list("validation", None, "Photos and labels.", required=True)
_SIZES = (192, 224, 256)
_FACTORS = (1.0, 1.5, 2.0, 3.0)
_SURE = 0.5


def main(_):
    pairs = [read_pair(pair) for pair in find_pairs(FLAGS.validation) if pair.weight >= _SURE]
    rows = []
    for name in FLAGS.models:
        model = load_model(name)
        # A DNL with modules takes pictures of one size.
        for size in _SIZES if model.input.shape[1] is None else model.preprocessing.size[:1]:
            maps = [logits(model, picture, label, size) for picture, label in pairs]
            rows += [[pathlib.Path(name).stem, size, factor, *errors(maps, pairs, factor)] for factor in _FACTORS]
    header = ["model", "size", "factor", "mae_soft", "mae_hard", "max_f"]
    with pathlib.Path(__file__).with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    print(tabulate(rows, header))


def logits(model, picture, label, size):
    """Of a picture seen at a size, at its label's size."""
    seen = dataclasses.replace(model.preprocessing, size=(size, size))(picture)
    found = model.predict(seen, verbose=0)["saliency_logits"][0, ..., 0]
    return cv2.resize(found, label.shape[::-1], interpolation=cv2.INTER_LINEAR)


def errors(maps, pairs, factor):
    """Mean absolute errors to soft and to hard labels, and maxF, as texts."""
    soft, scores = [], []
    for found, (_, label) in zip(maps, pairs, strict=True):
        saliency = (1 + np.tanh(factor * found / 2)) / 2  # the sigmoid, without overflow
        soft.append(np.abs(saliency - label / 255).mean())
        scores.append(score(saliency, np.uint8(label > 127) * 255))
    means = np.mean(scores, 0)
    return [f"{value:.4f}" for value in (np.mean(soft), means[-1], max_f(means))]


if __name__ == "__main__":
    FLAGS.set_default("data", "")  # own_scores.py's, which has the scores
    FLAGS.set_default("models", ["csnet_l_x1", "csnet_l_x2"])
    app.run(main)
