"""RSU blocks: parameters, sizes, and the sum that makes them residual."""

import keras
import numpy as np
import pytest

from sodkeras.layers import ConvUnit, ResidualU, ResizeLike

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("height", "dilated", "channels", "mid", "out", "parameters"),
    [  # every distinct block of the paper's Table 1, trainable parameters as the released code has them
        (7, False, 3, 32, 64, 206_016),
        (6, False, 64, 32, 128, 305_856),
        (5, False, 128, 64, 256, 1_108_992),
        (4, False, 256, 128, 512, 3_986_688),
        (4, True, 512, 256, 512, 10_034_688),
        (4, True, 1024, 256, 512, 12_393_984),
        (7, False, 3, 16, 64, 67_200),
    ],
)
def test_parameters_of_the_papers_blocks(height, dilated, channels, mid, out, parameters):
    block = ResidualU(height, mid, out, dilated)
    block.build((None, None, None, channels))
    assert sum(int(np.prod(weight.shape)) for weight in block.trainable_weights) == parameters


@pytest.mark.parametrize("dilated", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 23), (32, 32)])
def test_any_size_goes_in_and_comes_out(size, dilated):
    block = ResidualU(5, 2, 3, dilated)
    assert block(RNG.random((2, *size, 4), np.float32)).shape == (2, *size, 3)
    assert block.compute_output_shape((None, *size, 4)) == (None, *size, 3)


def test_without_its_inner_u_a_block_is_its_input_unit():
    block = ResidualU(4, 2, 3)
    x = RNG.random((1, 9, 9, 3), np.float32)
    block(x)
    last = block.decoder_units[-1]
    last.batch_norm.gamma.assign(np.zeros(3))
    last.batch_norm.beta.assign(np.zeros(3))
    np.testing.assert_allclose(block(x), block.input_unit(x), atol=1e-6)


def test_training_mode_reaches_every_batch_norm():
    block = ResidualU(3, 2, 2)
    x = RNG.random((4, 8, 8, 3), np.float32) + 1
    block(x)
    units = [block.input_unit, *block.encoder_units, *block.decoder_units]
    before = [np.array(unit.batch_norm.moving_mean) for unit in units]
    block(x, training=False)
    for unit, mean in zip(units, before, strict=True):
        np.testing.assert_array_equal(unit.batch_norm.moving_mean, mean)
    block(x, training=True)
    for unit, mean in zip(units, before, strict=True):
        assert np.abs(np.array(unit.batch_norm.moving_mean) - mean).max() > 0


@pytest.mark.parametrize(
    "layer",
    [ConvUnit(3, 2, "glorot_uniform", name="unit"), ResidualU(4, 2, 3, True, "he_normal"), ResizeLike(name="r")],
)
def test_config_round_trips(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_a_height_under_two_is_refused():
    with pytest.raises(ValueError, match="height=1"):
        ResidualU(1, 2, 3)


def test_resize_like_samples_at_half_pixel_centres():
    x = np.float32([[0, 1], [2, 3]]).reshape(1, 2, 2, 1)
    resized = np.array(ResizeLike()(x, np.zeros((1, 4, 4, 7), np.float32)))[0, ..., 0]
    axis = np.clip((np.arange(4) + 0.5) / 2 - 0.5, 0, 1)
    np.testing.assert_allclose(resized, axis[None] + 2 * axis[:, None], atol=1e-6)


def test_resize_like_keeps_half_precision():
    x = keras.ops.cast(np.ones((1, 2, 2, 1)), "bfloat16")
    resized = ResizeLike(dtype="bfloat16")(x, keras.ops.zeros((1, 4, 4, 1), "bfloat16"))
    assert keras.backend.standardize_dtype(resized.dtype) == "bfloat16"
