"""What `sodkeras predict` makes of a folder of odd pictures, and how much memory it takes.

usage: python tflite/benchmarks/odd_pictures.py [--csv=tflite/benchmarks/odd_pictures.csv] [--keep=DIR]

The pictures are made here: every kind × turn × transparency; one of 108 megapixels as phones take them, one long strip;
files that are cut, damaged, empty, or say to be larger than any memory. Two of them are good photos, the first and the
last. In a process of its own; the peak is of its resident memory, as the kernel counts it.
"""

import csv
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import zlib

import cv2
import numpy as np
from absl import app, flags
from PIL import Image

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("csv", str(HERE / "odd_pictures.csv"), "The table to write.")
flags.DEFINE_string("keep", None, "A folder for the pictures and the maps; by default they are removed.")


def main(_):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(FLAGS.keep or temporary)
        good, bad = write_pictures(folder / "pictures")
        command = [sys.executable, "-m", "sodkeras", "predict", folder / "pictures"]
        command += [f"--out={folder / 'maps'}", "--write=map,overlay,cutout"]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        named = sum(" failed: " in line for line in child.stderr.splitlines())
        results = list((folder / "maps").glob("*.png"))
    row = {
        "pictures": good + bad,
        "good": good,
        "done": len(results) // 3,
        "named_as_bad": named,
        "exit_code": child.returncode,
        "peak_mb": round(peak / 1e6),
    }
    with open(FLAGS.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)
    print(child.stderr.split("\n", 1)[-1] if (row["done"], named) != (good, bad) else "all as it should be")
    print(pathlib.Path(FLAGS.csv).read_text(encoding="utf-8"))
    return 0 if (row["done"], named) == (good, bad) else 1


def write_pictures(folder):
    """Returns how many can be read, and how many cannot."""
    folder.mkdir(parents=True)
    photo = Image.open(HERE.parent.parent / "examples" / "cat.jpg").convert("RGB")
    alpha = Image.linear_gradient("L").resize(photo.size)
    photo.save(folder / "000_first.jpg")
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        for kind in ("png", "tif", "webp", "avif"):
            photo.save(folder / f"{kind}_{turn}.{kind}", exif=exif.tobytes())
            layered = photo.copy()
            layered.putalpha(alpha)
            layered.save(folder / f"{kind}_{turn}_alpha.{kind}", exif=exif.tobytes())
        photo.save(folder / f"jpg_{turn}.jpg", exif=exif.tobytes(), progressive=turn % 2 == 0)
    for kind in ("gif", "bmp", "tga", "ppm", "jp2", "pcx", "dib", "jfif"):
        photo.save(folder / f"kind.{kind}")
    for mode in ("L", "LA", "1", "P", "I;16", "CMYK"):
        photo.convert("L" if mode == "I;16" else mode).convert(mode).save(
            folder / f"mode_{mode.replace(';', '')}.{'jpg' if mode == 'CMYK' else 'png'}"
        )
    for height, width in ((1, 1), (1, 4000), (4000, 1), (3, 2), (16, 20000)):
        Image.new("RGB", (width, height), (200, 30, 30)).save(folder / f"size_{height}_{width}.png")
    # As the cameras of phones take them at full size.
    photo.resize((12000, 9000)).save(folder / "108_megapixels.jpg", quality=90)
    photo.resize((12000, 9000)).save(folder / "108_megapixels_progressive.jpg", quality=80, progressive=True)
    Image.new("RGBA", (10000, 10000), (9, 90, 9, 128)).save(folder / "100_megapixels.png", compress_level=1)
    photo.save(folder / "zzz_last.jpg")
    good = len(list(folder.iterdir()))
    content = (folder / "000_first.jpg").read_bytes()
    for index in range(16):
        (folder / f"bad_cut_{index}.jpg").write_bytes(content[: len(content) * (index + 1) // 20] + b"\xff\xd9")
    for kind in ("png", "tif", "webp", "avif", "gif", "bmp", "tga", "ppm", "jp2", "pcx"):
        name = f"{kind}_1.{kind}" if (folder / f"{kind}_1.{kind}").exists() else f"kind.{kind}"
        content = (folder / name).read_bytes()
        (folder / f"bad_half.{kind}").write_bytes(content[: len(content) // 2])
        (folder / f"bad_text.{kind}").write_bytes(b"this is a text")
    for name, content in bombs().items():
        (folder / f"bad_{name}").write_bytes(content)
    (folder / "bad_empty.png").touch()
    return good, len(list(folder.iterdir())) - good


def bombs():
    """Small files that say to hold up to four gigapixels."""
    small = np.zeros((8, 8, 3), np.uint8)
    jpeg = bytearray(cv2.imencode(".jpg", small)[1].tobytes())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 30000, 30000)
    made = {"30000.jpg": bytes(jpeg)}
    for size in (20000, 65000):
        png = bytearray(cv2.imencode(".png", small)[1].tobytes())
        png[16:24] = struct.pack(">II", size, size)
        png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
        made[f"{size}.png"] = bytes(png)
        bmp = bytearray(cv2.imencode(".bmp", small)[1].tobytes())
        bmp[18:26] = struct.pack("<ii", size, size)
        made[f"{size}.bmp"] = bytes(bmp)
    made["gif.gif"] = (
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0"
    )
    return made


if __name__ == "__main__":
    app.run(main)
