"""A DNL that begins with an encoder which knows objects: the MobileNetV2 of MediaPipe's detector.

usage: python benchmarks/own_encoder.py --out=NETWORK.keras --pictures=FOLDER [--arguments=JSON]

The npm package @mediapipe/objectron (Apache-2.0) brings along an SSD on MobileNetV2 that was trained on Open Images
V4, in half precision, batch norms folded away. `npm` fetches the package; the convolutions of the network's encoder get
the detector's weights, as many stages as it has, and its batch norms statistics again, over --pictures, so that they
can be trained. All else is new. Pictures are brought to [-1, 1] and padded as Keras does, for so the detector learned.

What is printed is how far the encoder, at the detector's size and stride, is from the detector inside. Beside the
network a .json says of what it is made, for package_weights.py. NOTES.md says what was trained so.
"""

import json
import pathlib
import subprocess
import tarfile
import tempfile

import keras
import numpy as np
from absl import app, flags
from ai_edge_litert.interpreter import Interpreter

from sodkeras.backbones import MobileNetV2
from sodkeras.backbones.mobilenet_v2 import STAGES
from sodkeras.checkpoints import imagenet
from sodkeras.checkpoints.backbone_names import torchvision_units
from sodkeras.checkpoints.batch_norm import restore_statistics
from sodkeras.files import whole_file
from sodkeras.models import DNL
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.preprocessing import Preprocessing

_PACKAGE, _ASSETS = "@mediapipe/objectron@0.4.1675468480", "package/objectron_solution_packed_assets.data"
_HALF = {"mean": (0.5,) * 3, "standard_deviation": (0.5,) * 3}
#: MobileNetV2 up to IR-5. Small pictures and no modules: `sodkeras train` gives the network others afterwards.
_ARGUMENTS = {
    "stages": [list(row) for row in STAGES[:5]],
    "aspp_filters": 40,
    "low_level_filters": 24,
    "attention_scale": 0.25,
    "positions": [],
    "input_shape": [128, 128, 3],
}


def detector(package):
    """The detector's file, out of npm's package, where it follows a list of names."""
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        )
        with tarfile.open(pathlib.Path(folder) / said.stdout.split()[-1]) as archive:
            assets = archive.extractfile(_ASSETS).read()
    return assets[assets.index(b"TFL3") - 4 :]  # a flatbuffer's identifier stands behind its first offset


def convolutions(interpreter):
    """Kernel, bias and result's index of each, in the file's order; weights are of half precision."""
    halves = {}
    for operator in interpreter._get_ops_details():
        inputs, output = operator["inputs"], operator["outputs"][0]
        if operator["op_name"] == "DEQUANTIZE":
            halves[output] = inputs[0]
        elif operator["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            kernel, bias = (interpreter.get_tensor(halves[index]).astype(np.float32) for index in inputs[1:])
            yield kernel, bias, output


def fill(backbone, found):
    """Gives a MobileNetV2 the weights of the first convolutions found; its batch norms only add their biases.

    Returns:
        The name of the last layer filled, and the index of what the detector computes there.
    """
    state, last = {}, None
    # The detector has more convolutions.
    for (unit, conv, norm), (kernel, bias, output) in zip(
        torchvision_units(backbone, backbone.name), found, strict=False
    ):
        last = unit.name, output
        # TFLite's kernels are [out, h, w, in]; of depthwise convolutions [1, h, w, channels].
        state[f"{conv}.weight"] = kernel.transpose((3, 0, 1, 2) if unit.filters is None else (0, 3, 1, 2))
        state |= {f"{norm}.weight": np.ones_like(bias), f"{norm}.bias": bias, f"{norm}.running_mean": 0 * bias}
        state[f"{norm}.running_var"] = np.full_like(bias, 1 - unit.norm.epsilon)
    imagenet.load(backbone, state)
    return last


def difference(backbone, interpreter, name, output, pictures):
    """Mean absolute difference of what a layer of the backbone and the detector compute, as a share of what that is."""
    found, probe = [], keras.Model(backbone.input, backbone.get_layer(name).output)
    for x in pictures:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        theirs = interpreter.get_tensor(output)
        ours = probe.predict_on_batch(x)
        found.append(np.abs(ours - theirs).mean() / np.abs(theirs).mean())
    return float(np.mean(found))


def main(_):
    keras.utils.set_random_seed(FLAGS.seed)
    pictures = [read_picture(path) for path in find_pictures([FLAGS.pictures])]
    arguments = _ARGUMENTS | json.loads(FLAGS.arguments)
    network = DNL(**arguments, padding="same", preprocessing=_HALF | {"size": arguments["input_shape"][:2]})
    # All tensors are kept only where nothing is delegated.
    interpreter = Interpreter(model_content=detector(_PACKAGE), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    size = tuple(int(length) for length in interpreter.get_input_details()[0]["shape"][1:3])
    backbone = MobileNetV2(padding="same", stages=arguments["stages"], input_shape=(*size, 3))
    last = fill(backbone, convolutions(interpreter))
    at_size = Preprocessing(size=size, **_HALF)
    print(f"differs from the detector by {difference(backbone, interpreter, *last, map(at_size, pictures[:4])):.2g}")

    # Statistics are those of the network's own size and strides.
    backbone = MobileNetV2(8, padding="same", stages=arguments["stages"], input_shape=network.input.shape[1:])
    fill(backbone, convolutions(interpreter))
    norms = restore_statistics(backbone, (network.preprocessing(picture) for picture in pictures))
    for unit, _, _ in torchvision_units(backbone, backbone.name):
        network.get_layer(unit.name).set_weights(unit.get_weights())
    print(f"{norms} batch norms of the encoder, {network.count_params():,} parameters in all")
    out = pathlib.Path(FLAGS.out)
    with whole_file(out) as temporary:
        network.save(temporary)
    with whole_file(out.with_suffix(".json")) as temporary:
        given = f" --arguments='{FLAGS.arguments}'" if json.loads(FLAGS.arguments) else ""
        how = {
            "command": f"python benchmarks/own_encoder.py --out={out.name} --pictures=FOLDER{given}",
            "start": f"random weights, the encoder as MobileNetV2 of npm's {_PACKAGE} (Apache-2.0), a detector that "
            "was trained on Open Images V4",
        }
        temporary.write_text(json.dumps(how, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    FLAGS = flags.FLAGS
    flags.DEFINE_string("out", None, "The .keras file to write.", required=True)
    flags.DEFINE_string("pictures", None, "Some dozens of photos.", required=True)
    flags.DEFINE_string("arguments", "{}", "Other arguments of DNL, as JSON.")
    flags.DEFINE_integer("seed", 0, "Of what is new.")
    app.run(main)
