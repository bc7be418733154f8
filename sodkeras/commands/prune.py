"""sodkeras prune: a smaller and faster U²-Net out of a trained one, by pictures without masks, with no training.

usage: sodkeras prune --model=MODEL --pictures=PICTURES --out=FILE.keras [--flag=value ...]

MODEL is a U²-Net: a preset's name or a .keras file. Channels that follow from others on the pictures go, and the
convolutions are fitted, one after the other, to what they computed before. 20 pictures of the kind that the network
will see are a beginning, 300 better (--limit). At 320x320 U²-Net† takes 2 seconds on two cores and 30 MB of memory for
each, and 4 GB for all.

--size is for a network of smaller pictures. Its convolutions are fitted to what the old one computes of the larger:
with --size=224x224 it does half of the work, and its maps are much nearer than those of the old one at that size.

--tolerance says how much may be lost wherever channels go; what that comes to at the end is printed, and FILE.json says
it of each convolution. --filters says instead how many channels each block keeps. Look at the maps (sodkeras predict),
or score them (sodkeras evaluate), then convert. To go on training: sodkeras train --recipe=fine_tune
--model=FILE.keras --set=batch_statistics=false.

A CSNet is pruned while it is trained: sodkeras train --recipe=csnet_prune.

example:
  sodkeras prune -m u2netp --pictures=photos/ -o small.keras
  sodkeras prune -m u2netp --pictures=photos/ --size=224x224 -o quick.keras
  sodkeras convert -m quick.keras --numerics=int8 --calibrate=photos/ --out=phone
"""

import dataclasses
import json
import pathlib
import sys

from sodkeras.errors import SodkerasError, UsageError

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "train"


def define_flags(options):
    options.model("A U²-Net: a preset's name or a .keras file.")
    options.pictures()
    options.out("The .keras file to write.")
    options.number("tolerance", 0.05, "The share of variance that may be lost where channels go.", most=0.99)
    options.names(
        "filters", None, "Channels of each block, encoder from the outside in, then decoder from the inside out."
    )
    options.size("Of the new network's pictures, if another than the old one's.")
    options.limit(100, "Pictures at most.")
    options.whole("seed", 0, "Of the pixels that are looked at.", least=None)


def run(options, arguments):
    from sodkeras.commands.startup import import_keras
    from sodkeras.pictures import find_pictures
    from sodkeras.weights import is_preset_folder, load_model, preset, preset_names

    if arguments:
        raise UsageError(f"everything is a flag here. Received: {' '.join(arguments)}")
    out = pathlib.Path(options.out)
    if not options.pictures or out.suffix != ".keras":
        raise UsageError("name --pictures and --out=FILE.keras")
    name = options.model
    if not name.lower().endswith(".keras") and not is_preset_folder(name):
        preset(name)  # a wrong name is said at once
    filters = options.filters and [_whole(count) for count in options.filters]
    found = find_pictures(options.pictures)
    import_keras()

    from sodkeras.complexity import complexity
    from sodkeras.files import whole_file
    from sodkeras.pruning import prune

    model = load_model(name)
    wanted = model.preprocessing
    if options.size:
        wanted = dataclasses.replace(wanted, size=options.size)
    chosen = found[:: max(1, -(-len(found) // options.limit))]
    names, pictures, *resized = _read(chosen, *dict.fromkeys((model.preprocessing, wanted)))
    try:
        network, _, errors = prune(
            model,
            pictures,
            tolerance=options.tolerance,
            filters=filters,
            seed=options.seed,
            resized=resized[0] if resized else None,
            progress=True,
        )
    except ValueError as error:
        raise SodkerasError(str(error)) from None
    network.name = out.stem  # files made of it are called so
    with whole_file(out) as temporary:
        network.save(temporary)
    before, after = complexity(model), complexity(network)
    record = {
        "pruned": name if name in preset_names() else pathlib.Path(name).name,
        "pictures": names,
        "size": options.size,
        "tolerance": None if filters else options.tolerance,
        "filters": [row[-1] for rows in network.variant.values() for row in rows],
        "seed": options.seed,
        "parameters": [before.parameters, after.parameters],
        "multiply_adds": [before.multiply_adds, after.multiply_adds],
        "lost": errors,
    }
    with whole_file(out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{before.parameters:,} → {after.parameters:,} parameters")
    print(f"{before.multiply_adds / 1e9:.2f} → {after.multiply_adds / 1e9:.2f} G multiply-adds")
    print(f"{100 * errors['fusion_conv']:.1f} % of the logits' variance lost on these {len(pictures)} pictures")
    print(out)
    return 0


def _whole(count):
    try:
        return int(count)
    except ValueError:
        raise UsageError(f"--filters takes whole numbers. Received: {count}") from None


def _read(paths, *preprocessings):
    """The files' names and the pictures, preprocessed in each way; those that cannot be read are named and left out."""
    import numpy as np

    from sodkeras.pictures import read_picture
    from sodkeras.progress import progress_bar

    names, read, failures = [], [], []
    for path in progress_bar(paths, "reading", unit="picture"):
        try:
            picture = read_picture(path)
        except SodkerasError as error:
            failures.append(f"{path}: {error}")
            continue
        read.append([preprocessing(picture) for preprocessing in preprocessings])
        names.append(pathlib.Path(path).name)
    if not read:
        raise SodkerasError(f"None of {len(paths)} pictures can be read. {failures[0]}")
    for failure in failures:
        print(f"sodkeras prune: left out, {failure}", file=sys.stderr)
    return names, *(np.concatenate(pictures) for pictures in zip(*read, strict=True))
