"""PReLU's forms for 8 bits: exact where they say so, and cheaper only where it does not show."""

import keras
import numpy as np
import pytest

from sodkeras.graph import Graph
from sodkeras.tflite.passes.prelu import Form, choose_forms, exact_forms, replace_prelu

RNG = np.random.default_rng(0)


def prelu_network(slopes, maker="depthwise"):
    inputs = keras.Input((8, 8, len(slopes)))
    if maker == "depthwise":
        x = keras.layers.DepthwiseConv2D(3, padding="same", bias_initializer="random_normal")(inputs)
    elif maker == "pointwise":
        x = keras.layers.Conv2D(len(slopes), 1, use_bias=False)(inputs)
    elif maker == "full":
        x = keras.layers.Conv2D(len(slopes), 3, padding="same", bias_initializer="random_normal")(inputs)
    elif maker == "sum":
        x = keras.layers.Add()([keras.layers.Conv2D(len(slopes), 1)(inputs), inputs])
    else:
        x = inputs
    layer = keras.layers.PReLU(shared_axes=[1, 2], name="prelu")
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(layer(x)))
    layer.alpha.assign(np.reshape(slopes, (1, 1, -1)))
    return model


@pytest.mark.parametrize("maker", ["depthwise", "pointwise", "full", "sum", "input"])
@pytest.mark.parametrize(
    "slopes", [[0.25, 0.0, -0.1, 1.0], [2.0, 1.5, 3.0, 1.2], [0.3, 4.0, -2.0, 1.0]], ids=["to 1", "over 1", "mixed"]
)
def test_the_exact_form_is_exact_for_any_slopes(slopes, maker):
    model = prelu_network(slopes, maker)
    forms = exact_forms(model)
    assert forms == {"prelu": Form("exact")}
    batch = RNG.normal(size=(2, 8, 8, 4)).astype("float32")
    replaced = replace_prelu(model, forms)
    np.testing.assert_allclose(np.array(replaced(batch)), np.array(model(batch)), atol=1e-5)
    assert not any(isinstance(layer, keras.layers.PReLU) for layer in replaced.layers)


@pytest.mark.parametrize(("slope", "form"), [(0.0, Form("relu")), (0.5, Form("leaky", 0.5)), (-0.5, Form("exact"))])
def test_one_slope_for_all_channels_is_no_sum(slope, form):
    model = prelu_network([slope] * 3)
    assert exact_forms(model) == {"prelu": form}
    batch = RNG.normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(
        np.array(replace_prelu(model, exact_forms(model))(batch)), np.array(model(batch)), atol=1e-5
    )


def test_the_cheapest_form_that_does_not_show_is_taken():
    batch = RNG.normal(size=(4, 8, 8, 3)).astype("float32")

    def chosen(slopes, offsets=(0, 0, 0), decibels=35):
        return choose_forms(prelu_network(slopes, "input"), [batch + np.float32(offsets)], decibels)["prelu"]

    # A normal variable's halves are alike: a slope of 1/100 is 40 dB under the other half.
    small = chosen([0.01, -0.01, 0.0])
    assert small.name == "relu" and small.decibels == pytest.approx(40, abs=1)
    assert chosen([0.01, -0.01, 0.0], decibels=45).name == "exact"
    # A channel that is never negative has any slope.
    assert chosen([0.0, 0.0, 0.7], (0, 0, 20)).name == "relu"
    # One that is never positive is nothing but its slope.
    assert chosen([0.0, 0.0, -0.01], (0, 0, -20)).name == "exact"
    assert chosen([0.3, 0.302, 0.7], (0, 0, 20)) == Form(
        "leaky", pytest.approx(0.3, abs=0.01), pytest.approx(54, abs=3)
    )


def test_a_cheaper_form_changes_what_it_says_it_does():
    model = prelu_network([0.02, 0.01, 0.0], "depthwise")
    batches = [RNG.normal(size=(4, 8, 8, 3)).astype("float32")]
    form = choose_forms(model, batches, decibels=20)["prelu"]
    assert form.name == "relu"
    replaced = replace_prelu(model, {"prelu": form})

    def activations(network):
        tap = next(call.output for call in Graph(network) if call.layer.name == "prelu")
        return np.array(keras.Model(network.input, tap)(batches[0]))

    wanted, changed = activations(model), activations(replaced)
    error = (changed - wanted).var((0, 1, 2))
    ratio = wanted.var((0, 1, 2))[error > 0] / error[error > 0]
    assert form.decibels == pytest.approx(10 * np.log10(ratio.min()), abs=0.1)
