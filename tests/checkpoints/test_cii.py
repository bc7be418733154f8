"""CII's importer: every name of the released state dicts is used, and a file that does not fit is refused."""

import ast

import numpy as np
import pytest

from sodkeras.checkpoints import cii as checkpoint
from sodkeras.errors import SodkerasError
from sodkeras.models import CII

RNG = np.random.default_rng(0)


def state_dict(path):
    """Random arrays with the names and shapes of a key list."""
    rows = (line.split(None, 1) for line in path.read_text().splitlines() if line.strip())
    return {name: RNG.normal(size=ast.literal_eval(shape)).astype("float32") for name, shape in rows}


@pytest.mark.reference
@pytest.mark.parametrize(("file", "depth", "entries"), [("cii_r18", 18, 278), ("cii_r50", 50, 494)])
def test_every_name_finds_its_layer(reference, file, depth, entries):
    arrays = state_dict(reference / f"reference/state_keys_{file}.txt")
    assert len(arrays) == entries
    model = checkpoint.from_state_dict(arrays)
    assert model.depth == depth
    kernel = model.get_layer("resnet_layer4_1_conv2").conv.kernel
    np.testing.assert_array_equal(np.array(kernel), arrays["base.resnet.layer4.1.conv2.weight"].transpose(2, 3, 1, 0))
    statistics = model.get_layer("interaction").interactors[0].relative.units[1].norm.moving_variance
    np.testing.assert_array_equal(np.array(statistics), arrays["base.RGC.basic2.conv1.4.running_var"])


@pytest.mark.reference
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda arrays: arrays.pop("topdown.2.conv.0.weight"), "no 'topdown.2.conv.0.weight'"),
        (lambda arrays: arrays.update({"fc.weight": np.zeros(3)}), "'fc.weight'"),
        (lambda arrays: arrays.update({"score.score.bias": np.zeros(2)}), r"should be \(1,\)\. Received: \(2,\)"),
    ],
)
def test_a_state_dict_that_does_not_fit_is_refused(reference, change, says):
    arrays = state_dict(reference / "reference/state_keys_cii_r18.txt")
    change(arrays)
    with pytest.raises(SodkerasError, match=says):
        checkpoint.from_state_dict(arrays)


def test_only_the_released_interactor_is_filled():
    with pytest.raises(SodkerasError, match="Received: 'ppm', True, True"):
        checkpoint.load_state_dict(CII(width=2, filters=4, interactor="ppm"), {})
