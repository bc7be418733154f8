"""How far each runtime's float32 is from float64: the floor under every comparison of U²-Net† maps.

usage: python tflite/benchmarks/float_noise.py [--pictures=FOLDER]

Keras in float64 is the reference; the largest absolute difference of any pixel of the saliency map, over all pictures,
is printed for Keras, LiteRT and ONNX Runtime in float32. Needs the extra `onnx`.
"""

import csv
import pathlib
import tempfile

import numpy as np
from absl import app, flags

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_list("pictures", [str(HERE.parent.parent / "examples")], "Files, folders or globs of pictures.")
flags.DEFINE_string("csv", str(HERE / "float_noise.csv"), "The table to write.")


def main(_):
    import keras
    import onnxruntime

    from sodkeras import weights
    from sodkeras.pictures import find_pictures, read_picture
    from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
    from sodkeras.tflite.convert import convert

    single = KerasRuntime(weights.load_model("u2netp"))
    keras.config.set_dtype_policy("float64")
    double = KerasRuntime(weights.load_model("u2netp"))
    keras.config.set_dtype_policy("float32")
    session = onnxruntime.InferenceSession(str(weights.fetch_original("u2netp")), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    with tempfile.TemporaryDirectory() as folder:
        lite = LiteRTRuntime(convert("u2netp", folder)[0])
    contenders = {
        "Keras": single,
        "LiteRT": lite,
        "ONNX Runtime": lambda batch: session.run(None, {name: batch.transpose(0, 3, 1, 2)})[0][:, 0],
    }
    pictures = find_pictures(FLAGS.pictures)
    largest = dict.fromkeys(contenders, 0.0)
    mean = dict.fromkeys(contenders, 0.0)
    for path in pictures:
        batch = single.preprocessing(read_picture(path))
        exact = double(batch.astype("float64"))
        for label, run in contenders.items():
            difference = np.abs(run(batch) - exact)
            largest[label] = max(largest[label], float(difference.max()))
            mean[label] = max(mean[label], float(difference.mean()))
    with open(FLAGS.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["runtime", "largest_difference_from_float64", "largest_mean_difference", "pictures"])
        for label in contenders:
            row = [label, f"{largest[label]:.2e}", f"{mean[label]:.2e}", len(pictures)]
            writer.writerow(row)
            print("{:<14} largest {}, mean {}, {} pictures".format(*row))


if __name__ == "__main__":
    app.run(main)
