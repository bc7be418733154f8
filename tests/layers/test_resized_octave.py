"""Cross-stage fusion on maps of any sizes: the released code's stages, any sizes, its parameters."""

import keras
import numpy as np
import pytest

from sodkeras.checkpoints.csf_resnet import fill_head
from sodkeras.checkpoints.state_dict import StateDict
from sodkeras.graph import flatten
from sodkeras.layers import ParallelDilatedConv, ResizedCrossStageFusion, ResizedOctaveConv

CHANNELS = (256, 512, 1024, 2048)


def channels_last(array):
    return array.transpose(0, 2, 3, 1)


@pytest.mark.reference
def test_every_stage_is_that_of_the_released_code(reference):
    golden = np.load(reference / "reference/csf_head_golden.npz")
    fusion = ResizedCrossStageFusion((128, 256, 512, 512), name="fusion")
    fusion.build([(None, None, None, count) for count in CHANNELS])
    state = StateDict({name[3:]: golden[name] for name in golden.files if name.startswith("sd/")}, "the head")
    fill_head(state, fusion)
    assert state.finish(ignore=("cls_layer.",))[1] == ["cls_layer.bias", "cls_layer.weight"]
    assert sum(int(np.prod(weight.shape)) for weight in fusion.weights) == 12_859_137 - 1_409
    for case in "ABC":
        inputs = [channels_last(golden[f"{case}/in{scale}"]) for scale in range(4)]
        mixed = fusion.mix(inputs)
        for scale in range(4):
            expected = channels_last(golden[f"{case}/fuse{scale}"])
            np.testing.assert_allclose(np.array(mixed[scale]), expected, atol=2e-5, err_msg=f"{case} fuse {scale}")
            if f"{case}/ms{scale}" in golden:
                expected = channels_last(golden[f"{case}/ms{scale}"])
                dilated = np.array(fusion.dilated[scale](mixed[scale]))
                np.testing.assert_allclose(dilated, expected, atol=2e-5, err_msg=f"{case} ms {scale}")
        expected = channels_last(golden[f"{case}/fuse1x1"])
        merged = np.array(fusion(inputs))
        step = merged.shape[-1] // expected.shape[-1]
        np.testing.assert_allclose(merged[..., ::step], expected, atol=3e-5, err_msg=case)


def test_flattens_on_odd_sizes_and_keeps_its_config():
    picture = keras.Input((13, 9, 3))
    pooled = keras.layers.AveragePooling2D(2, padding="same")(picture)
    layer = ResizedCrossStageFusion((5, 10), filters=4, groups=1, name="fusion")
    model = keras.Model(picture, layer([picture, pooled]))
    x = np.random.default_rng(0).normal(size=(2, 13, 9, 3)).astype("float32")
    flat = flatten(model)
    assert not any(getattr(part, "_layers", None) for part in flat.layers)
    np.testing.assert_array_equal(np.array(flat(x)), np.array(model(x)))
    for made in (layer, layer.mix, *layer.dilated):
        assert type(made).from_config(made.get_config()).get_config() == made.get_config()


def test_starts_with_the_released_codes_spread():
    layer = ResizedOctaveConv([64], groups=8)
    layer.build([(None, None, None, 60), (None, None, None, 40)])
    kernels = np.concatenate([np.array(conv.kernel).ravel() for conv in layer.convs.values()])
    assert np.abs(kernels).max() <= 0.1 and kernels.std() == pytest.approx(0.1 / 3**0.5, rel=0.05)


def test_a_dilated_conv_without_the_factor_is_of_plain_layers():
    layer = ParallelDilatedConv([2, 2], (1, 2), kernel_scale=1, groups=2)
    assert {type(conv) for conv in layer.convs.values()} == {keras.layers.Conv2D}
    assert isinstance(layer.norm, keras.layers.GroupNormalization)
