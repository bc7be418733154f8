"""Times our metrics against PySODMetrics' on the same pairs, on one core, in one run.

    python training/benchmarks/metrics_speed.py --maps=MAPS --masks=MASKS

Without folders it draws pairs of PASCAL-S's usual size from a seed. Each side scores every pair in turn, metric by
metric as its documentation shows; reading files is not timed. Times are CPU seconds of the process, which other
programs on the machine disturb less than the clock. The scores of both sides are compared before anything is printed.
A row is added to metrics_speed.csv beside this file.
"""

import csv
import pathlib
import time

import cv2
import numpy as np
import py_sod_metrics
from absl import app, flags

from sodkeras.metrics import METRICS, Evaluator
from sodkeras.tflite.timing.benchmark import cpu_model

_MAPS = flags.DEFINE_string("maps", None, "A folder of 8-bit maps.")
_MASKS = flags.DEFINE_string("masks", None, "A folder of masks with the same names.")
_PAIRS = flags.DEFINE_integer("pairs", 50, "How many pairs to score.", lower_bound=1)
_CSV = pathlib.Path(__file__).with_suffix(".csv")

#: What both sides have.
COMMON = ("mae", "f_per_image", "s", "e", "weighted_f")


def main(argv):
    del argv
    cv2.setNumThreads(1)
    pairs = read_pairs(_MAPS.value, _MASKS.value, _PAIRS.value) if _MAPS.value else draw_pairs(_PAIRS.value)
    theirs, their_scores = timed(score_with_pysodmetrics, pairs)
    same, our_scores = timed(score_with_sodkeras, pairs, COMMON)
    everything, _ = timed(score_with_sodkeras, pairs, tuple(METRICS))
    difference = max(abs(our_scores[name] - their_scores[name]) for name in their_scores)
    if not difference < 1e-6:
        raise SystemExit(f"The two sides do not agree. Received: a difference of {difference}")
    row = {
        "cpu": cpu_model(),
        "cores": 1,
        "pairs": len(pairs),
        "source": "files" if _MAPS.value else "drawn",
        "megapixels": round(sum(mask.size for _, mask in pairs) / 1e6, 2),
        "pysodmetrics_ms": round(theirs / len(pairs) * 1e3, 2),
        "same_metrics_ms": round(same / len(pairs) * 1e3, 2),
        "all_metrics_ms": round(everything / len(pairs) * 1e3, 2),
        "ratio_same_metrics": round(theirs / same, 2),
        "ratio_all_metrics": round(theirs / everything, 2),
        "largest_difference": f"{difference:.1e}",
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    for name, value in row.items():
        print(f"{name:>20}  {value}")
    is_new = not _CSV.exists()
    with _CSV.open("a", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def timed(score, pairs, *arguments):
    """CPU seconds, the better of two runs, and the scores."""
    seconds = []
    for _ in range(2):
        start = time.process_time()
        scores = score(pairs, *arguments)
        seconds.append(time.process_time() - start)
    return min(seconds), scores


def score_with_sodkeras(pairs, metrics):
    evaluator = Evaluator(metrics)
    for saliency_map, mask in pairs:
        evaluator.update(saliency_map, mask)
    return evaluator.result()


def score_with_pysodmetrics(pairs):
    f = py_sod_metrics.FmeasureHandler(with_dynamic=True, with_adaptive=True, beta=0.3)
    metrics = {
        "mae": py_sod_metrics.MAE(),
        "f": py_sod_metrics.FmeasureV2({"f": f}),
        "s": py_sod_metrics.Smeasure(),
        "e": py_sod_metrics.Emeasure(),
        "weighted_f": py_sod_metrics.WeightedFmeasure(),
    }
    for saliency_map, mask in pairs:
        values, salient = saliency_map / 255, mask > 127
        for metric in metrics.values():
            metric.step(values, salient, normalize=False)
    results = {name: metric.get_results() for name, metric in metrics.items()}
    return {
        "mae": results["mae"]["mae"],
        "max_f_per_image": results["f"]["f"]["dynamic"].max(),
        "adaptive_f": results["f"]["f"]["adaptive"],
        "s": results["s"]["sm"],
        "max_e": results["e"]["em"]["curve"].max(),
        "adaptive_e": results["e"]["em"]["adp"],
        "weighted_f": results["weighted_f"]["wfm"],
    }


def read_pairs(maps, masks, count):
    paths = sorted(pathlib.Path(maps).glob("*.png"))
    pairs = []
    for path in paths[:: max(len(paths) // count, 1)][:count]:
        mask = pathlib.Path(masks) / path.name
        pairs.append(tuple(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in (path, mask)))
    return pairs


def draw_pairs(count, size=(375, 500)):
    """Ellipses as masks; as maps the same ellipses moved, softened and disturbed by smooth noise."""
    rng = np.random.default_rng(0)
    height, width = size
    pairs = []
    for _ in range(count):
        mask = np.zeros(size, np.uint8)
        centre = (int(rng.integers(width // 4, 3 * width // 4)), int(rng.integers(height // 4, 3 * height // 4)))
        axes = (int(rng.integers(20, width // 4)), int(rng.integers(20, height // 4)))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
        soft = cv2.GaussianBlur(np.roll(mask, rng.integers(-15, 15, 2), (0, 1)), (0, 0), float(rng.uniform(1, 8)))
        noise = cv2.GaussianBlur(rng.normal(0, 300, size), (0, 0), 6)
        pairs.append((np.clip(soft + noise, 0, 255).astype(np.uint8), mask))
    return pairs


if __name__ == "__main__":
    app.run(main)
