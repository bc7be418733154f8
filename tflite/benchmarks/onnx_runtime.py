"""U²-Net† through LiteRT and through ONNX Runtime with the released file, one thread, in one run.

usage: python tflite/benchmarks/onnx_runtime.py [--rounds=30] [--csv=tflite/benchmarks/onnx_runtime.csv]

The two take turns, so that a change of the machine's speed meets both; what counts is the ratio of the medians. Needs
the extra `onnx`.
"""

import csv
import pathlib
import tempfile
import time

import numpy as np
from absl import app, flags

from sodkeras import weights
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.check.partitions import count_partitions
from sodkeras.tflite.convert import convert
from sodkeras.tflite.timing.benchmark import cpu_model

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 30, "Measured rounds.", lower_bound=3)
flags.DEFINE_string("csv", str(HERE / "onnx_runtime.csv"), "The table to write.")


def main(_):
    import onnxruntime

    onnx_path = weights.fetch_original("u2netp")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(onnx_path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    with tempfile.TemporaryDirectory() as folder:
        numerics = ["float32", "static_wi8_ai8"]
        paths = convert("u2netp", folder, numerics, calibration=HERE.parent.parent / "examples")
        runtimes = {kind: LiteRTRuntime(path, threads=1) for kind, path in zip(numerics, paths, strict=True)}
    batch = np.random.default_rng(0).normal(size=(1, 320, 320, 3)).astype("float32")
    planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    # The released file computes all seven maps; only the first is asked for here, as from the .tflite file.
    contenders = {"ONNX Runtime": lambda: session.run([session.get_outputs()[0].name], {name: planes})}
    contenders |= {f"LiteRT {kind}": lambda runtime=runtime: runtime(batch) for kind, runtime in runtimes.items()}
    times = {label: [] for label in contenders}
    for turn in range(FLAGS.rounds + 3):
        for label, run in contenders.items():
            start = time.perf_counter()
            run()
            if turn >= 3:
                times[label].append(1e3 * (time.perf_counter() - start))
    baseline = float(np.median(times["ONNX Runtime"]))
    rows = []
    for label, values in times.items():
        runtime = runtimes.get(label.removeprefix("LiteRT "))
        rows.append(
            {
                "runtime": label,
                "median_ms": round(float(np.median(values)), 1),
                "p90_ms": round(float(np.percentile(values, 90)), 1),
                "ratio_to_onnx_runtime": round(float(np.median(values)) / baseline, 3),
                "delegation": count_partitions(runtime.interpreter) if runtime else "",
                "rounds": FLAGS.rounds,
                "threads": 1,
                "cpu": cpu_model(),
                "versions": f"onnxruntime {onnxruntime.__version__}",
            }
        )
        print(f"{label:<24} median {rows[-1]['median_ms']:7.1f} ms, ratio {rows[-1]['ratio_to_onnx_runtime']:.2f}")
    with open(FLAGS.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    app.run(main)
