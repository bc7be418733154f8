"""The child process of `sodkeras.tflite.convert`: a job as JSON on stdin, the result as JSON on stdout.

Progress is written to the stderr it was started with; what TensorFlow writes there goes to a file in the scratch
folder instead.
"""

import functools
import json
import os
import pathlib
import sys
import traceback

from sodkeras.errors import SodkerasError
from sodkeras.tflite.numerics import needs_calibration


def main():
    job = json.loads(sys.stdin.read())
    answer_to = os.fdopen(os.dup(1), "w")
    progress = os.fdopen(os.dup(2), "w")
    log = os.open(f"{job['scratch']}/log.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        answer = {"results": _convert_all(job, progress)}
    except SodkerasError as error:
        answer = {"error": str(error)}
    except Exception as error:  # the parent prints one sentence; the whole story goes to its stderr on request
        if os.environ.get("SODKERAS_DEBUG"):
            traceback.print_exc(file=progress)
        first_line = str(error).strip().split("\n")[0]
        answer = {"error": f"The conversion failed: {first_line}. Received: {job['source']}"}
    print(json.dumps(answer), file=answer_to, flush=True)


def _convert_all(job, progress):
    say = functools.partial(print, file=progress, flush=True)
    say(f"converting {job['source']}: loading")
    model = _load(job["source"])
    name = model.name.removesuffix("_inference")
    height, width = model.preprocessing.size
    say(f"converting {name}: tracing at {height}x{width}")
    plain = _export(model, model.preprocessing, f"{job['scratch']}/plain")
    equalized = None
    results = {}
    # Equalization changes the weights in place, so what it is for comes last.
    for numerics in sorted(job["numerics"], key=needs_calibration):
        if needs_calibration(numerics) and equalized is None:
            equalized = _equalize(model, job, progress)
        say(f"converting {name}: {numerics}")
        saved_model = equalized if needs_calibration(numerics) else plain
        content = _convert(saved_model, numerics, model.preprocessing, job["pictures"], progress)
        metadata = _metadata(model, job, numerics)
        path = pathlib.Path(job["scratch"]) / f"{name}-{height}x{width}-{numerics}.tflite"
        path.write_bytes(_with_metadata(content, metadata))
        results[numerics] = {"file": path.name, "scratch_file": str(path), "metadata": metadata | _tensors(path)}
    return [results[numerics] for numerics in job["numerics"]]


def _equalize(model, job, progress):
    """A SavedModel of the same function with channels of like range: 8 bits then go further."""
    from tqdm import tqdm

    from sodkeras.flatten import flatten
    from sodkeras.pictures import read_picture
    from sodkeras.tflite.equalize import equalize

    flat = flatten(model, (*model.preprocessing.size, 3))
    pictures = tqdm(job["pictures"], desc="measuring channels", unit="picture", file=progress)
    equalize(flat, (model.preprocessing(read_picture(path)) for path in pictures))
    return _export(flat, model.preprocessing, f"{job['scratch']}/equalized")


def _load(source):
    if source.endswith(".keras"):
        from sodkeras.runtimes import load_keras

        return load_keras(pathlib.Path(source)).inference_model()
    from sodkeras import weights

    return weights.load_model(source).inference_model()


def _export(model, preprocessing, path):
    """Writes a SavedModel with a static batch of one, and returns its path.

    A dynamic batch would leave space-to-batch operators around dilated convolutions, and converting the bare function
    of a Keras 3 model leaves its variables unfrozen.
    """
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = tf.TensorSpec((1, *preprocessing.size, 3), tf.float32, name="picture")
    archive.add_endpoint("serve", lambda picture: model(picture, training=False), input_signature=[signature])
    archive.write_out(path, verbose=False)
    return path


def _convert(saved_model, numerics, preprocessing, pictures, progress):
    import tensorflow as tf
    from tqdm import tqdm

    from sodkeras.pictures import read_picture

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    if numerics != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if numerics == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if needs_calibration(numerics):

        def representative_dataset():
            for path in tqdm(pictures, desc="calibrating", unit="picture", file=progress):
                yield [preprocessing(read_picture(path))]

        converter.representative_dataset = representative_dataset
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return converter.convert()


def _metadata(model, job, numerics):
    import keras
    import tensorflow as tf

    import sodkeras

    return {
        "name": model.name.removesuffix("_inference"),
        "numerics": numerics,
        "preprocessing": model.preprocessing.to_dict(),
        "output": "saliency map in [0, 1]",
        "licence": _licence(job["source"]),
        "calibration_pictures": len(job["pictures"]) if needs_calibration(numerics) else 0,
        "versions": {
            "sodkeras": sodkeras.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }


def _licence(source):
    from sodkeras import weights

    return weights.preset(source)["licence"] if source in weights.preset_names() else None


def _with_metadata(content, metadata):
    """The `.tflite` bytes with this project's JSON as an entry of the model's metadata."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    from sodkeras.runtimes import METADATA_NAME

    model = flatbuffer_utils.convert_bytearray_to_object(content)
    buffer = schema.BufferT()
    buffer.data = list(json.dumps(metadata, ensure_ascii=False).encode())
    entry = schema.MetadataT()
    entry.name = METADATA_NAME
    entry.buffer = len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _tensors(path):
    """Shape, type and quantization of input and output, which a browser's runtime does not tell."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    described = {}
    for kind, details in (("input", interpreter.get_input_details()), ("output", interpreter.get_output_details())):
        scale, zero_point = details[0]["quantization"]
        described[f"{kind}_tensor"] = {
            "shape": [int(size) for size in details[0]["shape"]],
            "type": details[0]["dtype"].__name__,
            "scale": float(scale),
            "zero_point": int(zero_point),
        }
    return described


if __name__ == "__main__":
    main()
