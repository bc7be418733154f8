"""Whose file it is: found by its names, with the licence that goes with it."""

import ast

import numpy as np
import pytest

from sodkeras import SodkerasError, checkpoints
from sodkeras.checkpoints import pytorch_file


@pytest.mark.reference
@pytest.mark.parametrize("width", [1, 2])
def test_released_csnet_files_are_known_and_their_licence_is_said(reference, width, tmp_path, monkeypatch):
    """The `.pth.tar` itself needs torch; its arrays are stored beside it."""
    weights = reference / "reference/weights"
    arrays = dict(np.load(weights / f"csnet_L_x{width}_state.npz"))
    monkeypatch.setattr(pytorch_file, "read_state_dict", lambda path: arrays)
    imported = checkpoints.import_file(tmp_path / "any.pth.tar", weights / f"csnet-L-x{width}.bin")
    assert type(imported.model).__name__ == "CSNet" and "non-commercial" in imported.licence
    parameters = sum(int(np.prod(weight.shape)) for weight in imported.model.trainable_weights)
    assert parameters == {1: 93_647, 2: 140_894}[width]
    with pytest.raises(SodkerasError):
        checkpoints.import_file(tmp_path / "any.pth.tar", weights / f"csnet-L-x{3 - width}.bin")


@pytest.mark.reference
@pytest.mark.parametrize(
    ("keys", "network", "licence"),
    [("cii_r18", "CII", "all rights are reserved"), ("csf_res2net50", "CSFResNet", "non-commercial")],
)
def test_files_of_the_big_networks_are_known_by_their_names(keys, network, licence, reference, tmp_path, monkeypatch):
    lines = (reference / f"reference/state_keys_{keys}.txt").read_text().splitlines()
    rows = dict(line.split(None, 1) for line in lines if line.strip())
    arrays = {name: np.zeros(ast.literal_eval(shape), np.float32) for name, shape in rows.items()}
    monkeypatch.setattr(pytorch_file, "read_state_dict", lambda path: arrays)
    imported = checkpoints.import_file(tmp_path / "any.pth")
    assert type(imported.model).__name__ == network and licence in imported.licence


def test_an_unknown_state_dict_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pytorch_file, "read_state_dict", lambda path: {"conv1.weight": np.zeros((1, 1, 1, 1))})
    with pytest.raises(SodkerasError, match=r"no network known here.*conv1\.weight"):
        checkpoints.import_file(tmp_path / "any.pth")


@pytest.mark.reference
def test_the_released_csnet_file_itself(reference):
    pytest.importorskip("torch", reason="the extra `torch` is not installed")
    imported = checkpoints.import_file(reference / "reference/weights/csnet-L-x1.pth.tar")
    assert type(imported.model).__name__ == "CSNet"
