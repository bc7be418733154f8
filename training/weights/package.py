"""Puts a trained network into the package: its files, and beside each a preset that says how it was made.

usage: python training/weights/package.py NETWORK.keras --name=NAME --title=TEXT --calibrate=FOLDER
           [--made=made.json] [--numerics=float16,int8]

What a script of this folder trained is last.keras of its last run; made.json lies in the folder around the runs.
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

#: What may be packaged, as suffix of a preset's name: numerics, and how its title says it.
NUMERICS = {"float16": ("float16", "in half precision"), "int8": ("static_wi8_ai8", "in 8 bits")}
#: The most bytes a file may have.
LARGEST = {".tflite": 6_000_000, ".keras": 20_000_000}
PRESETS = pathlib.Path(__file__).parent.parent.parent / "sodkeras" / "presets"
_ORIGIN = "trained by this project on DUTS-TR (training/weights)"


def package(model, facts, calibrate, numerics=tuple(NUMERICS)):
    """Writes a network's .keras file, what is made of it for phones, and a preset for each.

    Args:
        model: a `SaliencyModel`.
        facts: what the presets say beside what follows from the network: name, title, licence, origin, training.
        calibrate: a folder of pictures, of which 100 calibrate.
        numerics: of the files for phones, keys of `NUMERICS`.

    Raises:
        ValueError: for a file that is larger than `LARGEST`.
    """
    from sodkeras.complexity import complexity
    from sodkeras.tflite.convert import convert

    name, cost = facts["name"], complexity(model)
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
        _take(source, f"{name}.keras", facts)
        for suffix in numerics:
            # By the preset's name, so that the file's metadata has its licence.
            full, words = NUMERICS[suffix]
            (made,) = convert(name, folder, [full], calibrate)
            words = {"name": f"{name}_{suffix}", "title": f"{facts['title']}, {words}"}
            _take(made, f"{name}_{suffix}.tflite", facts | words)


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


def _take(made, name, facts):
    content = made.read_bytes()
    if len(content) > LARGEST[made.suffix]:
        raise ValueError(
            f"A {made.suffix} file in the package has {LARGEST[made.suffix]:,} bytes at most. Received: {name}, "
            f"{len(content):,}"
        )
    with whole_file(PRESETS / name) as temporary:
        shutil.copy(made, temporary)
    facts = facts | {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    with whole_file(PRESETS / f"{facts['name']}.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{name}: {len(content) / 1e6:.2f} MB")


def main(arguments):
    from sodkeras.weights import load_model

    if len(arguments) != 2:
        raise app.UsageError("name one NETWORK.keras")
    facts = {"name": FLAGS.name, "title": FLAGS.title, "licence": "Apache-2.0", "origin": _ORIGIN}
    made = pathlib.Path(FLAGS.made or pathlib.Path(arguments[1]).parents[1] / "made.json")
    facts["training"] = json.loads(made.read_text(encoding="utf-8"))
    package(load_model(arguments[1]), facts, FLAGS.calibrate, FLAGS.numerics)


if __name__ == "__main__":
    FLAGS = flags.FLAGS
    flags.DEFINE_string("name", None, "The preset's name.", required=True)
    flags.DEFINE_string("title", None, "What it is, in a few words.", required=True)
    flags.DEFINE_string("calibrate", None, "Pictures to calibrate 8 bits with.", required=True)
    flags.DEFINE_string("made", None, "What says how it was trained; default made.json around the run's folder.")
    flags.DEFINE_list("numerics", list(NUMERICS), "Of the files for phones.")
    app.run(main)
