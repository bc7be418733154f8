"""What every network promises (see `sodkeras.models.base`), as checks that a network's test calls."""

import cv2
import keras
import numpy as np

from sodkeras.complexity import complexity
from sodkeras.graph import flatten
from sodkeras.models import MODELS, InferenceModel
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.convert import convert

RNG = np.random.default_rng(0)


def pictures(model, count=2):
    """A batch that the model takes, of a size as small as its own input allows."""
    height, width = (size or 64 for size in model.input_shape[1:3])
    return RNG.normal(size=(count, height, width, 3)).astype("float32")


def arrays(outputs):
    return {name: np.array(value) for name, value in outputs.items()}


def check_outputs(model):
    """Logits at the input's size in float32, the result first."""
    batch = pictures(model)
    outputs = model(batch)
    assert list(outputs) == list(model.output) and next(iter(outputs)) == "saliency_logits"
    for name, value in outputs.items():
        assert name.endswith("_logits")
        assert value.shape == (*batch.shape[:3], 1)
        assert keras.backend.standardize_dtype(value.dtype) == "float32"


def check_inference_model(model):
    """One map in [0, 1], from the very same weights."""
    batch = pictures(model)
    inference = model.inference_model()
    logits = np.array(model(batch)["saliency_logits"])
    saliency = np.array(inference(batch))
    np.testing.assert_allclose(saliency, 1 / (1 + np.exp(-logits.astype("float64"))), atol=1e-6)
    assert {id(weight) for weight in inference.weights} <= {id(weight) for weight in model.weights}
    assert inference.inference_model() is inference
    assert inference.preprocessing == model.preprocessing


def check_round_trip(model, folder):
    """A `.keras` file gives back the class, the config, the preprocessing and bit-equal outputs."""
    batch = pictures(model)
    assert type(model).from_config(model.get_config()).get_config() == model.get_config()
    model.save(folder / "model.keras")
    again = keras.models.load_model(folder / "model.keras")
    assert type(again) is type(model) and MODELS[type(model).__name__] is type(model)
    assert again.get_config() == model.get_config()
    for name, value in arrays(again(batch)).items():
        np.testing.assert_array_equal(value, np.array(model(batch)[name]), err_msg=name)
    inference = model.inference_model()
    inference.save(folder / "inference.keras")
    restored = keras.models.load_model(folder / "inference.keras")
    assert isinstance(restored, InferenceModel) and restored.preprocessing == model.preprocessing
    np.testing.assert_array_equal(np.array(restored(batch)), np.array(inference(batch)))


def check_flattens(model):
    """A graph of plain layers with unique names that computes the same values from the same weights."""
    batch = pictures(model)
    flat = flatten(model, batch.shape[1:])
    assert not any(getattr(layer, "_layers", None) for layer in flat.layers)
    expected = arrays(model(batch))
    for name, value in arrays(flat(batch)).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert {id(weight) for weight in flat.weights} == {id(weight) for weight in model.weights}


def check_costs(model):
    """`sodkeras profile` counts every parameter once, and its rows add up."""
    height, width = pictures(model).shape[1:3]
    counted = complexity(model, (height, width))
    statistics = {id(v) for part in model._flatten_layers() for v in part.non_trainable_variables if "moving" in v.name}
    values = [int(np.prod(weight.shape)) for weight in model.weights if id(weight) not in statistics]
    assert counted.parameters == sum(values)
    for count in ("parameters", "multiply_adds", "flops"):
        assert getattr(counted, count) == sum(getattr(row, count) for row in counted.layers) > 0


def check_converts(model, examples, folder):
    """Files in float and in 8 bits for LiteRT, which knows its own operators alone; float computes what Keras does.

    Args:
        model: a network whose maps are not all black or white.
        examples: the folder of photos.
        folder: where the files go.

    Returns:
        The runtime of the 8-bit file.
    """
    float32, int8 = convert(model, folder, ["float32", "int8"], calibration=examples)
    batch = model.preprocessing(cv2.imread(str(examples / "cat.jpg"))[..., ::-1])
    expected = KerasRuntime(model)(batch)
    assert expected.std() > 1e-4
    assert np.abs(LiteRTRuntime(float32)(batch) - expected).max() < 1e-4
    runtime = LiteRTRuntime(int8)
    assert np.abs(runtime(batch) - expected).mean() < 0.05
    return runtime


def check_backbone(model, backbone):
    """The variables that the network calls its backbone's are those of that backbone alone."""
    own = model.backbone_variables
    shapes = [sorted(tuple(weight.shape) for weight in each) for each in (own, backbone.trainable_variables)]
    assert shapes[0] == shapes[1]
    assert {id(weight) for weight in own} < {id(weight) for weight in model.trainable_variables}


def check_learns(model, steps=8, rate=0.01):
    """Training on one fixed batch, with one mask for all outputs, lowers the loss; every output has its own."""
    batch = pictures(model)
    masks = (batch[..., :1] > 0).astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    history = model.fit(batch, masks, epochs=steps, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert all(np.isfinite(history["loss"]))
    if len(model.output) > 1:
        assert set(history) == {"loss", *(f"{name}_loss" for name in model.output)}
