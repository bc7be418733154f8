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
    ("output_stride", "strides"),
    [(32, [2, 4, 8, 16, 16, 32, 32]), (16, [2, 4, 8, 16, 16, 16, 16]), (8, [2, 4, 8, 8, 8, 8, 8])],
)
@pytest.mark.parametrize("size", [(64, 96), (37, 50)])
def test_taps_have_their_strides(output_stride, strides, size):
    backbone = MobileNetV2(output_stride, stages=TINY, stem_filters=4)
    features = backbone(np.zeros((1, *size, 3), np.float32))
    assert list(backbone.strides.values())[1:] == strides
    for name, tap in features.items():
        stride = backbone.strides[name]
        assert tap.shape[1:3] == tuple(-(-length // stride) for length in size), name


@pytest.mark.parametrize("output_stride", [16, 8])
@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_dilated_it_computes_what_it_does_with_strides_and_between(output_stride, padding):
    # Several blocks a stage: where a stage loses its stride, only its first convolution keeps the old dilation.
    stages = [[1, 4, 1, 1], [2, 6, 2, 2], [2, 8, 2, 2], [2, 10, 3, 2], [2, 12, 2, 1], [2, 14, 3, 2], [2, 16, 1, 1]]
    keras.utils.set_random_seed(0)
    strided = MobileNetV2(32, stages=stages, stem_filters=4, padding=padding)
    dilated = MobileNetV2(output_stride, stages=stages, stem_filters=4, padding=padding)
    for weight in strided.weights:  # biases and scales that a wrong tap would show
        weight.assign(weight + np.random.default_rng(1).uniform(0.1, 0.5, weight.shape))
    dilated.set_weights(strided.get_weights())
    # Large enough for pixels that no border reaches: this network sees some 400.
    x = np.random.default_rng(2).normal(size=(1, 1024, 1024, 3)).astype("float32")
    theirs, ours = strided(x), dilated(x)
    for name in list(strided.strides)[1:]:
        ratio = strided.strides[name] // dilated.strides[name]
        # Keras's padding puts a window's middle one place further where an even size is halved.
        first = ratio - 1 if padding == "same" else 0
        at_their_places = np.array(ours[name])[:, first::ratio, first::ratio]
        inner = slice(*(np.array([0.35, 0.65]) * theirs[name].shape[1]).astype(int))
        expected = np.array(theirs[name])[:, inner, inner]
        assert expected.size and expected.std() > 0
        np.testing.assert_allclose(
            at_their_places[:, inner, inner], expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=name
        )


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
