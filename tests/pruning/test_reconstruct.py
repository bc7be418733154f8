"""Channels of a U²-Net: those that follow from others go without a trace, and the rest is fitted."""

import keras
import numpy as np
import pytest

import sodkeras.pruning.refit as refit
from sodkeras.complexity import complexity
from sodkeras.layers import ResidualU
from sodkeras.models import CSNet, U2Net
from sodkeras.pruning import reconstruct

VARIANT = {
    "encoder": [["RSU-4", 3, 8], ["RSU-3", 3, 8], ["RSU-4F", 3, 8]],
    "decoder": [["RSU-3", 3, 8], ["RSU-4", 3, 8]],
}
SIZE = 32


@pytest.fixture(scope="module")
def pictures():
    coarse = np.random.default_rng(0).normal(size=(12, 8, 8, 3)).astype("float32")
    return np.asarray(keras.ops.image.resize(coarse, (SIZE, SIZE)))


@pytest.fixture(autouse=True)
def fewer_pixels(monkeypatch):
    """Two thirds of those that the pictures have, instead of each four times."""
    monkeypatch.setattr(refit, "_ROWS", 8_000)


def network(seed=0, **arguments):
    """A network whose batch norms do something, too."""
    keras.utils.set_random_seed(seed)
    model = U2Net(VARIANT, **arguments)
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if any(part in weight.path for part in ("gamma", "variance", "beta", "moving_mean")):
            scale = weight.path.endswith(("gamma", "variance"))
            weight.assign(generator.normal(scale, 0.3, weight.shape).clip(0.3 if scale else -1))
    return model


def duplicate(model):
    """Makes the second half of each block's channels copies of the first, those of its ends and nothing behind."""
    for stage in model.layers:
        if isinstance(stage, ResidualU):
            for unit in (stage.input_unit, stage.decoder_units[-1]):
                for weight in unit.weights:
                    values = np.array(weight)
                    values[..., 4:] = values[..., :4] * (2 if "gamma" in weight.path or "beta" in weight.path else 1)
                    weight.assign(values)
    return model


def logits(model, pictures):
    return {key: np.asarray(value) for key, value in model(pictures).items()}


def channels(model):
    return [stage.filters for stage in model.layers if isinstance(stage, ResidualU)]


def test_channels_that_follow_from_others_leave_no_trace(pictures):
    model = duplicate(network())
    smaller, errors = reconstruct(model, pictures, tolerance=1e-6)
    assert max(channels(smaller)) <= 4
    assert complexity(smaller).parameters < 0.6 * complexity(model).parameters
    assert errors["fusion_conv"] < 1e-6
    unseen = np.random.default_rng(1).normal(size=(2, SIZE, SIZE, 3)).astype("float32")
    for key, before in logits(model, unseen).items():
        assert np.abs(logits(smaller, unseen)[key] - before).max() < 0.01 * before.std(), key


def test_nothing_changes_where_every_channel_stays(pictures):
    model = network()
    same, errors = reconstruct(model, pictures, filters=[8] * 5)
    for ours, theirs in zip(same.weights, model.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-4, err_msg=ours.path)
    assert max(errors.values()) < 1e-5  # maps are held in half precision


def test_fitting_beats_slicing(pictures):
    """Against as many channels as they come, with the weights that they had."""
    model = network()
    smaller, errors = reconstruct(model, pictures, filters=[6, 6, 6, 6, 6])
    sliced, _ = reconstruct(model, pictures[:1] * 0, filters=[6, 6, 6, 6, 6])  # black pictures say nothing
    unseen = np.asarray(
        keras.ops.image.resize(np.random.default_rng(2).normal(size=(8, 8, 8, 3)).astype("float32"), (SIZE, SIZE))
    )
    wanted = logits(model, unseen)["saliency_logits"]
    off = [np.square(logits(m, unseen)["saliency_logits"] - wanted).mean() / wanted.var() for m in (smaller, sliced)]
    assert off[0] < 0.5 * off[1]
    # What it says of itself on these pictures is true on others of the kind, or nearly so.
    assert 0.2 * off[0] < errors["fusion_conv"] < 2 * off[0]


