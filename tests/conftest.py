"""Fixtures that several packages' tests share."""

import os
import pathlib

import pytest

from sodkeras.commands.main import prepare_tensorflow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
prepare_tensorflow()
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


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
