"""Lowering is exact and leaves nothing that splits the graph."""

import keras
import numpy as np

from helpers import photo, tiny_model, write_photo
from sodkeras import Preprocessing
from sodkeras.flatten import calls
from sodkeras.models import InferenceModel, U2Net
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.convert import convert
from sodkeras.tflite.lower import lower
from sodkeras.tflite.partitions import count_partitions

RNG = np.random.default_rng(0)


def test_concatenations_of_any_width_keep_their_order():
    for width in (2, 4, 5, 6, 9, 17):
        inputs = keras.Input((4, 4, 3))
        branches = [keras.layers.Conv2D(1 + index % 3, 1)(inputs) for index in range(width)]
        model = InferenceModel(inputs, keras.layers.Concatenate()(branches), preprocessing=Preprocessing((4, 4)))
        lowered = lower(model)
        batch = RNG.normal(size=(2, 4, 4, 3)).astype("float32")
        np.testing.assert_array_equal(np.array(lowered(batch)), np.array(model(batch)))
        widest = max(len(ins) for layer, ins, _ in calls(lowered) if isinstance(layer, keras.layers.Concatenate))
        assert widest == min(width, 4)


def test_a_network_keeps_its_values_and_its_weights():
    model = tiny_model().inference_model()
    lowered = lower(model)
    batch = model.preprocessing(photo())
    np.testing.assert_array_equal(np.array(lowered(batch)), np.array(model(batch)))
    assert {id(weight) for weight in lowered.weights} == {id(weight) for weight in model.weights}


def test_six_side_outputs_are_one_partition_in_float_and_in_8_bits(tmp_path):
    rows = {"encoder": [["RSU-2F", 2, 4]] * 6, "decoder": [["RSU-2F", 2, 4]] * 5}
    model = U2Net(rows, preprocessing=Preprocessing(size=(64, 64)), name="six")
    paths = convert(model, tmp_path, ["float32", "int8"], calibration=write_photo(tmp_path / "photo.png"))
    for path in paths:
        partitions = count_partitions(LiteRTRuntime(path).interpreter)
        assert (partitions.partitions, partitions.outside) == (1, {}), str(partitions)
