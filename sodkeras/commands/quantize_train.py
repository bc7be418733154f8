"""sodkeras quantize-train: trains a network for 8 bits, where converting alone costs too much, and converts it.

usage: sodkeras quantize-train --model=MODEL --data=SET --out=FOLDER [--flag=value ...]
       sodkeras quantize-train --model=MODEL --pictures=PICTURES --out=FOLDER [--flag=value ...]

MODEL is a trained network: a preset's name or a .keras file. While it learns, its kernels and activations are rounded
as the 8-bit file will round them (quantization-aware training). It needs few steps and a small learning rate.

--data is a data set of pictures and masks as `sodkeras train` takes them; several times for several sets. With
--pictures, which need no masks, the network learns to give in 8 bits what it gave in float.

--out gets NAME-HxW-static_wi8_ai8.tflite with its .json, which every other verb takes; NAME-quantization_aware.keras,
the same weights in float; and training/, with the log and what is needed to go on: whatever stops it, the same command
goes on from its last checkpoint and ends with the same weights. The maps' error before and after is printed: where it
has not fallen, sodkeras convert's int8 is the better. Look at both with sodkeras evaluate.

examples:
  sodkeras quantize-train -m runs/first/best.keras --data=DUTS-TR --out=phone
  sodkeras quantize-train -m u2netp --pictures=photos/ --steps=200 --out=phone
  sodkeras evaluate --model=u2netp --model=phone/u2netp-320x320-static_wi8_ai8.tflite --data=pascal_s
"""

from sodkeras.errors import UsageError

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "qat"


def define_flags(options):
    options.model()
    options.several("data", "[NAME=]SET: pictures and masks to learn from.")
    options.pictures("Files, folders or globs of pictures, to learn from without masks.")
    options.out()
    for name, default, text in (
        ("steps", 400, "Batches to learn from."),
        ("batch", 4, "Pictures in each."),
        ("save_every", 50, "Steps between checkpoints."),
    ):
        options.whole(name, default, text)
    options.limit(100, "Pictures at most to find the activations' ranges with.")
    options.number("learning_rate", 1e-4, "Of Adam, at the start; it falls to 0.")
    options.whole("seed", 0, "Of the pictures' order and flips.", least=None)
    options.names("keep_float", None, "Patterns of layers that stay in float, see sodkeras convert.")
    options.choice("prelu", "auto", ["auto", "exact"], "How PReLU is computed, see sodkeras convert.")
    options.mask_value()


def run(options, arguments):
    from sodkeras.tflite.quantize_train import quantize_train

    if arguments:
        raise UsageError(f"everything is a flag here. Received: {' '.join(arguments)}")
    if bool(options.data) == bool(options.pictures):
        raise UsageError("name --data, pictures with masks, or --pictures without")
    paths = quantize_train(
        options.model,
        options.out,
        data=options.data,
        pictures=options.pictures,
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        save_every=options.save_every,
        limit=options.limit,
        keep_float=[] if options.keep_float == ["none"] else options.keep_float,
        prelu=options.prelu,
        seed=options.seed,
        mask_value=options.mask_value,
    )
    for path in paths:
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    return 0
