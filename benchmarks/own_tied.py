"""One slope for all channels in some of our own networks' PReLUs, which makes 8 bits cheaper on a phone.

usage: python benchmarks/own_tied.py NAME --data=SOURCE,… --out=FOLDER [--change=0.03]

NAME is a preset. 96 pictures of SOURCES, drawn at random, say in which of its PReLUs one slope changes the map least
for what it saves (see sodkeras/tflite/tie_slopes.py); --change is how much it may change in all. Writes
FOLDER/NAME.keras, to be trained on with the slopes held, and FOLDER/NAME.json, which package_weights.py reads:

    sodkeras train --network=FOLDER/NAME.keras "--set=freeze=*/alpha" --set=batch_statistics=false …
"""

import json
import pathlib

import numpy as np
from absl import app, flags

from sodkeras.data import find_pairs
from sodkeras.data.samples import read_pair
from sodkeras.files import whole_file
from sodkeras.tflite.tie_slopes import tie_slopes
from sodkeras.weights import load_model

FLAGS = flags.FLAGS
flags.DEFINE_list("data", None, "What `sodkeras train` takes as --data.", required=True)
flags.DEFINE_string("out", None, "The folder to write to.", required=True)
flags.DEFINE_float("change", 0.03, "How much maps may change on average.", lower_bound=0)
_PICTURES = 96


def main(arguments):
    if len(arguments) != 2:
        raise app.UsageError(f"name one preset, got {' '.join(arguments[1:])}")
    name, out = arguments[1], pathlib.Path(FLAGS.out)
    model = load_model(name)
    pairs = find_pairs(FLAGS.data)
    drawn = np.random.default_rng(0).permutation(len(pairs))[:_PICTURES]
    pictures = np.concatenate([model.preprocessing(read_pair(pairs[index])[0]) for index in drawn])
    tied, slopes = tie_slopes(model, pictures, FLAGS.change)
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / f"{name}.keras") as temporary:
        tied.save(temporary)
    data = ",".join(f"FOLDER/{pathlib.Path(source).name}" for source in FLAGS.data)
    record = {
        "command": f"python benchmarks/own_tied.py {name} --data={data} --change={FLAGS.change:g} --out=FOLDER",
        "slopes": slopes,
    }
    with whole_file(out / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    before, after = (1 / (1 + np.exp(-network(pictures[:16])["saliency_logits"])) for network in (model, tied))
    print(
        f"{len(slopes)} slopes tied, {sum(not slope for slope in slopes.values())} of them to 0; maps changed by "
        f"{np.abs(after - before).mean():.3f}"
    )


if __name__ == "__main__":
    app.run(main)
