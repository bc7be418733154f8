"""Training goes on from a file: its network, its weights, its preprocessing, and nothing that only looks like it."""

import keras
import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.models import DNL, CSNet
from sodkeras.training.network import build_model, load_weights
from sodkeras.training.settings import Settings

PLAN = {
    "stages": [[[2, 2]], [[2, 2]], [[3]], [[3]], [[3]]],
    "fusion": {"stages": [4], "mixed": [3], "dilation_rates": [1], "dilated": [[2]], "filters": 2},
}


@pytest.fixture
def file(tmp_path):
    model = CSNet(plan=PLAN, preprocessing={"size": (64, 48)})
    model.save(tmp_path / "pruned.keras")
    return model, str(tmp_path / "pruned.keras")


def test_a_pruned_network_is_trained_further_as_it_is(file):
    trained, path = file
    settings = Settings(model=path, dynamic_decay=1.0, prune={"ratio": 0.1})
    model = build_model(settings)
    assert model is not trained and model.channels == trained.channels
    assert model.preprocessing == trained.preprocessing
    load_weights(settings, model)
    x = np.random.default_rng(0).normal(size=(1, 64, 48, 3)).astype("float32")
    np.testing.assert_array_equal(model(x)["saliency_logits"], trained(x)["saliency_logits"])
    assert build_model(settings.changed({"size": 32})).preprocessing.size == (32, 32)
    half = build_model(settings.changed({"policy": "mixed_bfloat16"}))
    load_weights(settings, half)
    assert half.get_layer("classifier").compute_dtype == "bfloat16"


def test_prelu_becomes_relu_and_all_other_weights_stay(file):
    trained, path = file
    settings = Settings(model=path, arguments={"activation": "relu"})
    model = build_model(settings)
    load_weights(settings, model)
    for layer in trained._flatten_layers():
        if isinstance(layer, keras.layers.PReLU):
            layer.alpha.assign(keras.ops.zeros_like(layer.alpha))  # which is ReLU
    x = np.random.default_rng(0).normal(size=(1, 64, 48, 3)).astype("float32")
    np.testing.assert_array_equal(model(x)["saliency_logits"], trained(x)["saliency_logits"])


def test_dnl_trained_on_small_pictures_without_modules_goes_on_with_them_on_larger_ones(tmp_path):
    """The modules' weights depend on the size: they are new, and change nothing until they are trained."""
    stages = [[1, 4, 1, 1], [2, 4, 1, 2], [2, 4, 1, 2], [2, 6, 1, 2]]
    small = DNL((), 2, input_shape=(32, 32, 3), stages=stages, stem_filters=4, aspp_filters=4, low_level_filters=4)
    small.save(tmp_path / "small.keras")
    settings = Settings(model=str(tmp_path / "small.keras"), size=48)
    settings = settings.changed({"arguments": {"input_shape": (48, 48, 3), "positions": (3, 4)}})
    model = build_model(settings)
    load_weights(settings, model)
    x = np.random.default_rng(0).normal(size=(1, 48, 48, 3)).astype("float32")
    same = DNL.from_config(small.get_config() | {"input_shape": (48, 48, 3)})
    same.set_weights(small.get_weights())
    expected = np.array(same(x)["saliency_logits"])
    assert expected.std() > 0
    np.testing.assert_allclose(model(x)["saliency_logits"], expected, rtol=1e-5, atol=1e-7)

    model.get_layer("non_local3_vertical").output_bias.assign_add(np.ones((4, 1, 6)))
    model.save(tmp_path / "with_modules.keras")
    again = settings.changed({"model": str(tmp_path / "with_modules.keras"), "arguments": {"parts": 3}})
    trained_on = build_model(again)
    load_weights(again, trained_on)
    for old, new in zip(model.get_weights(), trained_on.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_frozen_weights_stay_while_others_are_trained(file):
    _, path = file
    model = build_model(Settings(model=path, freeze="stage0*/alpha,classifier/*"))
    before = [np.array(weight) for weight in model.weights]
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    x = np.random.default_rng(0).normal(size=(2, 64, 48, 3)).astype("float32")
    model.train_on_batch(x, {"saliency_logits": np.ones((2, 64, 48, 1), "float32")})
    frozen, moved = set(), set()
    for weight, old in zip(model.weights, before, strict=True):
        (frozen if np.array_equal(weight, old) else moved).add(weight.path)
    held = {
        path
        for path in frozen | moved
        if path.startswith("classifier") or (path.startswith("stage0") and "alpha" in path)
    }
    assert len(held) > 3 and held <= frozen
    assert any("stage1" in path and "alpha" in path for path in moved)
    with pytest.raises(SodkerasError, match=r"No weight is called so: .*'stage9\*' in freeze"):
        build_model(Settings(model=path, freeze="classifier/*,stage9*"))


def test_what_cannot_be_trained_further(file, tmp_path):
    trained, path = file
    trained.inference_model().save(tmp_path / "inference.keras")
    with pytest.raises(SodkerasError, match=r"Only the network that was trained.*inference\.keras"):
        build_model(Settings(model=str(tmp_path / "inference.keras")))
    with pytest.raises(SodkerasError, match=r"no such file.*missing\.keras"):
        build_model(Settings(model="missing.keras"))
    with pytest.raises(SodkerasError, match=r"CSNet, .*u2netp.*or a \.keras file\. Received: 'CSNett'"):
        build_model(Settings(model="CSNett"))
    settings = Settings(model=path, arguments={"simplified": False})  # other kernels
    with pytest.raises(SodkerasError, match="of another network"):
        load_weights(settings, build_model(settings))


def test_an_encoder_with_folded_batch_norms_gets_statistics_of_what_it_will_see(monkeypatch, tmp_path):
    """They are the pictures', and what the file computes stays: an encoder that forgets its biases knows nothing."""
    stages = [[1, 4, 1, 1], [2, 4, 2, 2], [2, 4, 1, 2], [2, 6, 1, 2]]
    settings = Settings(
        model="DNL",
        arguments={
            "positions": (),
            "stages": stages,
            "stem_filters": 4,
            "aspp_filters": 4,
            "low_level_filters": 4,
            "padding": "same",
            "input_shape": (32, 32, 3),
        },
        preprocessing={"mean": (0.5,) * 3, "standard_deviation": (0.5,) * 3},
        backbone_weights=str(tmp_path / "encoder.tflite"),
        batch=4,
    )
    rng = np.random.default_rng(0)
    model = build_model(settings)
    units = [layer for layer in model.layers if layer.name.startswith("mobilenet_v2_") and layer.weights]
    kernels = [rng.normal(0, 0.5, unit.conv.kernel.shape).astype("float32") for unit in units]
    biases = [rng.normal(0, 1, unit.norm.beta.shape).astype("float32") for unit in units]
    monkeypatch.setattr(
        "sodkeras.checkpoints.imagenet.read_convolutions", lambda path: list(zip(kernels, biases, strict=True))
    )
    batches = [(rng.normal(size=(4, 32, 32, 3)).astype("float32"), None) for _ in range(3)]
    load_weights(settings, model, batches)
    stem = model.get_layer("mobilenet_v2_stem")
    values = np.array(stem.conv(np.concatenate([batch for batch, _ in batches])))
    np.testing.assert_allclose(stem.norm.moving_mean, values.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(stem.norm.moving_variance, values.var((0, 1, 2)), rtol=1e-3)
    np.testing.assert_allclose(stem.norm(values), values + biases[0], atol=1e-3)
    assert np.array(model.get_layer("aspp").branches[0].norm.moving_variance).tolist() == [1.0] * 4  # new: not touched
