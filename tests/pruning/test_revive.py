"""A revived network has to start from what the others know, and be able to learn with all its channels."""

import keras
import numpy as np
import pytest
from pruning.test_prune_csnet import noise, random_network

from sodkeras.models import U2Net
from sodkeras.pruning import prune_csnet, revive

GONE = 1e-25


def with_dead_channels(**arguments):
    """A network in which every other channel of what has several is gone, as weight decay leaves it."""
    model = random_network(**arguments)
    for _, norm in norms(model):
        dead = slice(0, None if norm.gamma.shape[0] > 1 else 0, 2)
        for weight in (norm.gamma, norm.beta):
            values = np.array(keras.ops.convert_to_numpy(weight))
            values[dead] = GONE if weight is norm.gamma else 0.0
            weight.assign(values)
    return model


def norms(model):
    found = []
    for layer in model.layers:
        if layer.name.startswith("stage"):
            units = {"mix": layer.mix, "unit1": layer.unit1, "unit2": layer.unit2}
        elif layer.name == "fusion":
            units = {"mix": layer.mix, "merge": layer.merge}
            found += [(f"fusion dilated {i}", part.norm) for i, part in enumerate(layer.dilated)]
        else:
            continue
        found += [(f"{layer.name} {unit} {j}", norm) for unit, part in units.items() for j, norm in part.norms.items()]
    return found


@pytest.mark.parametrize(
    "arguments",
    [{}, {"activation": "relu"}, {"plan": None, "width": 0.6, "fusion_stages": ()}],
    ids=["csnet", "relu", "extractor"],
)
def test_it_is_as_large_as_before_and_computes_what_pruning_leaves(arguments):
    model = with_dead_channels(**arguments)
    revived = revive(model)
    assert revived.channels == model.channels
    assert all((np.abs(keras.ops.convert_to_numpy(norm.gamma)) > GONE).all() for _, norm in norms(revived))
    x = noise(2, 32, 32, 3)
    expected = prune_csnet(model)[0](x)["saliency_logits"]
    np.testing.assert_allclose(revived(x)["saliency_logits"], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_every_channel_learns():
    keras.utils.set_random_seed(0)  # with some weights no gradient to speak of reaches a channel in four steps
    revived = revive(with_dead_channels())
    before = {name: np.array(keras.ops.convert_to_numpy(norm.gamma)) for name, norm in norms(revived)}
    farthest = dict.fromkeys(before, 0.0)  # at the end a γ may be back where it was

    def watch(*_):
        for name, norm in norms(revived):
            moved = np.abs(keras.ops.convert_to_numpy(norm.gamma) - before[name])
            farthest[name] = np.maximum(farthest[name], moved)

    pictures = noise(8, 32, 32, 3)
    revived.compile(keras.optimizers.Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
    watching = keras.callbacks.LambdaCallback(on_epoch_end=watch)
    revived.fit(pictures, (pictures[..., :1] > 0).astype("float32"), epochs=4, callbacks=[watching], verbose=0)
    for name, moved in farthest.items():
        assert (moved > 1e-5).all(), name


def test_the_random_seed_decides():
    model = with_dead_channels()

    def weights(seed):
        keras.utils.set_random_seed(seed)
        return revive(model).get_weights()

    one, again, other = weights(0), weights(0), weights(1)
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="Received: U2Net"):
        revive(U2Net("small"))
