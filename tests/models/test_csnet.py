"""CSNet: the papers' sizes, saving, flattening, input sizes, training."""

import keras
import numpy as np
import pytest

import contract
from sodkeras.errors import SodkerasError
from sodkeras.graph import flatten
from sodkeras.models import CSNet
from sodkeras.models.channel_plan import channel_plan, check_plan

#: A network that is quick to build: one block a stage.
SMALL = {
    "stages": [[[2, 3]], [[3, 2]], [[4]], [[5]], [[4]]],
    "fusion": {
        "stages": [2, 3, 4],
        "mixed": [2, 3, 2],
        "dilation_rates": [1, 2],
        "dilated": [[1, 1], [0, 2], [2, 0]],
        "filters": 4,
    },
}


def test_contract(tmp_path):
    model = CSNet(plan=SMALL)
    randomise(model)
    contract.check_outputs(model)
    contract.check_inference_model(model)
    contract.check_round_trip(model, tmp_path)
    contract.check_flattens(model)
    contract.check_costs(model)
    assert model.backbone_variables == []


def parameters(model):
    return int(sum(np.prod(weight.shape) for weight in model.trainable_weights))


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def randomise(model):
    generator = np.random.default_rng(1)
    for weight in model.weights:
        values = generator.normal(size=weight.shape).astype("float32")
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else 0.3 * values)


@pytest.mark.parametrize("split", [(1, 0), (0, 1), (2, 1, 1)])
def test_the_split_moves_channels_between_scales_and_keeps_parameters(split):
    model = CSNet(split=split)
    assert parameters(model) == 210_985
    assert model(noise(1, 32, 32, 3))["saliency_logits"].shape == (1, 32, 32, 1)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        pytest.param({"fusion_stages": ()}, 179_501, id="extractor"),
        # The papers' 1457K; counted by hand, the depthwise kernels (9 a channel) become full ones.
        pytest.param({"fusion_stages": (), "simplified": False}, 1_456_781, id="extractor, vanilla"),
        pytest.param({"fusion_stages": (1, 2, 3, 4)}, None, id="four stages"),
        pytest.param({"fusion_stages": (3, 4)}, None, id="two stages"),
        pytest.param({"fusion_stages": (4,)}, None, id="one stage"),
    ],
)
def test_fused_stages_and_units_are_the_users_choice(arguments, count):
    model = CSNet(**arguments)
    assert count in (None, parameters(model))
    assert model(noise(1, 32, 48, 3))["saliency_logits"].shape == (1, 32, 48, 1)


def test_four_stage_fusion_follows_the_three_stage_rule():
    """A third of each stage's channels, the remainder of five dilations in the widest."""
    fusion = channel_plan(fusion_stages=(1, 2, 3, 4))["fusion"]
    assert fusion["mixed"] == [6, 13, 26, 26]
    assert fusion["dilated"][:3] == [[1, 1, 1, 1, 2], [2, 2, 2, 2, 5], [5, 5, 5, 5, 6]]
    assert fusion["filters"] == 71


