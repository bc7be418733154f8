"""What quantization-aware training gains over converting, on PASCAL-S: float, converted int8, trained int8.

usage: python tflite/benchmarks/quantization_aware.py --model=MODEL --pictures=FOLDER --data=FOLDER --out=FOLDER
           [--flag=value]

MODEL is a preset's name or a .keras file; --pictures are learned from without masks (the network's own float maps) and
calibrate; --data holds images/ and masks/ to score on, at > 127. maxF is from precision and recall averaged over the
pictures first. The time is int8's as a share of float's, one thread, in one run. --out is kept: an interrupted call
goes on. The rows of the network are replaced in the table.
"""

import csv
import pathlib

from absl import app, flags

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "A preset's name or a .keras file.", required=True)
flags.DEFINE_string("pictures", None, "A folder of pictures to learn from and calibrate with.", required=True)
flags.DEFINE_string("data", None, "The folder with images/ and masks/.", required=True)
flags.DEFINE_string("out", None, "Where the files and the training's state go.", required=True)
flags.DEFINE_integer("limit", 100, "Pictures to learn from, evenly spread.", lower_bound=8)
flags.DEFINE_integer("steps", 400, "Batches to learn from.", lower_bound=1)
flags.DEFINE_integer("batch", 4, "Pictures in each.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-4, "Of Adam, at the start.")
flags.DEFINE_string("csv", str(HERE / "quantization_aware.csv"), "The table to write.")

COLUMNS = ["network", "numerics", "max_f", "mae", "time_to_float", "delegation", "pictures", "learned_from", "steps"]


def main(_):
    from sodkeras.data import find_pairs
    from sodkeras.pictures import find_pictures, read_picture
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.check.partitions import count_partitions
    from sodkeras.tflite.convert import convert
    from sodkeras.tflite.quantize_train import quantize_train
    from sodkeras.tflite.timing.benchmark import benchmark

    out = pathlib.Path(FLAGS.out)
    found = find_pictures([FLAGS.pictures])
    pictures = [str(path) for path in found[:: max(1, -(-len(found) // FLAGS.limit))]]
    paths = dict(
        zip(
            ["float32", "static_wi8_ai8, converted"],
            convert(FLAGS.model, out / "converted", ["float32", "int8"], pictures),
            strict=True,
        )
    )
    paths["static_wi8_ai8, trained"], _ = quantize_train(
        FLAGS.model,
        out / "trained",
        pictures=pictures,
        steps=FLAGS.steps,
        batch=FLAGS.batch,
        learning_rate=FLAGS.learning_rate,
    )
    pairs = find_pairs(FLAGS.data)
    picture = read_picture(pairs[0].picture)
    rows, float_ms = [], None
    for numerics, path in paths.items():
        runtime = LiteRTRuntime(path)
        milliseconds = benchmark(path, [picture], runs=20, warmup=3)["inference_median_ms"]
        float_ms = float_ms or milliseconds
        row = {"network": runtime.name, "numerics": numerics, "pictures": len(pairs)} | _score(runtime, pairs)
        row |= {"time_to_float": f"{milliseconds / float_ms:.2f}"}
        row |= {"delegation": str(count_partitions(runtime.interpreter))}
        if numerics.endswith("trained"):
            row |= {"learned_from": len(pictures), "steps": FLAGS.steps}
        rows.append(row)
    _write(rows)
    print(pathlib.Path(FLAGS.csv).read_text(encoding="utf-8"))


def _score(runtime, pairs):
    from tqdm import tqdm

    from sodkeras.data.samples import read_mask_of
    from sodkeras.metrics import Evaluator
    from sodkeras.pictures import read_picture

    evaluator = Evaluator(["mae", "f"])
    for pair in tqdm(pairs, desc=runtime.numerics, unit="picture"):
        picture = read_picture(pair.picture)
        batch = runtime.preprocessing(picture)
        evaluator.update(
            runtime.preprocessing.restore(runtime(batch)[0], picture.shape[:2]),
            read_mask_of(pair),
        )
    result = evaluator.result()
    return {"max_f": f"{result['max_f']:.4f}", "mae": f"{result['mae']:.4f}"}


def _write(rows):
    path = pathlib.Path(FLAGS.csv)
    kept = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            kept = [row for row in csv.DictReader(file) if row["network"] != rows[0]["network"]]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


if __name__ == "__main__":
    app.run(main)
