"""Packs a data set for gpu_train.py, small, in parts: for a machine that takes a few dozen MB at a time.

usage: python training/weights/gpu_pack.py --data=DUTS-TR --out=FOLDER [--size=224] [--quality=80] [--largest=48]

Pictures become WebP of --quality, masks WebP without loss, 8-bit grey. DUTS-TR makes two parts of 45 MB at 80; at 85 it
is a fifth more. Pairs that chain.py keeps out of every training come along, marked. part0.npz, part1.npz … each hold a
stretch of the pairs, in the order of `find_pairs`:

    pictures, masks              the files' bytes, uint8, one behind the other
    picture_bytes, mask_bytes    how many each has, int64 `[N]`
    stems                        the pairs' names, UTF-8, a line each
    kept                         bool `[N]`
    size, first, total           the side in pixels, the first pair's number, and how many pairs all parts have
"""

import concurrent.futures
import itertools
import pathlib

import cv2
import numpy as np
from absl import app, flags
from chain import kept

from sodkeras.data import find_pairs
from sodkeras.data.augmentation import resize_picture
from sodkeras.data.samples import read_pair
from sodkeras.files import whole_file
from sodkeras.preprocessing import Preprocessing

_LOSSLESS = 101  # as OpenCV asks for it


def pack(pairs, out, size, quality, largest):
    """Writes the parts.

    Args:
        pairs: a list of `sodkeras.data.Pair`.
        out: the folder for them.
        size: the side in pixels, of pictures and masks.
        quality: of the pictures, from 1 to 100.
        largest: bytes that a part may have.

    Returns:
        Their paths.

    Raises:
        ValueError: if a part became too large all the same.
    """

    def files(pair):
        picture, mask = read_pair(pair)
        picture = resize_picture(picture, Preprocessing((size, size), interpolation="area"))
        mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
        return _webp(picture[..., ::-1], quality), _webp(np.repeat(mask[..., None], 3, -1), _LOSSLESS)

    with concurrent.futures.ThreadPoolExecutor() as executor:
        packed = list(executor.map(files, pairs))
    ends = np.cumsum([len(picture) + len(mask) for picture, mask in packed])
    # A few bytes a pair for its name and lengths, and parts are cut between pairs.
    parts = int(np.ceil(ends[-1] / (0.99 * largest)))
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts).tolist()
    paths = []
    for number, (start, stop) in enumerate(itertools.pairwise(sorted({0, *cuts, len(pairs)}))):
        pictures, masks = zip(*packed[start:stop], strict=True)
        paths.append(pathlib.Path(out) / f"part{number}.npz")
        with whole_file(paths[-1]) as temporary:
            np.savez_compressed(
                temporary,
                pictures=np.concatenate(pictures),
                masks=np.concatenate(masks),
                picture_bytes=[len(content) for content in pictures],
                mask_bytes=[len(content) for content in masks],
                stems=np.frombuffer("\n".join(pair.stem for pair in pairs[start:stop]).encode(), np.uint8),
                kept=[kept(pair) for pair in pairs[start:stop]],
                size=size,
                first=start,
                total=len(pairs),
            )
        written = paths[-1].stat().st_size
        if written > largest:
            raise ValueError(
                f"A part has {largest:,} bytes at most; give --largest for more. Received: {paths[-1]}, {written:,}"
            )
    return paths


def _webp(picture, quality):
    return cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].reshape(-1)


def main(_):
    pairs = find_pairs([FLAGS.data])
    for path in pack(pairs, FLAGS.out, FLAGS.size, FLAGS.quality, FLAGS.largest * 1e6):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    print(f"{len(pairs):,} pairs, of which {sum(map(kept, pairs)):,} are kept out of training")


if __name__ == "__main__":
    FLAGS = flags.FLAGS
    flags.DEFINE_string("data", None, "The folder of DUTS-TR.", required=True)
    flags.DEFINE_string("out", None, "The folder for the parts.", required=True)
    flags.DEFINE_integer("size", 224, "The pictures' side in pixels.", lower_bound=16)
    flags.DEFINE_integer("quality", 80, "Of the pictures, in WebP.", lower_bound=1, upper_bound=100)
    flags.DEFINE_float("largest", 48, "MB (10⁶ bytes) that a part may have.", lower_bound=0.001)
    app.run(main)
