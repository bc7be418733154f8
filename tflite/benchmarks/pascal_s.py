"""U²-Net† on PASCAL-S through Keras, LiteRT and ONNX Runtime: the same scores, or what a conversion costs.

usage: python tflite/benchmarks/pascal_s.py --data=FOLDER --calibrate=FOLDER [--csv=tflite/benchmarks/pascal_s.csv]

FOLDER holds images/ and masks/. Maps are scored in 8 bit at the picture's own size against masks at > 127; maxF is from
precision and recall averaged over the pictures first (β² = 0.3), as in the papers. Needs the extra `onnx`.
"""

import csv
import pathlib
import tempfile

from absl import app, flags
from tqdm import tqdm

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "The folder with images/ and masks/.", required=True)
flags.DEFINE_string(
    "calibrate", None, "Pictures to calibrate the 8-bit network with; not those of --data.", required=True
)
flags.DEFINE_integer("limit", 40, "Calibration pictures.", lower_bound=1)
flags.DEFINE_string("csv", str(HERE / "pascal_s.csv"), "The table to write.")


class OnnxRuntime:
    """The released file behind the interface of `sodkeras.runtimes`."""

    def __init__(self, path, preprocessing):
        import onnxruntime

        self.preprocessing = preprocessing
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def __call__(self, batch):
        return self._session.run(None, {self._session.get_inputs()[0].name: batch.transpose(0, 3, 1, 2)})[0][:, 0]


def main(_):
    from sodkeras import weights
    from sodkeras.metrics import Evaluator
    from sodkeras.pictures import find_pictures, read_picture
    from sodkeras.pictures.masks import read_mask
    from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
    from sodkeras.tflite.convert import convert

    keras_runtime = KerasRuntime(weights.load_model("u2netp"))
    numerics = ["float32", "dynamic_wi8_afp32", "static_wi8_ai8"]
    with tempfile.TemporaryDirectory() as folder:
        paths = convert("u2netp", folder, numerics, FLAGS.calibrate, limit=FLAGS.limit)
        runtimes = {f"LiteRT {kind}": LiteRTRuntime(path) for kind, path in zip(numerics, paths, strict=True)}
    preprocessing = keras_runtime.preprocessing
    runtimes = {
        "ONNX Runtime, the released file": OnnxRuntime(weights.fetch_original("u2netp"), preprocessing),
        "Keras": keras_runtime,
        **runtimes,
    }
    data = pathlib.Path(FLAGS.data)
    evaluators = {name: Evaluator(["mae", "f"]) for name in runtimes}
    without_empty = {name: Evaluator(["f"], count_empty_masks=False) for name in runtimes}
    for path in tqdm(find_pictures([data / "images"]), unit="picture"):
        picture = read_picture(path)
        mask = read_mask(data / "masks" / f"{path.stem}.png")
        batch = preprocessing(picture)
        for name, runtime in runtimes.items():
            saliency_map = preprocessing.restore(runtime(batch)[0], picture.shape[:2])
            evaluators[name].update(saliency_map, mask)
            without_empty[name].update(saliency_map, mask)
    with open(FLAGS.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "max_f", "max_f_without_empty_mask", "mae", "pictures", "calibration_pictures"])
        for name, evaluator in evaluators.items():
            result = evaluator.result()
            writer.writerow(
                [
                    name,
                    f"{result['max_f']:.4f}",
                    f"{without_empty[name].result()['max_f']:.4f}",
                    f"{result['mae']:.4f}",
                    evaluator.pictures,
                    FLAGS.limit if "static" in name else "",
                ]
            )
    print(pathlib.Path(FLAGS.csv).read_text(encoding="utf-8"))


if __name__ == "__main__":
    app.run(main)
