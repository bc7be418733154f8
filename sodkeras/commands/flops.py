"""sodkeras flops: counts a network's parameters, multiply-adds and the papers' FLOPs.

usage: sodkeras flops --model=MODEL [--size=HxW] [--layers]

MODEL is a preset's name, a .keras file, or a network's class with its default arguments, such as CSNet. Multiply-adds
are those of the convolutions; FLOPs are what the CSNet papers call FLOPs or MACC: batch norm, activations, pooling and
resizing are counted, too.

examples:
  sodkeras flops -m CSNet --size=224x224
  sodkeras flops -m u2netp --layers
"""

import dataclasses
import json

from sodkeras.errors import SodkerasError, UsageError

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "train"


def define_flags(options):
    options.model("A preset's name, a .keras file, or a network's class.")
    options.size("Of the picture; default the model's preprocessing.")
    options.switch("layers", False, "Show every layer.")
    options.json()


def run(options, arguments):
    from tabulate import tabulate

    from sodkeras.commands.startup import import_keras

    if arguments:
        raise UsageError(f"everything is a flag here. Received: {' '.join(arguments)}")
    import_keras()
    from sodkeras.complexity import complexity

    model = _load(options.model)
    height, width = options.size or model.preprocessing.size
    multiple = 1 if getattr(model, "pad_to_multiple", True) else model.size_multiple
    if height % multiple or width % multiple:
        good = f"{height + -height % multiple}x{width + -width % multiple}"
        raise SodkerasError(
            f"{model.name} takes multiples of {multiple}, the next is {good}. Received: {height}x{width}"
        )
    cost = complexity(model, (height, width))
    if options.json:
        found = {"model": model.name, "size": [height, width], **dataclasses.asdict(cost)}
        found |= {name: getattr(cost, name) for name in ("parameters", "multiply_adds", "flops")}
        print(json.dumps(found if options.layers else {**found, "layers": None}, indent=1))
        return 0
    if options.layers:
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
