"""Packs pictures and teacher of own_weights_gpu.py into one file, for a machine without a network.

usage: python benchmarks/own_weights_pack.py --data=FOLDER --out=FILE.npz [--photos=FOLDER] [--teacher=PRESET]

The first FOLDER is that of own_weights.py, and the pairs are the same: what is for validation, PASCAL-S and the other
half of the horses stay behind. Another is what own_photos.py fetched: its photos for training come along. Pictures
become 320×320 WebP, masks by hand PNG. The teacher's kernels are rounded to 8 bits for each output channel, which makes
a quarter of them; its other weights stay as they are.
"""

import io
import json
import pathlib
import zlib

import cv2
import numpy as np
from absl import app, flags
from own_pairs import CROWDED, UNLABELLED, VALIDATION_SHARE, labelled_by_hand

from sodkeras.data import split_pairs
from sodkeras.data.pairs import Pair
from sodkeras.files import whole_file
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.weights import load_model

_DATA = flags.DEFINE_string("data", None, "The folder around the data sets.", required=True)
_PHOTOS = flags.DEFINE_string("photos", None, "What own_photos.py made.")
_OUT = flags.DEFINE_string("out", None, "The file to write.", required=True)
_TEACHER = flags.DEFINE_string("teacher", "u2net", "The preset of the network that labels.")
_SIDE = 320
_QUALITY = 70


def main(_):
    pairs = training_pairs(pathlib.Path(_DATA.value))
    if _PHOTOS.value:
        photos = find_pictures([pathlib.Path(_PHOTOS.value) / "training"])
        pairs += [Pair(photo, None, "photos") for photo in photos]
    pictures, masks = [], []
    for pair in pairs:
        picture = cv2.resize(read_picture(pair.picture), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        pictures.append(encode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]))
        if pair.mask is None:
            masks.append(np.zeros(0, np.uint8))
        else:
            mask = cv2.imread(str(pair.mask), cv2.IMREAD_GRAYSCALE)
            masks.append(encode(".png", cv2.resize(mask, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), []))
    teacher = load_model(_TEACHER.value)
    config = teacher.get_config() | {"name": _TEACHER.value}  # what will be said of the training
    packed = {
        "pictures": np.concatenate(pictures),
        "picture_bytes": [len(content) for content in pictures],
        "masks": np.concatenate(masks),
        "mask_bytes": [len(content) for content in masks],
        "crowded": [pair.set == CROWDED for pair in pairs],
        "teacher": json.dumps({"class": type(teacher).__name__, "config": config}),
    }
    for index, weight in enumerate(teacher.get_weights()):
        if weight.ndim == 4:
            scale = np.maximum(np.abs(weight).max((0, 1, 2)), 1e-30) / 127
            packed[f"scale{index}"] = scale
            weight = np.rint(weight / scale).astype(np.int8)
        packed[f"weight{index}"] = weight
    memory = io.BytesIO()
    np.savez(memory, **packed)
    with whole_file(_OUT.value) as temporary:
        temporary.write_bytes(zlib.compress(memory.getvalue(), 9))
    print(f"{len(pairs)} pictures, {sum(len(mask) > 0 for mask in masks)} with masks")
    for name, part in (("pictures", pictures), ("masks", masks)):
        print(f"{name}: {sum(map(len, part)) / 2**20:.1f} MiB")
    print(f"{_OUT.value}: {pathlib.Path(_OUT.value).stat().st_size / 2**20:.1f} MiB")


def training_pairs(data):
    """What own_weights.py trains on; pairs that the teacher is to label have no mask."""
    unlabelled = [
        Pair(picture, None, name) for name, folder in UNLABELLED.items() for picture in find_pictures([data / folder])
    ]
    return split_pairs([*unlabelled, *labelled_by_hand(data)], VALIDATION_SHARE)[0]


def encode(suffix, picture, arguments):
    return cv2.imencode(suffix, picture, arguments)[1].reshape(-1)


if __name__ == "__main__":
    app.run(main)
