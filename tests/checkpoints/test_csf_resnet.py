"""CSF+Res2Net's importer: every name of the released state dict is used, and a file that does not fit is refused."""

import ast

import numpy as np
import pytest

from sodkeras.checkpoints import csf_resnet as checkpoint
from sodkeras.errors import SodkerasError


@pytest.fixture(scope="module")
def arrays(reference):
    """Random arrays with the names and shapes of the key list."""
    lines = (reference / "reference/state_keys_csf_res2net50.txt").read_text().splitlines()
    rows = dict(line.split(None, 1) for line in lines if line.strip())
    generator = np.random.default_rng(0)
    return {name: generator.random(ast.literal_eval(shape), dtype=np.float32) for name, shape in rows.items()}


@pytest.mark.reference
def test_every_name_finds_its_layer(arrays):
    assert len(arrays) == 573
    # The released file still holds the classifier of the backbone's training.
    model = checkpoint.from_state_dict(arrays | {"base.fc.weight": np.zeros((1000, 2048), np.float32)})
    kernel = np.array(model.get_layer("fusion").mix.convs["2to1"].kernel)[0, 0]
    np.testing.assert_array_equal(kernel, arrays["fuse.conv.weights"][128:384, 768:1792, 0, 0].T)
    kernel = np.array(model.get_layer("res2net_layer3_5_convs2").conv.kernel)
    np.testing.assert_array_equal(kernel, arrays["base.layer3.5.convs.2.weight"].transpose(2, 3, 1, 0))


@pytest.mark.reference
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"head.weight": np.zeros(3)}, "head.weight"),
        ({"fuse.conv.weights": np.zeros((1408, 3000, 1, 1))}, r"should be \(1408, 3840, 1, 1\)"),
    ],
)
def test_a_state_dict_that_does_not_fit_is_refused(arrays, change, says):
    with pytest.raises(SodkerasError, match=says):
        checkpoint.from_state_dict(arrays | change)
