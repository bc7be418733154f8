"""Every network at its full size, converted: delegation, size, difference of float from Keras, time of 8 bits to float.

usage: python tflite/benchmarks/conversions.py [--networks=dnl,cii_r50,…] [--csv=tflite/benchmarks/conversions.csv]

The weights are random, and batch norms have the statistics of the photos in examples/: what a file costs and whether it
computes what Keras computes can be seen from that; how well 8 bits serve a trained network can not. Rows are added to
the table as they are made; those of the same network are replaced.
"""

import csv
import pathlib
import tempfile
import time

from absl import app, flags

ROOT = pathlib.Path(__file__).parents[2]
FLAGS = flags.FLAGS
#: Class, arguments; DNL's softmax is softened, for at random weights it is a hard maximum, where floats prove nothing.
NETWORKS = {
    "csnet_x1": ("CSNet", {"width": 1.0}),
    "u2netp": ("U2Net", {"variant": "small"}),
    "dnl": ("DNL", {"attention_scale": 0.05}),
    "cii_r18": ("CII", {"depth": 18}),
    "cii_r50": ("CII", {"depth": 50}),
    "csf_resnet50": ("CSFResNet", {"backbone": "resnet", "freeze_batch_norm": False}),
    "csf_res2net50": ("CSFResNet", {"backbone": "res2net", "freeze_batch_norm": False}),
}
flags.DEFINE_list("networks", list(NETWORKS), "Which.")
flags.DEFINE_string("csv", str(ROOT / "tflite/benchmarks/conversions.csv"), "The table.")


def measure(name, photos, folder):
    """The row of one network."""
    import keras
    import numpy as np

    from sodkeras import models
    from sodkeras.pictures import read_picture
    from sodkeras.pruning import re_estimate_statistics
    from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
    from sodkeras.tflite.check.agreement import compare
    from sodkeras.tflite.convert import convert
    from sodkeras.tflite.timing.benchmark import benchmark

    kind, arguments = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model = models.MODELS[kind](**arguments)
    pictures = [(path.name, read_picture(path)) for path in photos]
    batch = np.concatenate([model.preprocessing(picture) for _, picture in pictures])
    re_estimate_statistics(model, [batch])
    start = time.monotonic()
    float32, int8 = convert(model, folder, ["float32", "static_wi8_ai8"], [str(path) for path in photos])
    seconds = time.monotonic() - start
    summary = compare(KerasRuntime(model), LiteRTRuntime(float32), pictures).summary()
    rows = [benchmark(path, [pictures[0][1]], threads=1, runs=10, warmup=2) for path in (float32, int8)]
    return {
        "network": name,
        "size": rows[0]["size"],
        "float_megabytes": rows[0]["megabytes"],
        "int8_megabytes": rows[1]["megabytes"],
        "float_delegation": rows[0]["delegation"],
        "int8_delegation": rows[1]["delegation"],
        "float_largest_difference": f"{summary['largest']:.2g}",
        "int8_time_to_float": f"{rows[1]['inference_median_ms'] / rows[0]['inference_median_ms']:.2f}",
        "float_ms": rows[0]["inference_median_ms"],
        "conversion_seconds": round(seconds),
        "cpu": rows[0]["cpu"],
    }


def main(_):
    photos = sorted((ROOT / "examples").glob("*.jpg"))
    table = pathlib.Path(FLAGS.csv)
    rows = {}
    if table.exists():
        with table.open(encoding="utf-8") as file:
            rows = {row["network"]: row for row in csv.DictReader(file)}
    for name in FLAGS.networks:
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = measure(name, photos, folder)
        print(rows[name], flush=True)
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[name], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())


if __name__ == "__main__":
    app.run(main)
