"""Fixtures that several packages' tests share."""

import json
import os
import pathlib
import sys

import pytest

from sodkeras import SodkerasError
from sodkeras.commands.main import prepare_tensorflow
from sodkeras.tflite import child_process

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
prepare_tensorflow()
#: The markers that every test of a folder has.
_OF_FOLDER = {"android_demo": "jvm", "training_scripts": "train", "web_demo": "browser"}
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items):
    for item in items:
        marker = _OF_FOLDER.get(item.path.relative_to(REPOSITORY / "tests").parts[0])
        if marker:
            item.add_marker(marker)
        if "reference" in item.fixturenames:
            item.add_marker("reference")


@pytest.fixture(scope="session")
def reference():
    """The folder with golden arrays and research pictures, which are never part of the repository."""
    folder = pathlib.Path(os.environ.get("SODKERAS_REFERENCE", REPOSITORY.parent / "shared"))
    if not (folder / "reference").is_dir():
        pytest.skip(
            f"no golden arrays under {folder}; set SODKERAS_REFERENCE to the folder that holds reference/ and data/"
        )
    return folder


@pytest.fixture(scope="session")
def examples():
    """The repository's photos."""
    return REPOSITORY / "examples"


def _run_here(work, job, what):
    if not work.startswith("sodkeras.tflite.convert_process"):
        return _IN_A_CHILD(work, job, what)  # tfmot would change how this process sees Keras
    try:
        return json.loads(json.dumps(child_process.call(work, json.loads(json.dumps(job)), sys.stderr)))
    except SodkerasError:
        raise
    except Exception as error:
        raise SodkerasError(f"The {what} failed: {error}. Received: {job['source']}") from error


_IN_A_CHILD, child_process.run = child_process.run, _run_here


@pytest.fixture(autouse=True)
def conversion_in_a_child(request, monkeypatch):
    """Conversions run in the tests' own process, where TensorFlow is loaded already; not in tests of the child."""
    if request.node.get_closest_marker("process"):
        monkeypatch.setattr(child_process, "run", _IN_A_CHILD)
