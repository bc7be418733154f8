"""Puts a trained network into the package: its files, and the preset that says what they are and how they were made.

usage: python training/weights/package.py NETWORK.keras --name=NAME --title=TEXT --calibrate=FOLDER
           [--made=made.json] [--numerics=float16,int8 --best=float16]

What a script of this folder trained is last.keras of its last run; made.json lies in the folder around the runs. --best
is the file for phones that `Predictor(NAME)` runs. A network that is packaged again loses the files that are not asked
for any more.
"""

import hashlib
import inspect
import json
import pathlib
import shutil
import tempfile
import zipfile

from absl import app, flags

from sodkeras.files import whole_file
from sodkeras.weights import KINDS

#: What may be packaged for phones: the kind of a file, and the numerics that convert gives it.
NUMERICS = {"float16": "float16", "int8": "static_wi8_ai8"}
#: The most bytes a file may have.
LARGEST = {".tflite": 6_000_000, ".keras": 20_000_000}
PRESETS = pathlib.Path(__file__).parent.parent.parent / "sodkeras" / "presets"
_WIDTH = 120
_ORIGIN = "trained by this project on DUTS-TR (training/weights)"


def package(model, facts, calibrate, numerics=tuple(NUMERICS), best=None):
    """Writes a network's .keras file, what is made of it for phones, and its preset.

    Args:
        model: a `SaliencyModel`.
        facts: what the preset says beside what follows from the network: name, title, licence, origin, training.
        calibrate: a folder of pictures, of which 100 calibrate.
        numerics: of the files for phones, keys of `NUMERICS`.
        best: which of them `Predictor` runs; may be left out where there is one.

    Raises:
        ValueError: for a file that is larger than `LARGEST`, a name that would name a file, or no word of the best.
    """
    from sodkeras.complexity import complexity
    from sodkeras.tflite.convert import convert

    name, cost = facts["name"], complexity(model)
    if name.endswith(tuple(f"_{kind}" for kind in KINDS)):
        raise ValueError(f"A network's name does not end as its files' do, in {', '.join(KINDS)}. Received: {name}")
    if best is None and len(numerics) == 1:
        (best,) = numerics
    if not NUMERICS.keys() >= set(numerics):
        raise ValueError(f"Files for phones are {', '.join(NUMERICS)}. Received: {', '.join(numerics)}")
    if best not in numerics:
        raise ValueError(f"Say which of {', '.join(numerics)} is best for phones. Received: {best}")
    facts = facts | {
        "model": type(model).__name__,
        "arguments": _arguments(model),
        "preprocessing": model.preprocessing.to_dict(),
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "flops": cost.flops,
    }
    renamed = type(model).from_config(model.get_config() | {"name": name})
    renamed.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / f"{name}.keras"
        renamed.save(source)
        deflate(source)
        files = {"keras": _take(source, source.name)}
        # Converted by its name, so that the files' metadata has its licence.
        write_preset(facts | {"files": files})
        for kind in numerics:
            (made,) = convert(name, folder, [NUMERICS[kind]], calibrate)
            files[kind] = _take(made, f"{name}_{kind}.tflite")
    write_preset(facts | {"best": best, "files": files})
    for kind in NUMERICS.keys() - files.keys():
        (PRESETS / f"{name}_{kind}.tflite").unlink(missing_ok=True)


def write_preset(facts):
    """Writes a preset's JSON; how it was trained is long, and comes last."""
    facts = {key: facts[key] for key in sorted(facts, key="training".__eq__)}
    with whole_file(PRESETS / f"{facts['name']}.json") as temporary:
        temporary.write_text(_json(facts) + "\n", encoding="utf-8")


def _json(value, indent=0):
    """JSON in which what fits into a line is in one."""
    text = json.dumps(value, ensure_ascii=False)
    if (indent and indent + len(text) < _WIDTH) or not isinstance(value, (dict, list)):
        return text
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_json(part, indent + 1)}" for key, part in value.items()]
    else:
        parts = [_json(part, indent + 1) for part in value]
    inside = ",\n".join(" " * (indent + 1) + part for part in parts)
    return f"{text[0]}\n{inside}\n{' ' * indent}{text[-1]}"


def _arguments(model):
    """What the network's constructor got, where that is not its default."""
    config, arguments = model.get_config(), {}
    for name, parameter in inspect.signature(type(model).__init__).parameters.items():
        value, default = config.get(name), parameter.default
        same = list(value) == list(default) if isinstance(default, tuple) else value == default
        if name in config and not same and name not in ("name", "preprocessing") and "initializer" not in name:
            arguments[name] = value
    return arguments


def deflate(path):
    """Packs a .keras file anew, compressed: much of it is HDF5's padding around hundreds of small arrays."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _take(made, name):
    """Copies a file into the package, and gives what its preset says of it."""
    content = made.read_bytes()
    if len(content) > LARGEST[made.suffix]:
        raise ValueError(
            f"A {made.suffix} file in the package has {LARGEST[made.suffix]:,} bytes at most. Received: {name}, "
            f"{len(content):,}"
        )
    with whole_file(PRESETS / name) as temporary:
        shutil.copy(made, temporary)
    print(f"{name}: {len(content) / 1e6:.2f} MB")
    return {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def main(arguments):
    from sodkeras.weights import load_model

    if len(arguments) != 2:
        raise app.UsageError("name one NETWORK.keras")
    facts = {"name": FLAGS.name, "title": FLAGS.title, "licence": "Apache-2.0", "origin": _ORIGIN}
    made = pathlib.Path(FLAGS.made or pathlib.Path(arguments[1]).parents[1] / "made.json")
    facts["training"] = json.loads(made.read_text(encoding="utf-8"))
    package(load_model(arguments[1]), facts, FLAGS.calibrate, FLAGS.numerics, FLAGS.best)


if __name__ == "__main__":
    FLAGS = flags.FLAGS
    flags.DEFINE_string("name", None, "The network's name.", required=True)
    flags.DEFINE_string("title", None, "What it is, in a few words.", required=True)
    flags.DEFINE_string("calibrate", None, "Pictures to calibrate 8 bits with.", required=True)
    flags.DEFINE_string("made", None, "What says how it was trained; default made.json around the run's folder.")
    flags.DEFINE_list("numerics", list(NUMERICS), "Of the files for phones.")
    flags.DEFINE_string("best", None, "Of these, the file for phones that is run by the network's name.")
    app.run(main)
