"""What a `.tflite` file says of itself, inside it and in the JSON beside it: all that an app needs to run it.

Each key is in docs/file_format.md.
"""

import hashlib
import pathlib
from collections.abc import Sequence

import ai_edge_litert
import keras
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import sodkeras
from sodkeras import weights
from sodkeras.preprocessing import Preprocessing

#: What the values of the output are, by whether the sigmoid is inside the graph.
_OUTPUTS = {
    True: ("saliency map in [0, 1]", "probabilities"),
    False: ("logits of the saliency map: take the sigmoid", "logits"),
}


def describe(
    model: keras.Model, source: str, numerics: str, preprocessing: Preprocessing, inside: Sequence[str]
) -> dict:
    """The metadata of a network's file before it is made.

    Args:
        model: the `InferenceModel`.
        source: what it was loaded from: a preset's name or a path.
        numerics: a name of `sodkeras.tflite.numerics`.
        preprocessing: what the file expects of a picture.
        inside: what of pre- and post-processing is in the graph, see `sodkeras.tflite.inside`.

    Returns:
        A dict for JSON.
    """
    preset = weights.network_name(source)
    text, values = _OUTPUTS["sigmoid" in inside]
    normalisation = {name: model.preprocessing.to_dict()[name] for name in ("mean", "standard_deviation")}
    return {
        "name": model.name.removesuffix("_inference"),
        "preset": preset,
        "numerics": numerics,
        "preprocessing": preprocessing.to_dict(),
        "normalisation_inside": normalisation if "normalisation" in inside else None,
        "inside": list(inside),
        "output": text,
        "output_values": values,
        "licence": weights.preset(preset)["licence"] if preset else None,
        "calibration": None,
        "versions": {
            "sodkeras": sodkeras.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "ai_edge_litert": getattr(ai_edge_litert, "__version__", None),
        },
    }


def describe_calibration(paths: Sequence[str], found: int) -> dict:
    """What a file was calibrated with: how many pictures of how many found, of which folders, and their bytes' sum.

    The folders' names are given without what leads to them, which is nobody's business.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(pathlib.Path(path).read_bytes())
    return {
        "pictures": len(paths),
        "of": found,
        "folders": sorted({pathlib.Path(path).parent.name for path in paths}),
        "sha256": digest.hexdigest(),
    }


def describe_tensors(content: bytes) -> dict:
    """Shape, type and quantization of the input and output in a file's bytes; a browser's runtime does not tell."""
    interpreter = Interpreter(model_content=content)
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
