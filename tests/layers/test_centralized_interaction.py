"""The centralised strategy: sharing, the succeeding stage, and relative global calibration by its formula."""

import keras
import numpy as np
import pytest

from sodkeras.graph import flatten
from sodkeras.layers import CentralizedInteraction, PyramidPooling, RelativeGlobalCalibration

RNG = np.random.default_rng(0)
SHAPES = [(12, 10, 3), (6, 5, 4), (3, 3, 5)]


def features():
    return [RNG.normal(size=(2, *shape)).astype("float32") for shape in SHAPES]


def test_calibration_is_the_released_codes_formula():
    layer = RelativeGlobalCalibration(4)
    x, source = RNG.normal(size=(2, 6, 5, 4)).astype("float32"), RNG.normal(size=(2, 3, 3, 4)).astype("float32")
    result = np.array(layer(x, source))

    def convs(block, value):
        return value + np.array(block.units[1](block.units[0](value)))

    gate = 1 / (1 + np.exp(-convs(layer.relative, source).max((1, 2), keepdims=True)))
    expected = convs(layer.output_convs, (gate * convs(layer.local, x)).astype("float32"))
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert RelativeGlobalCalibration.from_config(layer.get_config()).get_config() == layer.get_config()


def test_calibration_has_the_papers_parameters():
    layer = RelativeGlobalCalibration(64)
    layer.build((None, None, None, 64), (None, None, None, 64))
    assert sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights) == 221_952


def test_pyramid_pooling_stands_beside_the_means_of_its_source():
    layer = PyramidPooling(8, sizes=(1, 2))
    x, source = RNG.normal(size=(2, 5, 6, 4)).astype("float32"), RNG.normal(size=(2, 4, 3, 4)).astype("float32")
    result = np.array(layer(x, source))
    # 4×3 in 2×2 regions: the middle column belongs to both sides.
    rows, columns = (slice(0, 2), slice(2, 4)), (slice(0, 2), slice(1, 3))
    means = np.stack([np.stack([source[:, i, j].mean((1, 2)) for j in columns], 1) for i in rows], 1)
    whole, corners = (
        np.array(unit(value))
        for unit, value in zip(layer.reductions, (source.mean((1, 2), keepdims=True), means), strict=True)
    )
    # The four regions stand at the corners of x, and what is between them is bilinear.
    down, across = np.linspace(0, 1, 5)[:, None, None], np.linspace(0, 1, 6)[:, None]
    spread = corners[:, :1] * (1 - down) + corners[:, 1:] * down
    spread = spread[:, :, :1] * (1 - across) + spread[:, :, 1:] * across
    wider = [np.broadcast_to(whole, (2, 5, 6, whole.shape[-1])), spread]
    expected = np.array(layer.output_unit(np.concatenate([x, *wider], -1).astype("float32")))
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("interactor", ["none", "conv2", "conv4", "rgc", "ppm"])
@pytest.mark.parametrize("next_stage", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_every_row_of_the_tables_flattens(interactor, next_stage, shared):
    layer = CentralizedInteraction(8, interactor, next_stage, shared, name="interaction")
    # One picture feeds all levels, for `flatten` knows networks of one input.
    picture = keras.Input((12, 10, 3))
    levels = [picture, keras.layers.AveragePooling2D(2)(picture), keras.layers.AveragePooling2D(4)(picture)]
    model = keras.Model(picture, layer(levels))
    x = RNG.normal(size=(2, 12, 10, 3)).astype("float32")
    expected = [np.array(value) for value in model(x)]
    assert [value.shape[1:] for value in expected] == [(12, 10, 8), (6, 5, 8), (3, 2, 8)]
    flat = flatten(model)
    assert not any(getattr(part, "_layers", None) for part in flat.layers)
    for value, other in zip(expected, flat(x), strict=True):
        np.testing.assert_array_equal(np.array(other), value)
    assert CentralizedInteraction.from_config(layer.get_config()).get_config() == layer.get_config()
    distinct = {id(part) for part in layer.interactors}
    assert len(distinct) == (0 if interactor == "none" else 1 if shared else 3)


@pytest.mark.parametrize("interactor", ["rgc", "ppm"])
@pytest.mark.parametrize("next_stage", [True, False])
def test_a_level_sees_the_succeeding_stage_only_if_asked_to(interactor, next_stage):
    layer = CentralizedInteraction(8, interactor, next_stage)
    inputs = features()
    before = np.array(layer(inputs)[0])
    inputs[1] = inputs[1] + 3
    assert (np.abs(np.array(layer(inputs)[0]) - before).max() > 1e-6) == next_stage


def test_an_unknown_interactor_is_refused():
    with pytest.raises(ValueError, match="Received: 'attention'"):
        CentralizedInteraction(8, "attention")
