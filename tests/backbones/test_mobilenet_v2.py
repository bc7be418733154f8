"""MobileNetV2: the paper's parameters, output strides by dilation, frozen batch norm."""

import keras
import numpy as np
import pytest

from sodkeras.backbones import MobileNetV2, freeze_batch_norm

TINY = ((1, 4, 1, 1), (2, 6, 2, 2), (2, 8, 1, 2), (2, 10, 2, 2), (2, 12, 1, 1), (2, 14, 1, 2), (2, 16, 1, 1))


def test_has_the_papers_parameters_and_names():
    backbone = MobileNetV2()
    assert sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights) == 1_811_712
    assert all(layer.name.startswith("mobilenet_v2_") for layer in backbone.layers if layer.weights)


@pytest.mark.parametrize(
    ("output_stride", "strides", "dilations"),
    [
        (32, [2, 4, 8, 16, 16, 32, 32], [1, 1, 1, 1, 1, 1, 1]),
        (16, [2, 4, 8, 16, 16, 16, 16], [1, 1, 1, 1, 1, 1, 2]),
        (8, [2, 4, 8, 8, 8, 8, 8], [1, 1, 1, 1, 2, 2, 4]),
    ],
)
@pytest.mark.parametrize("size", [(64, 96), (37, 50)])
def test_taps_have_their_strides(output_stride, strides, dilations, size):
    backbone = MobileNetV2(output_stride, stages=TINY, stem_filters=4)
    features = backbone(np.zeros((1, *size, 3), np.float32))
    assert list(backbone.strides.values())[1:] == strides
    for name, tap in features.items():
        stride = backbone.strides[name]
        assert tap.shape[1:3] == tuple(-(-length // stride) for length in size), name
    found = [backbone.get_layer(f"mobilenet_v2_ir{stage}_0_depthwise").dilation_rate for stage in range(1, 8)]
    assert found == dilations


def test_frozen_batch_norm_stays_in_training(tmp_path):
    backbone = MobileNetV2(stages=TINY, stem_filters=4, freeze_batch_norm=True)
    backbone.save(tmp_path / "backbone.keras")
    again = keras.models.load_model(tmp_path / "backbone.keras")
    assert again.get_config() == backbone.get_config() and again.strides == backbone.strides
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    for model in (backbone, again):
        assert not any("bn" in weight.path for weight in model.trainable_weights)
        np.testing.assert_array_equal(np.array(model(x, training=True)["ir7"]), np.array(model(x)["ir7"]))
    np.testing.assert_array_equal(np.array(again(x)["ir7"]), np.array(backbone(x)["ir7"]))
    free = MobileNetV2(stages=TINY, stem_filters=4)
    assert freeze_batch_norm(free, "other") == 0
    assert np.abs(np.array(free(x, training=True)["ir7"]) - np.array(free(x)["ir7"])).max() > 0.1
