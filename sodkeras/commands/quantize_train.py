"""sodkeras quantize-train: trains a network for 8 bits, where converting alone costs too much, and converts it.

usage: sodkeras quantize-train MODEL --data=DIR --out=DIR [--flag=value ...]

MODEL is a trained network: a preset's name or a .keras file. While it learns, its kernels and activations are rounded
as the 8-bit file will round them (quantization-aware training). It needs few steps and a small learning rate.

--data is a data set of pictures and masks as `sodkeras train` takes them; several times for several sets. With
--targets=own it is pictures alone, a folder or a glob, and the network learns to give in 8 bits what it gave in float.

--out gets NAME-HxW-static_wi8_ai8.tflite with its .json, which every other verb takes; NAME-quantization_aware.keras,
the same weights in float; and training/, with the log and what is needed to go on: whatever stops it, the same command
goes on from its last checkpoint and ends with the same weights. The maps' error before and after is printed: where it
has not fallen, sodkeras convert's int8 is the better. Look at both with sodkeras evaluate.

examples:
  sodkeras quantize-train runs/first/best.keras --data=DUTS-TR --out=phone
  sodkeras quantize-train u2netp --targets=own --data=photos/ --steps=200 --out=phone
  sodkeras evaluate --model=u2netp --model=phone/u2netp-320x320-static_wi8_ai8.tflite --set=pascal_s
"""

import os

from absl import flags

from sodkeras.commands.mask_value import define_mask_value
from sodkeras.errors import UsageError


def define_flags(flag_values):
    flags.DEFINE_multi_string("data", [], "[NAME=]DIR: what to learn from; see above.", flag_values=flag_values)
    flags.DEFINE_string("out", None, "The folder to write to.", flag_values=flag_values)
    flags.DEFINE_enum(
        "targets",
        "masks",
        ["masks", "own"],
        "What to learn: the masks, or its own float maps.",
        flag_values=flag_values,
    )
    for name, default, text in (
        ("steps", 400, "Batches to learn from."),
        ("batch", 4, "Pictures in each."),
        ("save_every", 50, "Steps between checkpoints."),
        ("calibration_limit", 100, "Pictures at most to find the activations' ranges with."),
    ):
        flags.DEFINE_integer(name, default, text, lower_bound=1, flag_values=flag_values)
    flags.DEFINE_float(
        "learning_rate", 1e-4, "Of Adam, at the start; it falls to 0.", lower_bound=0, flag_values=flag_values
    )
    flags.DEFINE_integer("seed", 0, "Of the pictures' order and flips.", flag_values=flag_values)
    flags.DEFINE_list(
        "keep_float", None, "Patterns of layers that stay in float, see sodkeras convert.", flag_values=flag_values
    )
    flags.DEFINE_enum(
        "prelu", "auto", ["auto", "exact"], "How PReLU is computed, see sodkeras convert.", flag_values=flag_values
    )
    define_mask_value(flag_values)


def run(flag_values, arguments):
    from sodkeras.tflite.quantize_train import quantize_train

    if len(arguments) != 1:
        raise UsageError("name one model")
    if not flag_values["data"].value or not flag_values.out:
        raise UsageError("name --data and --out")
    if flag_values.debug:
        os.environ["SODKERAS_DEBUG"] = "1"
    paths = quantize_train(
        arguments[0],
        flag_values["data"].value,
        flag_values.out,
        flag_values.targets,
        flag_values.steps,
        flag_values.batch,
        flag_values.learning_rate,
        flag_values.save_every,
        flag_values.calibration_limit,
        [] if flag_values.keep_float == ["none"] else flag_values.keep_float,
        flag_values.prelu,
        flag_values.seed,
        flag_values.mask_value,
    )
    for path in paths:
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    return 0
