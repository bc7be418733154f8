"""Writes the arrays that the Android demo's Java is compared with: what sodkeras makes of the same pictures.

usage: python tests/android_demo/make_goldens.py

OpenCV's own code resizes floats the same everywhere; with Intel's library, which its x86 builds call instead, maps move
by up to 1e-5. So the library is off here, and the test says how far off it is.
"""

import csv
import hashlib
import io
import itertools
import json
import pathlib

import cv2
import numpy as np

from sodkeras import Preprocessing
from sodkeras.pictures import CutOut, Photo, compositing
from sodkeras.runtimes import _dequantize, _quantize
from sodkeras.tflite.timing.benchmark import COLUMNS

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "android_demo/core/src/test/resources/goldens"
SIZE = (24, 32)
COLOUR = (10, 200, 90)

#: Name to picture size, preprocessing, input type, scale and zero point, output type, scale and zero point. The
#: scales of the first are those that `sodkeras convert` gave U²-Net†.
CASES = {
    "dark_int8": ((61, 83), {"divisor": "maximum"}, ("int8", 0.018658, -14), ("int8", 0.00390625, -128)),
    "enlarged_float32": ((20, 17), {}, ("float32", 0.0, 0), ("float32", 0.0, 0)),
    "halved_uint8": ((48, 64), {"divisor": "maximum"}, ("uint8", 0.0187, 114), ("uint8", 0.00390625, 0)),
    "flat_int8": ((7, 201), {}, ("int8", 0.02, -10), ("int8", 0.00390625, -128)),
    "area_float32": ((50, 70), {"interpolation": "area"}, ("float32", 0.0, 0), ("float32", 0.0, 0)),
}
#: Picture and network sizes for pictures that both languages compute: too large, or too many, to keep.
LARGE = [((480, 640), (320, 320)), ((3000, 4000), (320, 320)), ((1280, 960), (224, 224)), ((640, 640), (320, 320))]
RANDOM_SIZES = 60


def write(folder):
    """Writes all files to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    intel = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        for seed, (name, case) in enumerate(CASES.items()):
            _write_case(folder, name, np.random.default_rng(seed), *case)
        _write_frame(folder, np.random.default_rng(100))
        _write_sizes(folder, np.random.default_rng(102))
        _write_benchmark(folder, np.random.default_rng(101))
    finally:
        cv2.ipp.setUseIPP(intel)


def _write_case(folder, name, random, picture_size, settings, input_tensor, output_tensor):
    preprocessing = Preprocessing(size=SIZE, **settings)
    input_details, output_details = _details(*input_tensor), _details(*output_tensor)
    metadata = {
        "name": name,
        "numerics": input_tensor[0],
        "preprocessing": preprocessing.to_dict(),
        "output": "saliency map in [0, 1]",
        "licence": None,
        "input_tensor": _described((1, *SIZE, 3), *input_tensor),
        "output_tensor": _described((1, *SIZE, 1), *output_tensor),
    }
    _write_json(folder / f"{name}.json", metadata)
    picture = random.integers(0, 180 if "dark" in name else 256, (*picture_size, 3), np.uint8)
    if "halved" in name:
        picture //= 2
    output = _quantize(_blob(random), output_details)[None, ..., None]
    saliency_map = preprocessing.restore(_dequantize(output, output_details, is_map=True)[0, ..., 0], picture_size)
    arrays = {
        "picture": picture,
        "input": _quantize(preprocessing(picture), input_details),
        "output": output,
        "map": saliency_map,
        "grey": compositing.grey(saliency_map),
        "overlay": compositing.overlay(picture, saliency_map),
        "raw": CutOut(edges="raw")(Photo(picture), saliency_map),
        "cut_out": CutOut()(Photo(picture), saliency_map),
        "replaced": CutOut(background=COLOUR)(Photo(picture), saliency_map),
        "blurred": CutOut(background="blur")(Photo(picture), saliency_map),
    }
    np.savez_compressed(folder / f"{name}.npz", **{kind: np.ascontiguousarray(array) for kind, array in arrays.items()})


def _details(kind, scale, zero_point):
    return {"dtype": np.dtype(kind).type, "quantization": (float(np.float32(scale)), zero_point)}


def _described(shape, kind, scale, zero_point):
    return {"shape": list(shape), "type": kind, "scale": float(np.float32(scale)), "zero_point": zero_point}


def _blob(random):
    """A map with a salient middle, noise, and both ends of its range."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.hypot((rows - 11) / 9, (columns - 17) / 12)
    noisy = 1.2 - distance + random.normal(0, 0.15, SIZE)
    return np.clip(noisy, 0, 1).astype(np.float32)


def _write_frame(folder, random):
    """A camera's frame as three planes, and OpenCV's colours for it."""
    luma = random.integers(0, 256, (6, 10), np.uint8)
    blue, red = random.integers(0, 256, (2, 3, 5), np.uint8)
    full = [cv2.resize(plane, (10, 6), interpolation=cv2.INTER_NEAREST) for plane in (red, blue)]
    colours = cv2.cvtColor(np.dstack([luma, *full]), cv2.COLOR_YCrCb2RGB)
    np.savez_compressed(folder / "frame.npz", luma=luma, blue=blue, red=red, colours=colours)


def computed_picture(height, width):
    """A picture that Java computes, too: RGB, uint8."""
    y, x, channel = np.ogrid[:height, :width, :3]
    return (((x * 7 + y * 13 + channel * 29) ^ (x * y >> 3)) & 255).astype(np.uint8)


def _write_sizes(folder, random):
    """For many sizes, resized both ways, the digest of the input tensor that the first case's network would get."""
    settings, input_tensor = CASES["dark_int8"][1:3]
    small = [(random.integers(1, 300, 2).tolist(), random.integers(1, 100, 2).tolist()) for _ in range(RANDOM_SIZES)]
    lines = []
    for interpolation, (picture_size, size) in itertools.product(("bilinear", "area"), [*LARGE, *small]):
        batch = Preprocessing(size=size, interpolation=interpolation, **settings)(computed_picture(*picture_size))
        digest = hashlib.sha256(_quantize(batch, _details(*input_tensor)).tobytes()).hexdigest()
        case = {"picture": picture_size, "size": size, "interpolation": interpolation, "sha256": digest}
        lines.append(json.dumps(case))
    (folder / "sizes.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")


def _write_benchmark(folder, random):
    """Times, what NumPy makes of them, and the CSV that `sodkeras benchmark` would write."""
    times = random.gamma(4, 10, 20)
    percentiles = {str(percent): float(np.percentile(times, percent)) for percent in (0, 10, 50, 90, 100)}
    _write_json(folder / "times.json", {"times": times.tolist(), "percentiles": percentiles})
    row = dict.fromkeys(COLUMNS, "")
    row |= {"model": "u2netp", "numerics": "static_wi8_ai8", "size": "320x320", "megabytes": 1.234, "threads": 4}
    row |= {"runs": 20, "pre_median_ms": 1.5, "inference_median_ms": 33.0, "inference_p90_ms": 40.26}
    row |= {"inference_min_ms": 31.5, "post_median_ms": 0.1, "total_median_ms": 34.63, "cpu": 'a "fast" one'}
    row |= {"system": "Android 14 (API 34), a phone"}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    (folder / "benchmark.csv").write_text(text.getvalue(), "utf-8")


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    write(FOLDER)
    print(f"{len(list(FOLDER.iterdir()))} files, {sum(f.stat().st_size for f in FOLDER.iterdir())} bytes in {FOLDER}")
