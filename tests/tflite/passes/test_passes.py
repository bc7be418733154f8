"""Lowering is exact and leaves nothing that splits the graph."""

import keras
import numpy as np
import pytest

from helpers import photo, tiny_model, write_photo
from sodkeras import Preprocessing, SodkerasError
from sodkeras.graph import Graph, flatten
from sodkeras.models import CSNet, InferenceModel, U2Net
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.check.agreement import TOLERANCES, compare
from sodkeras.tflite.check.partitions import count_partitions
from sodkeras.tflite.convert import convert
from sodkeras.tflite.passes import EIGHT_BIT_PASSES, EightBits, lower, lower_for_integers
from sodkeras.tflite.passes.average_pool import replace_average_pools
from sodkeras.tflite.passes.concatenate import activate_before_concatenating
from sodkeras.tflite.passes.run import Pass, check_equal, probe_picture, run

RNG = np.random.default_rng(0)


def test_concatenations_of_any_width_keep_their_order():
    for width in (2, 4, 5, 6, 9, 17):
        inputs = keras.Input((4, 4, 3))
        branches = [keras.layers.Conv2D(1 + index % 3, 1)(inputs) for index in range(width)]
        model = InferenceModel(inputs, keras.layers.Concatenate()(branches), preprocessing=Preprocessing((4, 4)))
        lowered = lower(model)
        batch = RNG.normal(size=(2, 4, 4, 3)).astype("float32")
        np.testing.assert_allclose(np.array(lowered(batch)), np.array(model(batch)), atol=1e-6)
        widest = max(len(call.inputs) for call in Graph(lowered) if isinstance(call.layer, keras.layers.Concatenate))
        assert widest == min(width, 4)


