"""sodkeras profile: counts a network's parameters, multiply-adds and the papers' FLOPs.

usage: sodkeras profile MODEL [--size=HxW] [--layers]

MODEL is a preset's name, a .keras file, or a network's class with its default arguments, such as CSNet. Multiply-adds
are those of the convolutions; FLOPs are what the CSNet papers call FLOPs or MACC: batch norm, activations, pooling and
resizing are counted, too.

examples:
  sodkeras profile CSNet --size=224x224
  sodkeras profile u2netp --layers
"""

import re

from absl import flags

from sodkeras.errors import SodkerasError, UsageError


def define_flags(flag_values):
    flags.DEFINE_string(
        "size", None, "Height x width of the picture; default the model's preprocessing.", flag_values=flag_values
    )
    flags.DEFINE_bool("layers", False, "Show every layer.", flag_values=flag_values)


def run(flag_values, arguments):
    from tabulate import tabulate

    from sodkeras.commands.startup import import_keras

    if len(arguments) != 1:
        raise UsageError("name one model")
    size = flag_values.size and re.fullmatch(r"(\d+)x(\d+)", flag_values.size)
    if flag_values.size and not size:
        raise UsageError(f"--size takes HEIGHTxWIDTH, such as 224x224. Received: {flag_values.size}")
    import_keras()
    from sodkeras.complexity import complexity

    model = _load(arguments[0])
    height, width = map(int, size.groups()) if size else model.preprocessing.size
    multiple = 1 if getattr(model, "pad_to_multiple", True) else model.size_multiple
    if height % multiple or width % multiple:
        good = f"{height + -height % multiple}x{width + -width % multiple}"
        raise SodkerasError(
            f"{model.name} takes multiples of {multiple}, the next is {good}. Received: {height}x{width}"
        )
    cost = complexity(model, (height, width))
    if flag_values.layers:
        rows = [
            [
                layer.name,
                layer.kind,
                "x".join(map(str, layer.output_shape)),
                layer.parameters,
                layer.multiply_adds,
                layer.flops,
            ]
            for layer in cost.layers
        ]
        headers = ["layer", "kind", "output", "parameters", "multiply-adds", "FLOPs"]
        print(tabulate(rows, headers=headers, intfmt=","))
    print(
        f"{model.name} at {height}x{width}: {cost.parameters:,} parameters, {cost.multiply_adds / 1e9:.4f} G "
        f"multiply-adds, {cost.flops / 1e9:.4f} G FLOPs (papers' count)"
    )
    return 0


def _load(name):
    from sodkeras import weights
    from sodkeras.models import MODELS

    if name in MODELS:
        return MODELS[name]()
    return weights.load_model(name)
