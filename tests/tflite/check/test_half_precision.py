"""What half precision does to a network on ARM, against sums that are rounded one product at a time."""

import keras
import numpy as np
import pytest

from helpers import photo, tiny_model
from sodkeras import Preprocessing, SodkerasError
from sodkeras.models import InferenceModel
from sodkeras.runtimes import KerasRuntime
from sodkeras.tflite.check.agreement import compare
from sodkeras.tflite.check.half_precision import HalfPrecisionRuntime

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("terms", ["of one sign", "of both signs"])
def test_a_sum_is_as_far_off_as_one_rounded_after_every_product(terms):
    side, taps = 64, 5
    kernel = RNG.uniform(0.5, 1.5, (taps, taps, 3, 1)).astype("float16").astype("float32")
    if terms == "of both signs":
        kernel *= RNG.choice(np.float32([-1, 1]), kernel.shape)
    x = RNG.uniform(0.5, 1.5, (1, side, side, 3)).astype("float16").astype("float32")
    exact, total = np.zeros((2, 1, side - taps + 1, side - taps + 1))
    for row, column, channel in np.ndindex(taps, taps, 3):
        product = x[:, row : row + side - taps + 1, column : column + side - taps + 1, channel].astype("float64")
        product *= kernel[row, column, channel, 0]
        exact += product
        total = (total + product).astype("float16").astype("float64")  # as a fused multiply-add in 16 bits
    inputs = keras.Input((side, side, 3))
    layer = keras.layers.Conv2D(1, taps, use_bias=False)
    model = InferenceModel(inputs, layer(inputs), preprocessing=Preprocessing((side, side)), name="one")
    layer.set_weights([kernel])
    ratio = np.std(HalfPrecisionRuntime(model)(x) - exact) / np.std(total - exact)
    # Terms of both signs are taken for the worse case.
    assert 0.7 < ratio < 1.4 if terms == "of one sign" else 1 < ratio < 12, ratio


def test_a_network_of_ordinary_numbers_gives_nearly_the_same_map_and_keeps_its_weights():
    model = tiny_model().inference_model()
    weights = [weight.copy() for weight in model.get_weights()]
    half = HalfPrecisionRuntime(model)
    found = compare(KerasRuntime(model), half, [(seed, photo(seed=seed)) for seed in range(3)])
    assert 0 < found.summary()["worst_mae"] < 0.005
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    batch = half.preprocessing(photo())
    np.testing.assert_array_equal(half(batch), half(batch))


def test_what_exceeds_half_precision_is_no_number():
    inputs = keras.Input((16, 16, 3))
    large = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer=keras.initializers.Constant(3e4))(inputs)
    back = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer=keras.initializers.Constant(1e-4))(large)
    outputs = keras.layers.Activation("sigmoid")(keras.layers.Subtract()([back, large]))
    model = InferenceModel(inputs, outputs, preprocessing=Preprocessing((16, 16)), name="large")
    with pytest.raises(SodkerasError, match="no numbers"):
        compare(KerasRuntime(model), HalfPrecisionRuntime(model), [("photo", photo())])
