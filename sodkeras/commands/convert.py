"""sodkeras convert: turns a network into .tflite files for phones.

usage: sodkeras convert --model=MODEL [--flag=value ...]

MODEL is a preset's name or a .keras file. Each of --numerics gives one file, NAME-HxW-NUMERICS.tflite in --out, with
its preprocessing inside, and a .json beside it that says the same for apps.

numerics:
  float32             weights and activations in 32-bit float (also: float)
  float16             weights stored in 16-bit float. ARM processors since 2018 compute in it, too, twice as much at a
                      time, where the maps stay the same: this is tried on the example photos and on pictures of
                      --calibrate, and the file allows it or not. Elsewhere it is computed in 32-bit float
  dynamic_wi8_afp32   weights in 8-bit integer, activations in float (also: dynamic); channels are brought to like
                      ranges on the pictures of --calibrate, or on a made-up one, and layers may stay in float
  static_wi8_ai8      8-bit integer, input and output too; needs --calibrate (also: int8). Channels are brought to like
                      ranges first, and layers whose weights do not fit into 8 bits stay in float: it says which.
                      PReLU becomes ReLU or leaky ReLU where 8 bits cannot tell, else two convolutions and a sum
  static_wi8_ai16     16-bit activations (also: int16): nearer to float, but no delegate takes it, so that it is slow

Each file is compared with its source on up to eight pictures that it was not calibrated with: the example photos, and
of --calibrate those beyond --limit. One that does not agree is written, named, and the exit code is 1.

inside the graph, by --inside:
  normalisation       an app passes the resized picture's bytes, RGB, as they are; U²-Net's, stretched to a largest
                      value of 255. By default the app normalises
  resize              the map has the network's input size; else it has that of the network's last layer
  sigmoid             the map is in [0, 1]; else it holds logits
What is outside, `sodkeras predict` does itself, and the JSON beside the file says it to apps.

examples:
  sodkeras convert -m my_network.keras --numerics=float16 --calibrate=photos/ --out=phone
  sodkeras convert -m u2netp
  sodkeras convert -m u2netp --numerics=float32,int8 --calibrate=photos/ --out=phone
  sodkeras convert -m u2netp --numerics=int8 --calibrate=photos/ --inside=normalisation,resize,sigmoid --interface=uint8
  sodkeras verify phone/u2netp-320x320-static_wi8_ai8.tflite --model=u2netp --pictures=photos/
"""

import json
import sys

from sodkeras.errors import UsageError

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "convert"


def define_flags(options):
    options.model()
    options.names("numerics", ["float32"], "What to compute in; see above.")
    options.text("calibrate", None, "A folder or glob of calibration pictures.")
    options.limit(100, "Calibration pictures at most.")
    options.names(
        "keep_float",
        None,
        "Patterns of layers that stay in float in static_wi8_ai8, 'none' for none; default convolutions whose weights "
        "do not fit into 8 bits, and products of matrices, a DNL's with weights of 8 bits.",
    )
    options.choice(
        "prelu",
        "auto",
        ["auto", "exact"],
        "How static_wi8_ai8 computes PReLU: exactly, or as ReLU or leaky ReLU where 8 bits cannot tell (faster).",
    )
    options.switch(
        "sensitivity", False, "Write what each layer costs in static_wi8_ai8, a .sensitivity.csv beside the file."
    )
    options.number(
        "mae_budget",
        None,
        "How much static_wi8_ai8 may differ from Keras on calibration pictures: mean absolute difference of the maps. "
        "As few further layers as it takes stay in float.",
    )
    options.names("inside", ["resize", "sigmoid"], "What is inside the graph; see above.")
    options.choice(
        "interface",
        None,
        ["int8", "uint8", "int16", "float32"],
        "The type of input and output of static_*; default that of the activations.",
    )
    options.out(default=".")


def run(options, arguments):
    from sodkeras.tflite.convert import convert

    if arguments:
        raise UsageError(f"everything is a flag here. Received: {' '.join(arguments)}")
    paths = convert(
        options.model,
        options.out,
        options.numerics,
        options.calibrate,
        limit=options.limit,
        keep_float=[] if options.keep_float == ["none"] else options.keep_float,
        prelu=options.prelu,
        inside=options.inside,
        interface=options.interface,
        sensitivity=options.sensitivity,
        mae_budget=options.mae_budget,
    )
    bad = {}
    for path in paths:
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
        metadata = json.loads(path.with_suffix(".json").read_text("utf-8"))
        parity = metadata["parity"]
        # What float32 may differ by, a conversion judges itself: rounding adds up.
        if parity["problems"] and metadata["numerics"] != "float32":
            what = "mirror images of the calibration pictures" if parity["mirrored"] else "pictures"
            bad[path] = f"on {parity['pictures']} {what}: {'; '.join(parity['problems'])}"
    for path, problems in bad.items():
        print(f"sodkeras convert: {path} does not agree with Keras {problems}", file=sys.stderr)
    if bad:
        print(
            "More and other pictures for --calibrate may help, --mae_budget, or sodkeras quantize-train",
            file=sys.stderr,
        )
    return 1 if bad else 0
