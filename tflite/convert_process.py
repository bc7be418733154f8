"""The child process of `sodkeras.tflite.convert`: a job as JSON on stdin, the result as JSON on stdout.

Progress is written to the stderr it was started with; what TensorFlow writes there goes to a file in the scratch
folder instead.
"""

import collections
import fnmatch
import functools
import json
import os
import pathlib
import re
import sys
import traceback

from sodkeras.errors import SodkerasError
from sodkeras.tflite.numerics import needs_calibration

#: A convolution whose weights' rounding is less than this under its signal stays in float, unless told otherwise.
#: U²-Net† has one at -6 dB, the cause of nearly all its error, and one at 16; all others are at 30 or more.
FLOAT_BELOW_DECIBELS = 20
_PICTURES_FOR_NOISE = 4


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
    from sodkeras.tflite.lower import lower

    name = model.name.removesuffix("_inference")
    height, width = model.preprocessing.size
    say(f"converting {name}: tracing at {height}x{width}")
    flat = lower(model)
    plain = _export(flat, f"{job['scratch']}/plain")
    integer = None
    results = {}
    # Preparing for integers changes the weights in place, so what it is for comes last.
    for numerics in sorted(job["numerics"], key=needs_calibration):
        metadata = _metadata(model, job, numerics)
        if needs_calibration(numerics):
            say(f"converting {name}: preparing for 8 bits")
            integer = integer or _IntegerSource(flat, model.preprocessing, job, progress)
            say(f"converting {name}: {numerics}, {len(integer.float_layers)} layers stay in float")
            for layer, decibels in integer.float_layers.items():
                if decibels is None:
                    say(f"  {layer}")
                    continue
                say(f"  {layer}: its weights' rounding would be {decibels:.0f} dB under its signal")
            if integer.prelu:
                say(f"  PReLU as {', '.join(f'{kind}: {count}' for kind, count in integer.prelu.items())}")
            content = integer.quantize()
            metadata["float_layers"] = sorted(integer.float_layers)
            metadata["prelu"] = integer.prelu
        else:
            say(f"converting {name}: {numerics}")
            content = _convert(plain, numerics)
        path = pathlib.Path(job["scratch"]) / f"{name}-{height}x{width}-{numerics}.tflite"
        path.write_bytes(_with_metadata(content, metadata))
        results[numerics] = {"file": path.name, "scratch_file": str(path), "metadata": metadata | _tensors(path)}
    return [results[numerics] for numerics in job["numerics"]]


class _IntegerSource:
    """A network equalized and calibrated: what integer files are made from."""

    def __init__(self, flat, preprocessing, job, progress):
        from tqdm import tqdm

        from sodkeras.pictures import read_picture
        from sodkeras.tflite.equalize import equalize
        from sodkeras.tflite.lower import check_equal, lower_for_integers
        from sodkeras.tflite.prelu import choose_forms, exact_forms
        from sodkeras.tflite.sensitivity import correct_biases, rounding_effects, runs_in_float

        def pictures(purpose, paths):
            for path in tqdm(paths, desc=purpose, unit="picture", file=progress):
                yield preprocessing(read_picture(path))

        a_few = job["pictures"][:_PICTURES_FOR_NOISE]
        in_float, forms = flat, exact_forms(flat)
        if forms and job["prelu"] == "auto":
            forms = choose_forms(flat, pictures("measuring slopes", a_few))
        flat = lower_for_integers(flat, forms)
        if forms == exact_forms(in_float):
            check_equal(in_float, flat, preprocessing(read_picture(a_few[0])))
        #: How many PReLUs are computed in which form, by its name.
        self.prelu = dict(sorted(collections.Counter(form.name for form in forms.values()).items()))
        equalize(flat, pictures("measuring channels", job["pictures"]))
        # What rounding does hardly depends on the picture: a few tell.
        effects = rounding_effects(flat, pictures("measuring layers", a_few))

        def stays(layer):
            if job["keep_float"] is not None:
                return any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in job["keep_float"])
            return runs_in_float(layer) or (
                layer.name in effects and effects[layer.name].decibels < FLOAT_BELOW_DECIBELS
            )

        #: The layers that stay in float, and how far under their signal their weights' rounding would be, if known.
        self.float_layers = {
            layer.name: effects[layer.name].decibels if layer.name in effects else None
            for layer in flat.layers
            if stays(layer)
        }
        correct_biases(flat, {layer: effects[layer] for layer in effects.keys() - self.float_layers.keys()})
        self._calibrated = self._calibrate(flat, pictures, job)

    def _calibrate(self, flat, pictures, job):
        """A float `.tflite` whose tensors carry the ranges they take on the pictures."""
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_saved_model(_export(flat, f"{job['scratch']}/equalized"))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([batch] for batch in pictures("calibrating", job["pictures"]))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        # What the converter's own debugger does to try one quantization after another.
        converter._experimental_calibrate_only = True
        return converter.convert()

    def quantize(self):
        import tensorflow as tf
        from ai_edge_litert.interpreter import Interpreter
        from tensorflow.lite.python.convert import mlir_quantize

        interpreter = Interpreter(model_content=self._calibrated)
        in_float = set()
        for node in interpreter._get_ops_details():
            # A fused operator's tensor names all that went into it: "net/conv_1/Squeeze;net/relu_1/Relu;…".
            tensor = interpreter._get_tensor_details(int(node["outputs"][0]), 0)["name"]
            layers = {re.sub(r"_\d+$", "", part) for name in tensor.split(";") for part in name.split("/")}
            if node["op_name"] != "DELEGATE" and layers & self.float_layers.keys():
                in_float.add(tensor)
        return mlir_quantize(
            self._calibrated, denylisted_nodes=in_float, input_data_type=tf.int8, output_data_type=tf.int8
        )


def _load(source):
    if source.endswith(".keras"):
        from sodkeras.runtimes import load_keras

        return load_keras(pathlib.Path(source)).inference_model()
    from sodkeras import weights

    return weights.load_model(source).inference_model()


def _export(model, path):
    """Writes a flat model as a SavedModel with a static batch of one, and returns its path.

    A dynamic batch would leave space-to-batch operators around dilated convolutions, and converting the bare function
    of a Keras 3 model leaves its variables unfrozen.
    """
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="picture")
    archive.add_endpoint("serve", lambda picture: model(picture, training=False), input_signature=[signature])
    archive.write_out(path, verbose=False)
    return path


def _convert(saved_model, numerics):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    if numerics != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if numerics == "float16":
        converter.target_spec.supported_types = [tf.float16]
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
