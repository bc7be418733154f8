"""The folder of a run: what it was asked for, and whether it is asked for the same again."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
from collections.abc import Sequence

import keras

from sodkeras.data.pairs import Pair
from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, whole_file
from sodkeras.training.settings import Settings

# Settings that may change when a run goes on, for what is trained does not depend on them.
_FREE = ("cache", "save_every", "samples", "prune", "fine_tune", "re_estimate")


def run_record(settings: Settings, training: Sequence[Pair], validation: Sequence[Pair], origin: dict | None) -> dict:
    """What settings.json says.

    Args:
        settings: a `Settings`.
        training, validation: lists of `sodkeras.data.Pair`.
        origin: what else it says: the recipe's name, and what the user changed.

    Returns:
        A dict that JSON carries.
    """
    names = [[_called(pair) for pair in pairs] for pairs in (training, validation)]
    packages = ("sodkeras", "keras", "tensorflow", "torch", "jax", "numpy")
    versions = {"python": platform.python_version(), "backend": keras.backend.backend()}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        **(origin or {}),
        "settings": settings.to_dict(),
        "data": {
            "training": len(training),
            "validation": len(validation),
            "sets": sorted({pair.set for pair in [*training, *validation]}),
            "sha256": hashlib.sha256(json.dumps(names).encode()).hexdigest(),
        },
        "versions": versions,
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def _called(pair):
    """What tells a pair from others, and from the same files read otherwise."""
    chosen = "" if pair.mask_value is None else f" of value {pair.mask_value}"
    return f"{pair.set}/{pair.stem}{chosen}"


def inside(folder: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """A path under a run's folder, if that is where it leads.

    Raises:
        SodkerasError: if a link, "..", or an absolute path leads out of the folder.
    """
    if not pathlib.Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise SodkerasError(f"The path leads out of the run's folder; put the file itself there. Received: {path}")
    return path


def open_run(folder: pathlib.Path, record: dict) -> None:
    """Writes settings.json into a run's folder, or finds it to be that of the same run.

    A start that failed before anything was trained leaves the folder free for other settings.

    Raises:
        SodkerasError: if the folder holds something else, a run of other settings or pictures, or a damaged file.
    """
    path = folder / "settings.json"
    if not path.exists():
        if folder.exists() and any(folder.iterdir()) and not (folder / "initial.keras").exists():
            raise SodkerasError(f"The folder holds something else; choose another --out. Received: {folder}")
        _write(path, record)
        return
    try:
        old = json.loads(read_bytes(path))
        # A setting that is younger than the run had what is now its default.
        before, data, count = Settings().to_dict() | old["settings"], old["data"]["sha256"], old["data"]["training"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SodkerasError(f"The file is damaged; choose another --out. Received: {path}") from None
    if not _has_begun(folder):
        _write(path, record)
        return
    now = record["settings"]
    changed = [
        f"{name} {before.get(name)!r}, now {now.get(name)!r}"
        for name in {**before, **now}
        if name not in _FREE and before.get(name) != now.get(name)
    ]
    if changed:
        raise SodkerasError(
            f"The folder holds a run with other settings ({'; '.join(changed)}); choose another --out. "
            f"Received: {folder}"
        )
    if data != record["data"]["sha256"]:
        raise SodkerasError(
            f"The run in this folder began with other pictures ({count} to train on, now "
            f"{record['data']['training']}); choose another --out. Received: {folder}"
        )


def _write(path, record):
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _has_begun(folder):
    return any(folder.glob("*.keras")) or any((folder / "checkpoints").glob("step-*.npz"))
