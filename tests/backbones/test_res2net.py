"""Res2Net v1b: the released code's blocks, parameters, taps at their strides for any size."""

import keras
import numpy as np
import pytest

from sodkeras.backbones import Res2Net
from sodkeras.backbones.res2net import res2net_block
from sodkeras.checkpoints.backbone_names import torchvision_units
from sodkeras.checkpoints.state_dict import StateDict


@pytest.mark.reference
@pytest.mark.parametrize(
    ("case", "strides", "first"), [("stage_s2", 2, True), ("stage_s1", 1, True), ("normal", 1, False)]
)
def test_blocks_are_those_of_the_released_code(reference, case, strides, first):
    golden = np.load(reference / "reference/res2net_block_golden.npz")
    x, expected = (golden[f"{case}/{part}"].transpose(0, 2, 3, 1) for part in ("in", "out"))
    picture = keras.Input(x.shape[1:])
    # The name of a first block, so that its arrays are found as in the whole network.
    block = res2net_block(picture, 128, 13, strides, first, name="res2net_layer1_0")
    model = keras.Model(picture, block)
    prefix = f"{case}/sd/"
    state = StateDict(
        {f"layer1.0.{name[len(prefix) :]}": golden[name] for name in golden.files if name.startswith(prefix)}, case
    )
    for unit, conv, norm in torchvision_units(model, "res2net"):
        state.fill_unit(unit, conv, norm)
    state.finish()
    np.testing.assert_allclose(np.array(model(x)), expected, atol=5e-6)


def test_has_the_released_parameters():
    backbone = Res2Net()
    assert sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights) == 23_669_352


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (1, 1)])
def test_taps_have_their_strides(size):
    backbone = Res2Net(width=8)
    assert backbone.strides == {"stem": 2, "layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
    for name, tap in backbone(np.zeros((1, *size, 3), np.float32)).items():
        assert tap.shape[1:3] == tuple(-(-length // backbone.strides[name]) for length in size), name


def test_saves_to_bit_equal_features(tmp_path):
    backbone = Res2Net(width=8, freeze_batch_norm=True)
    backbone.save(tmp_path / "backbone.keras")
    again = keras.models.load_model(tmp_path / "backbone.keras")
    assert again.get_config() == backbone.get_config()
    x = np.random.default_rng(0).normal(size=(1, 40, 40, 3)).astype("float32")
    np.testing.assert_array_equal(np.array(again(x)["layer4"]), np.array(backbone(x, training=True)["layer4"]))


def test_an_unknown_depth_is_refused():
    with pytest.raises(ValueError, match=r"\(50, 101\)\. Received: 18"):
        Res2Net(18)
