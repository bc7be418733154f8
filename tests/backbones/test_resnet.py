"""ResNet: the published parameters, taps at their strides for any size, saving."""

import keras
import numpy as np
import pytest

from sodkeras.backbones import ResNet


@pytest.mark.parametrize(("depth", "parameters"), [(18, 11_176_512), (50, 23_508_032)])
def test_has_the_papers_parameters(depth, parameters):
    backbone = ResNet(depth)
    assert sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights) == parameters


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("size", [(64, 96), (37, 50), (1, 1)])
def test_taps_have_their_strides(depth, size):
    backbone = ResNet(depth, width=2)
    features = backbone(np.zeros((1, *size, 3), np.float32))
    assert backbone.strides == {"stem": 2, "layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
    for name, tap in features.items():
        assert tap.shape[1:3] == tuple(-(-length // backbone.strides[name]) for length in size), name


def test_saves_to_bit_equal_features(tmp_path):
    backbone = ResNet(18, width=4, freeze_batch_norm=True)
    backbone.save(tmp_path / "backbone.keras")
    again = keras.models.load_model(tmp_path / "backbone.keras")
    assert again.get_config() == backbone.get_config() and len(again.trainable_weights) == 20
    x = np.random.default_rng(0).normal(size=(1, 40, 40, 3)).astype("float32")
    np.testing.assert_array_equal(np.array(again(x)["layer4"]), np.array(backbone(x, training=True)["layer4"]))


def test_an_unknown_depth_is_refused():
    with pytest.raises(ValueError, match=r"\(18, 34, 50, 101\)\. Received: 42"):
        ResNet(42)
