"""U²-Net† as its authors released it, packaged: in float, to convert and to train on, and in 8 bits.

usage: python training/weights/u2netp.py --data=DUTS-TR [--original=u2netp.onnx]

The released file has its batch norms folded into the convolutions. They get statistics back over 200 pictures of
DUTS-TR, on which the network was trained: what it computes stays, and it can be trained further. 100 of these pictures
calibrate 8 bits. Without --original the file is fetched.
"""

import pathlib
import tempfile

from absl import app, flags
from package import package

from sodkeras.checkpoints.batch_norm import restore_statistics
from sodkeras.commands.main import prepare_tensorflow
from sodkeras.data import find_pairs
from sodkeras.weights import fetch_original, preset

_PICTURES = 200


def main(_):
    prepare_tensorflow()
    from sodkeras.checkpoints import import_file
    from sodkeras.pictures import read_picture

    original = preset("u2netp")["original"]
    pairs = find_pairs([FLAGS.data])
    pictures = [pair.picture for pair in pairs[:: max(len(pairs) // _PICTURES, 1)]][:_PICTURES]
    model = import_file(FLAGS.original or fetch_original("u2netp"), name="u2netp").model
    restore_statistics(model, (model.preprocessing(read_picture(path)) for path in pictures))
    facts = {
        "name": "u2netp",
        "title": "U²-Net† (small), the authors' released weights",
        "licence": "Apache-2.0",
        "origin": "Qin et al., U²-Net, Pattern Recognition 2020; trained on DUTS-TR by the authors",
        "original": original,
        "training": {
            "commands": ["python training/weights/u2netp.py --data=DUTS-TR"],
            "start": f"{original['file']} ({original['sha256'][:8]}), exported with batch norms folded by rembg",
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        # Named as the set, which the metadata of the 8-bit file will tell.
        calibration = pathlib.Path(folder) / "DUTS-TR"
        calibration.mkdir()
        for path in pictures:
            (calibration / path.name).symlink_to(path.resolve())
        package(model, facts, calibration, ["int8"])


if __name__ == "__main__":
    FLAGS = flags.FLAGS
    flags.DEFINE_string("data", None, "The folder of DUTS-TR.", required=True)
    flags.DEFINE_string("original", None, "The released file; default it is fetched.")
    app.run(main)