@pytest.mark.parametrize(
    "arguments",
    [
        {"plan": SMALL},
        {"plan": SMALL, "activation": "leaky_relu", "pad_to_multiple": True},
        {"width": 0.5, "split": (1, 2), "fusion_stages": (3, 4), "activation": "relu"},
        {"plan": SMALL | {"fusion": None}, "simplified": False, "input_shape": (32, 32, 3)},
    ],
    ids=["plan", "padded", "width", "extractor"],
)
def test_saved_model_computes_the_same(arguments, tmp_path):
    model = CSNet(**arguments, preprocessing={"size": (32, 32)})
    randomise(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = noise(2, 32, 32, 3)
    np.testing.assert_array_equal(loaded(x)["saliency_logits"], model(x)["saliency_logits"])
    model.inference_model().save(tmp_path / "inference.keras")
    inference = keras.models.load_model(tmp_path / "inference.keras")
    np.testing.assert_array_equal(inference(x), model.inference_model()(x))
    assert inference.preprocessing == model.preprocessing
    assert loaded.get_config() == model.get_config()
    assert loaded.channels == model.channels


def test_flat_network_has_plain_layers_and_equal_outputs():
    model = CSNet(plan=SMALL)
    randomise(model)
    flat = flatten(model, (32, 32, 3))
    np.testing.assert_array_equal(
        flat(noise(1, 32, 32, 3))["saliency_logits"], model(noise(1, 32, 32, 3))["saliency_logits"]
    )
    plain = (
        keras.layers.InputLayer,
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv2D,
        keras.layers.BatchNormalization,
        keras.layers.PReLU,
        keras.layers.AveragePooling2D,
        keras.layers.MaxPooling2D,
        keras.layers.UpSampling2D,
        keras.layers.Add,
        keras.layers.Concatenate,
        keras.layers.Activation,
    )
    assert [layer.name for layer in flat.layers if not isinstance(layer, plain)] == []


@pytest.mark.parametrize("size", [(232, 225), (225, 240)])
def test_size_that_does_not_fit_is_refused_with_the_next_good_one(size):
    good = {(232, 225): "240×240", (225, 240): "240×240"}[size]
    model = CSNet()
    with pytest.raises(
        ValueError, match=f"multiples of 16; the next good size is {good}.*Received: {size[0]}×{size[1]}"
    ):
        model(np.zeros((1, *size, 3), "float32"))
    with pytest.raises(ValueError, match=f"the next good size is {good}"):
        CSNet(input_shape=(*size, 3))


def test_padding_on_request_gives_the_picture_size_and_the_padded_result():
    model = CSNet(plan=SMALL, pad_to_multiple=True)
    randomise(model)
    x = noise(1, 37, 50, 3)
    padded = np.pad(x, ((0, 0), (0, 11), (0, 14), (0, 0)))
    wanted = model(padded)["saliency_logits"][:, :37, :50]
    np.testing.assert_array_equal(model(x)["saliency_logits"], wanted)
    assert model.predict(x, verbose=0)["saliency_logits"].shape == (1, 37, 50, 1)
    # A second and third size make TensorFlow trace a graph for sizes it does not know.
    for height in (16, 21):
        assert model.predict(x[:, :height], verbose=0)["saliency_logits"].shape == (1, height, 50, 1)


def test_first_block_of_a_stage_has_the_large_kernel():
    model = CSNet()
    kernels = {layer.name: layer.kernel_size for layer in model.layers if layer.name.startswith("stage")}
    assert [name for name, size in kernels.items() if size == 3] == ["stage0_0", "stage2_0", "stage3_0", "stage4_0"]
    assert len(kernels) == 18


def test_training_lowers_the_loss_in_mixed_precision():
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = CSNet(plan=SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    x = noise(4, 32, 32, 3)
    masks = (x[..., :1] > 0).astype("float32")
    model.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
    losses = model.fit(x, masks, batch_size=4, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model(x)["saliency_logits"].dtype == "float32"


def change(path, value):
    """`SMALL` with another value at a path of keys."""
    plan = keras.tree.map_structure(lambda leaf: leaf, SMALL)
    *parents, last = path
    target = plan
    for key in parents:
        target = target[key]
    target[last] = value
    return plan


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (change(["stages", 1, 0], [0, 0]), "Block 0 of stage 1 has no channels"),
        (change(["stages", 2, 0], [2, 2]), "Stage 2 is fused"),
        (change(["stages", 3], []), "blocks of stages 0 to 4"),
        (change(["fusion", "stages"], [1, 2, 4]), "consecutive"),
        (change(["fusion", "mixed"], [2, 0, 2]), "no channels left for stage 3"),
        (change(["fusion", "dilated", 1], [0, 0]), "no channels left for stage 3"),
        (change(["fusion", "dilated", 1], [1]), "a row of dilated channels"),
        (change(["fusion", "filters"], 0), "no output channels"),
        ({"stages": 3}, "A channel plan is"),
    ],
)
def test_plans_that_make_no_network_are_refused(plan, message):
    with pytest.raises(SodkerasError, match=f"{message}.*Received: "):
        check_plan(plan)


@pytest.mark.parametrize(
    "arguments",
    [{"split": (0, 0)}, {"split": (1, -1)}, {"fusion_stages": (5,)}, {"fusion_stages": (2, 3)}, {"width": 0.01}],
)
def test_arguments_that_make_no_network_are_refused(arguments):
    with pytest.raises(SodkerasError, match="Received: "):
        CSNet(**arguments)


@pytest.mark.parametrize("arguments", [{}, {"width": 2}, {"activation": "relu"}, {"split": (3, 1)}])
def test_a_network_that_was_never_trained_gives_sensible_maps(arguments):
    """With Keras's variances of 1 it was NaN: `evaluate` before training, the first val_loss, early stopping by it."""
    keras.utils.set_random_seed(0)
    model = CSNet(**arguments)
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    logits = np.array(model(x)["saliency_logits"])
    assert np.isfinite(logits).all() and 1e-3 < np.abs(logits).max() < 1e3
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    assert float(loss(np.zeros_like(logits), logits)) < 100


def test_where_statistics_begin_changes_nothing_that_training_computes():
    keras.utils.set_random_seed(0)
    model = CSNet(plan=SMALL)
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    before = np.array(model(x, training=True)["saliency_logits"])
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(keras.ops.ones_like(layer.moving_variance))
    np.testing.assert_array_equal(np.array(model(x, training=True)["saliency_logits"]), before)


def test_half_precision_is_finite_from_the_first_call():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = CSNet()
    finally:
        keras.config.set_dtype_policy(before)
    x = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    assert np.isfinite(np.array(model(x)["saliency_logits"])).all()