def test_a_network_keeps_its_values_and_the_caller_its_weights():
    model = tiny_model().inference_model()
    before = [weight.copy() for weight in model.get_weights()]
    lowered = lower(model)
    batch = model.preprocessing(photo())
    np.testing.assert_allclose(np.array(lowered(batch)), np.array(model(batch)), atol=1e-5)
    convolutions = [layer for layer in lowered.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in convolutions:
        layer.kernel.assign(layer.kernel * 0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_step_that_changes_the_function_is_refused():
    model = tiny_model().inference_model()
    lowered = lower(model)
    last = [layer for layer in lowered.layers if isinstance(layer, keras.layers.Conv2D)][-1]
    last.bias.assign(last.bias + 0.01)
    batch = model.preprocessing(probe_picture())
    check_equal(model, model, batch)
    with pytest.raises(SodkerasError, match="Lowering changed"):
        check_equal(model, lowered, batch)
    with pytest.raises(SodkerasError, match="Lowering changed"):
        check_equal(model, lambda batch, training: model(batch) * np.nan, batch)


def test_a_pass_that_says_that_it_is_exact_is_held_to_it():
    model = lower(tiny_model().inference_model())
    batch = tiny_model().preprocessing(photo())

    def brighter(model, _):
        return keras.Model(model.input, model.output + 0.01)

    assert run(model, [Pass(lambda model, _: model), Pass(brighter, exact=False)], batch) is not model
    with pytest.raises(SodkerasError, match="Lowering changed"):
        run(model, [Pass(brighter)], batch)


@pytest.mark.parametrize("prelu", ["auto", "exact", None])
def test_no_pass_changes_the_network_that_it_is_given(prelu):
    model = lower(csnet().inference_model())
    batches = [csnet().preprocessing(photo(seed=seed)) for seed in range(2)]
    plan, before = EightBits(lambda purpose, count=None: batches[:count], prelu), [*model.get_weights()]
    found = lower_for_integers(model, plan)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    prelus = sum(isinstance(layer, keras.layers.PReLU) for layer in model.layers)
    assert prelus == sum((plan.prelu_counts or {"prelu": prelus}).values()) > 0
    assert any(isinstance(layer, keras.layers.PReLU) for layer in found.layers) == (prelu is None)
    if prelu == "exact":  # then all but the biases' correction is
        exact = run(model, EIGHT_BIT_PASSES[:-1], batches[0], plan)
        np.testing.assert_allclose(np.array(exact(batches[0])), np.array(model(batches[0])), atol=1e-4)


def test_a_network_that_magnifies_rounding_is_held_to_its_own_digits():
    inputs = keras.Input((8, 8, 3))
    steep = keras.layers.Conv2D(1, 1)
    model = InferenceModel(inputs, steep(inputs), preprocessing=Preprocessing((8, 8)))
    steep.kernel.assign(np.reshape([1e6, 0.0, 0.0], (1, 1, 3, 1)))
    steep.bias.assign([-1e6])  # what is large cancels, on any CPU in the same way
    batch = (1 + 1e-6 * RNG.normal(size=(1, 8, 8, 3))).astype("float32")
    check_equal(model, lambda batch, training: model(batch) + 0.05, batch)
    with pytest.raises(SodkerasError, match="Lowering changed"):
        check_equal(model, lambda batch, training: model(batch) + 1e3, batch)


def test_average_pools_are_convolutions_unless_their_windows_reach_over_the_edge():
    inputs = keras.Input((6, 9, 3))
    pools = [
        keras.layers.AveragePooling2D((2, 3), strides=2)(inputs),
        keras.layers.AveragePooling2D(3, padding="same")(inputs),
        keras.layers.AveragePooling2D((2, 3))(inputs),  # TensorFlow has no such convolution on every CPU
        keras.layers.AveragePooling2D(2)(inputs),  # drops the last column
        keras.layers.AveragePooling2D(2, padding="same")(inputs),  # averages the last column with itself
        keras.layers.AveragePooling2D(2, strides=1, padding="same")(inputs),
    ]
    model = keras.Model(inputs, pools)
    replaced = replace_average_pools(model)
    batch = RNG.normal(size=(2, 6, 9, 3)).astype("float32")
    for received, expected in zip(replaced(batch), model(batch), strict=True):
        np.testing.assert_allclose(np.array(received), np.array(expected), atol=1e-6)
    assert sum(isinstance(layer, keras.layers.AveragePooling2D) for layer in replaced.layers) == 3


def test_a_relu_goes_in_front_of_a_concatenation_that_nothing_else_uses():
    inputs = keras.Input((4, 4, 3))
    branches = [keras.layers.Conv2D(2, 1)(inputs), keras.layers.Conv2D(3, 1)(inputs)]
    shared = keras.layers.Concatenate()(branches)
    alone = keras.layers.ReLU(max_value=0.5)(keras.layers.Concatenate(axis=1)([branches[0], branches[0]]))
    model = keras.Model(inputs, [keras.layers.ReLU()(shared), shared, alone])
    moved = activate_before_concatenating(model)
    batch = RNG.normal(size=(2, 4, 4, 3)).astype("float32")
    for received, expected in zip(moved(batch), model(batch), strict=True):
        np.testing.assert_array_equal(np.array(received), np.array(expected))
    last = Graph(moved).maker(moved.outputs[2]).layer
    assert isinstance(last, keras.layers.Concatenate)


def csnet(size=(32, 48)):
    """A small CSNet whose maps vary with the picture; slopes of every kind in some places, tiny ones elsewhere."""
    keras.utils.set_random_seed(0)
    model = CSNet(width=0.3, preprocessing=Preprocessing(size=size), name="tiny_csnet")
    norms = [layer for layer in flatten(model).layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    model(np.concatenate([model.preprocessing(photo(seed=seed)) for seed in range(4)]), training=True)
    for layer in norms:
        # A channel that hardly varies would have its rounding errors magnified.
        variance = np.array(layer.moving_variance)
        layer.moving_variance.assign(np.maximum(variance, variance.mean()))
    for index, variable in enumerate(variable for variable in model.variables if variable.name == "alpha"):
        variable.assign(RNG.choice([0.0, 1e-4, 0.25, -0.1] if index % 8 == 0 else [0.0, 1e-4], variable.shape))
    return model


@pytest.mark.train
def test_csnet_is_one_partition_in_float_and_in_8_bits_and_stays_what_it_was(tmp_path):
    model = csnet()
    photos = [write_photo(tmp_path / f"{seed}.png", seed=seed) for seed in range(4)]
    for path in convert(model, tmp_path / "out", ["float32", "int8"], photos):
        runtime = LiteRTRuntime(path)
        partitions = count_partitions(runtime.interpreter)
        assert (partitions.partitions, partitions.outside) == (1, {}), str(partitions)
        found = compare(KerasRuntime(model), runtime, [(seed, photo(seed=seed)) for seed in range(4)])
        assert found.violations(TOLERANCES[runtime.numerics]) == [], found.summary()
    assert {"exact", "relu"} <= set(runtime.metadata["prelu"])


def test_six_side_outputs_are_one_partition_in_float_and_in_8_bits(tmp_path):
    rows = {"encoder": [["RSU-2F", 2, 4]] * 6, "decoder": [["RSU-2F", 2, 4]] * 5}
    model = U2Net(rows, preprocessing=Preprocessing(size=(64, 64)), name="six")
    paths = convert(
        model,
        tmp_path,
        ["float32", "int8"],
        calibration=[write_photo(tmp_path / f"{seed}.png", seed=seed) for seed in range(2)],
    )
    for path in paths:
        partitions = count_partitions(LiteRTRuntime(path).interpreter)
        assert (partitions.partitions, partitions.outside) == (1, {}), str(partitions)
