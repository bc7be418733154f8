"""Pruning against the released step, the papers' table, and by what a user would see."""

import json

import keras
import numpy as np
import pytest

from sodkeras.checkpoints import csnet
from sodkeras.checkpoints.csnet_plan import _from_released
from sodkeras.errors import SodkerasError
from sodkeras.models import CSNet, U2Net
from sodkeras.models.channel_plan import check_plan
from sodkeras.pruning import CRITERIA, fine_tune, prune_csnet, re_estimate_statistics

SMALL = {
    "stages": [[[4, 4]], [[4, 4], [4, 4]], [[6, 4], [8]], [[4, 4], [8]], [[4, 6], [8]]],
    "fusion": {
        "stages": [2, 3, 4],
        "mixed": [4, 4, 4],
        "dilation_rates": [1, 2],
        "dilated": [[2, 2], [2, 2], [2, 2]],
        "filters": 6,
    },
}


def parameters(model):
    return int(sum(np.prod(weight.shape) for weight in model.trainable_weights))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def random_network(plan=SMALL, **arguments):
    """A network in which every weight matters and no γ is near 0."""
    model = CSNet(plan=plan, **arguments)
    generator = np.random.default_rng(1)
    for weight in model.weights:
        values = generator.normal(size=weight.shape).astype("float32")
        if "variance" in weight.path or "gamma" in weight.path:
            values = np.abs(values) + 0.5
        weight.assign(values)
    return model


@pytest.fixture(scope="module")
def network():
    return random_network()


def silence(norm, channels):
    """γ = β = 0 at the channels, so that taking them out changes nothing behind a PReLU."""
    for variable in (norm.gamma, norm.beta):
        values = variable.numpy()
        values[channels] = 0
        variable.assign(values)


@pytest.fixture(scope="module")
def golden(reference):
    return np.load(reference / "reference/csnet_prune_golden.npz")