def test_a_smaller_tolerance_keeps_more(pictures):
    counts = [channels(reconstruct(network(), pictures, tolerance)[0]) for tolerance in (0.3, 0.02)]
    assert all(few <= many for few, many in zip(*counts, strict=True)) and sum(counts[0]) < sum(counts[1])


def test_least_squares_in_front_of_a_relu_look_behind_it(pictures, monkeypatch):
    model = network()
    errors = []
    for rounds in (1, 10):
        monkeypatch.setattr(refit, "_ROUNDS", rounds)
        errors.append(reconstruct(model, pictures, filters=[5] * 5)[1])
    first = "encoder1_e1_conv"  # of those with channels gone; what it takes is the same both times
    assert errors[1][first] < 0.99 * errors[0][first]


@pytest.mark.parametrize("size", [(64, 64), (16, 8)])
def test_a_quarter_of_the_pixels_looked_at_are_the_objects_however_small(size):
    saliency = np.zeros((6, 64, 64), "float32")
    saliency[:3, 16:24, 48:56] = 1  # a 64th; nothing on the other three
    chosen = refit._choose_pixels(saliency, size, np.random.default_rng(0))
    y, x = np.divmod(chosen, size[1])
    on = (y * 64 // size[0] // 8 == 2) & (x * 64 // size[1] // 8 == 6)
    assert on[:3].mean() == pytest.approx(0.25 + 0.75 / 64, abs=0.02)
    assert on[3:].mean() == pytest.approx(1 / 64, abs=0.01)


def test_it_is_made_for_another_size(pictures):
    """It comes nearer to what the trained one gives of the larger pictures than the trained one does of the smaller."""
    model = network(input_shape=(SIZE, SIZE, 3))
    half = np.asarray(keras.ops.image.resize(pictures, (SIZE // 2, SIZE // 2)))
    smaller, errors = reconstruct(model, pictures, filters=[8] * 5, resized=half)
    assert smaller.input_shape == (None, SIZE // 2, SIZE // 2, 3) and smaller.preprocessing.size == (SIZE // 2,) * 2
    wanted = logits(model, pictures)["saliency_logits"].reshape(-1, SIZE // 2, 2, SIZE // 2, 2).mean((2, 4))
    as_it_was = U2Net(VARIANT)
    as_it_was.set_weights(model.get_weights())
    off, off_as_it_was = (
        np.square(logits(m, half)["saliency_logits"][..., 0] - wanted).mean() / wanted.var()
        for m in (smaller, as_it_was)
    )
    assert off < 0.5 * off_as_it_was
    assert off == pytest.approx(errors["fusion_conv"], rel=0.3)


def test_it_is_a_network_like_others(pictures, tmp_path):
    smaller, _ = reconstruct(network(input_shape=(SIZE, SIZE, 3)), pictures, filters=[5, 6, 7, 4, 3])
    assert channels(smaller) == [5, 6, 7, 4, 3]
    smaller.save(tmp_path / "smaller.keras")
    again = keras.models.load_model(tmp_path / "smaller.keras")
    np.testing.assert_array_equal(again(pictures)["saliency_logits"], smaller(pictures)["saliency_logits"])


def test_bad_arguments(pictures):
    model = network()
    with pytest.raises(ValueError, match=r"takes a U2Net\. Received: CSNet"):
        reconstruct(CSNet(width=1), pictures)
    with pytest.raises(ValueError, match=r"\[N, H, W, 3\]. Received: \(32, 32, 3\)"):
        reconstruct(model, pictures[0])
    with pytest.raises(ValueError, match=r"for 5 blocks.*Received: \[4, 4\]"):
        reconstruct(model, pictures, filters=[4, 4])
    with pytest.raises(ValueError, match=r"Received: \[9, 8, 8, 8, 8\]"):
        reconstruct(model, pictures, filters=[9, 8, 8, 8, 8])
    with pytest.raises(ValueError, match=r"all 12 pictures resized\. Received: \(3, 32, 32, 3\)"):
        reconstruct(model, pictures, resized=pictures[:3])
    with pytest.raises(ValueError, match=r"Received: 1\.5"):
        reconstruct(model, pictures, tolerance=1.5)
