"""The centralised strategy: sharing, the succeeding stage, and relative global calibration by its formula."""

import keras
import numpy as np
import pytest

from sodkeras.flatten import flatten
from sodkeras.layers import CentralizedInteraction, RelativeGlobalCalibration

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