@pytest.fixture(scope="module")
def released_step(golden):
    """The golden network, pruned by us, and as the released code left it.

    In float64: TensorFlow sums a batch norm's 36,864 values one after the other, which in float32 costs 2e-3 of the
    logits in training mode.
    """
    states = {}
    for part in ("before", "after"):
        states[part] = {key.removeprefix(f"{part}/"): golden[key] for key in golden.files if key.startswith(f"{part}/")}
    keras.config.set_dtype_policy("float64")
    try:
        return prune_csnet(csnet.from_state_dict(states["before"])), csnet.from_state_dict(states["after"])
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.reference
def test_released_step_leaves_the_same_channels_and_weights(golden, released_step):

    (pruned, plan), released = released_step
    assert plan == check_plan(_from_released(json.loads(str(golden["config_json"]))))
    for ours, theirs in zip(pruned.trainable_weights, released.trainable_weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    logits = pruned(golden["input"].transpose(0, 2, 3, 1), training=True)["saliency_logits"]
    assert np.abs(logits - golden["after_logits_trainmode"].transpose(0, 2, 3, 1)).max() <= 1e-4


@pytest.mark.train
@pytest.mark.reference
def test_thresholds_give_the_parameters_of_pami_table_10(reference):
    model = csnet.from_state_dict(dict(np.load(reference / "reference/weights/csnet_L_x2_state.npz")))
    thresholds = [1e-2, 8e-3, 6e-3, 5e-3, 3e-3, 1e-3, 1e-5, 1e-10, 1e-15, 1e-20]
    assert [parameters(prune_csnet(model, threshold=threshold)[0]) for threshold in thresholds] == [
        55_740, 79_421, 104_981, 118_525, 135_870, 136_223, 139_914, 140_513, 140_815, 140_894,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"simplified": False},
        {"activation": "relu"},
        {"plan": SMALL | {"fusion": None}},
        {"plan": None, "width": 0.6, "fusion_stages": (1, 2, 3, 4)},
    ],
    ids=["csnet", "vanilla", "relu", "extractor", "width"],
)
def test_channels_that_add_nothing_can_go_unnoticed(arguments):
    """Statistics are carried over, so the pruned network computes the same at once."""
    model = random_network(**arguments)
    for layer in model.layers:
        if layer.name.startswith("stage"):
            for scale, norm in layer.mix.norms.items():
                silence(norm, [0, 2])
                # A silent input still leaves a unit's own β.
                silence(layer.unit1.norms[scale], [0, 2])
                silence(layer.unit2.norms[scale], [0, 2])
    if model.channels["fusion"]:
        fusion = model.get_layer("fusion")
        for norm in [*fusion.mix.norms.values(), *fusion.merge.norms.values()]:
            silence(norm, [1])
        silence(fusion.dilated[0].norm, [0, 1])  # a whole dilation
    pruned, plan = prune_csnet(model)
    for before, after in zip(model.channels["stages"], plan["stages"], strict=True):
        assert after == [[count - 2 for count in block] for block in before]
    assert parameters(pruned) < parameters(model)
    if model.plan and plan["fusion"]:
        assert (plan["fusion"]["mixed"], plan["fusion"]["dilated"][0]) == ([3, 3, 3], [0, 2])
    x = noise(2, 32, 32, 3)
    expected = model(x)["saliency_logits"]
    np.testing.assert_allclose(pruned(x)["saliency_logits"], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_scale_can_disappear():
    model = random_network()
    block = model.get_layer("stage1_0")
    for unit in (block.mix, block.unit1, block.unit2):
        silence(unit.norms["1"], slice(None))
    pruned, plan = prune_csnet(model)
    assert plan["stages"][1][0] == [4, 0]
    x = noise(1, 32, 32, 3)
    np.testing.assert_allclose(pruned(x)["saliency_logits"], model(x)["saliency_logits"], rtol=1e-4, atol=1e-2)


def test_pruned_network_is_saved_and_pruned_again(network, tmp_path):
    pruned, plan = prune_csnet(network, ratio=0.3)
    pruned.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    x = noise(1, 32, 32, 3)
    np.testing.assert_array_equal(loaded(x)["saliency_logits"], pruned(x)["saliency_logits"])
    assert loaded.channels == plan
    again, _ = prune_csnet(loaded, ratio=0.3)
    assert parameters(again) < parameters(loaded)


@pytest.mark.parametrize("criterion", ["l2", "geometric_median"])
def test_fixed_ratio_takes_that_share_of_each_scale(network, criterion):
    _, plan = prune_csnet(network, criterion, ratio=0.5)
    assert plan["stages"] == [[[2, 2]], [[2, 2], [2, 2]], [[3, 2], [4]], [[2, 2], [4]], [[2, 3], [4]]]
    assert (plan["fusion"]["mixed"], plan["fusion"]["filters"]) == ([2, 2, 2], 3)
    assert [sum(row) for row in plan["fusion"]["dilated"]] == [2, 2, 2]


def test_a_share_is_more_where_more_is_gone_already():
    network = random_network()
    count = network.channels["stages"][2][0][0]
    silence(network.get_layer("stage2_0").mix.norms["0"], np.arange(3))
    _, plan = prune_csnet(network, ratio=0.3)
    assert plan["stages"][2][0][0] == count - 3
    _, plan = prune_csnet(network, "l2", ratio=0.3)  # knows of no γ
    assert plan["stages"][2][0][0] == count - int(0.3 * count)


def test_criteria_score_as_their_papers_say():
    gamma = np.array([-2.0, 1.0, 0.5])
    filters = np.array([[3.0, 0.0, 1.0], [-4.0, 0.0, 1.0]])
    np.testing.assert_allclose(CRITERIA["gamma"](gamma, filters), [2, 1, 0.5])
    np.testing.assert_allclose(CRITERIA["l1"](gamma, filters), [7, 0, 2])
    np.testing.assert_allclose(CRITERIA["l2"](gamma, filters), [5, 0, 2**0.5])
    distances = [5 + 29**0.5, 5 + 2**0.5, 29**0.5 + 2**0.5]
    np.testing.assert_allclose(CRITERIA["geometric_median"](gamma, filters), distances)


def test_users_own_criterion(network):
    _, plan = prune_csnet(network, lambda gamma, filters: np.arange(len(gamma)), threshold=1)
    assert plan["stages"][0] == [[3, 3]]


def test_a_dead_path_is_refused():
    model = random_network()
    with pytest.raises(SodkerasError, match=r"Block 0 of stage 0 has no channels left: dead path"):
        prune_csnet(model, threshold=1e9)
    silence(model.get_layer("fusion").dilated[1].norm, slice(None))
    with pytest.raises(SodkerasError, match=r"no channels left for stage 3: dead path"):
        prune_csnet(model)


@pytest.mark.parametrize(
    "arguments",
    [
        {"threshold": 1, "ratio": 0.5},
        {"criterion": "l1"},
        {"ratio": 1.0},
        {"ratio": -0.1},
        {"criterion": "taylor", "ratio": 0.5},
    ],
)
def test_unclear_orders_are_refused(network, arguments):
    with pytest.raises(ValueError, match="Received: "):
        prune_csnet(network, **arguments)


def test_other_networks_are_refused():
    with pytest.raises(ValueError, match="Received: U2Net"):
        prune_csnet(U2Net("small"))


def test_re_estimated_statistics_are_the_mean_of_the_batches():
    model = random_network()
    norm = model.get_layer("stage0_0").mix.norms["0"]
    conv = model.get_layer("stage0_0").mix.convs["0to0"]
    batches = [noise(4, 16, 16, 3, seed=seed) + seed for seed in range(3)]
    weights = [weight.numpy() for weight in model.trainable_weights]
    momentum = norm.momentum
    assert re_estimate_statistics(model, iter(batches)) == 3
    values = [np.asarray(conv(batch)) for batch in batches]
    np.testing.assert_allclose(norm.moving_mean, np.mean([v.mean((0, 1, 2)) for v in values], 0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, np.mean([v.var((0, 1, 2)) for v in values], 0), rtol=1e-4)
    for weight, before in zip(model.trainable_weights, weights, strict=True):
        np.testing.assert_array_equal(weight, before)
    assert norm.momentum == momentum
    with pytest.raises(ValueError, match="at least one batch"):
        re_estimate_statistics(model, [])


def test_fine_tuning_changes_the_weights():
    model = CSNet(plan={"stages": [[[2]], [[2]], [[2]], [[2]], [[2]]], "fusion": None})
    kernels = [weight for weight in model.trainable_weights if weight.name == "kernel"]
    before = [kernel.numpy() for kernel in kernels]
    pictures = noise(4, 32, 32, 3)
    masks = (pictures[..., :1] > 0).astype("float32")
    history = fine_tune(model, pictures, masks, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all((kernel.numpy() != old).any() for kernel, old in zip(kernels, before, strict=True))
