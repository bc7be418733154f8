"""A wider network has to start from what the narrow one knows, and be able to learn more."""

import keras
import numpy as np
import pytest
from pruning.test_prune_csnet import SMALL, noise, random_network

from sodkeras.models import CSNet, U2Net
from sodkeras.pruning import widen


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"simplified": False},
        {"activation": "relu"},
        {"plan": None, "width": 0.6, "fusion_stages": (1, 2, 3, 4)},
        {"plan": None, "width": 0.6, "fusion_stages": ()},
    ],
    ids=["csnet", "vanilla", "relu", "width", "extractor"],
)
@pytest.mark.parametrize("factor", [1.0, 1.4, 2.5])
def test_the_wider_network_computes_the_same(arguments, factor):
    model = random_network(**arguments)
    wider, plan = widen(model, factor)
    for before, after in zip(model.channels["stages"], plan["stages"], strict=True):
        assert after == [[round(factor * count) for count in block] for block in before]
    x = noise(2, 32, 32, 3)
    expected = model(x)["saliency_logits"]
    np.testing.assert_allclose(wider(x)["saliency_logits"], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_a_scale_and_a_dilation_that_pruning_took_stay_away():
    small = random_network(
        SMALL
        | {
            "stages": [[[0, 4]], *SMALL["stages"][1:]],
            "fusion": SMALL["fusion"] | {"dilated": [[0, 3], [2, 2], [1, 2]]},
        }
    )
    _, plan = widen(small, 2)
    assert plan["stages"][0] == [[0, 8]]
    assert plan["fusion"]["dilated"] == [[0, 6], [4, 4], [2, 4]]


def test_copies_learn_to_differ():
    wider, _ = widen(CSNet(plan={"stages": [[[3]], [[3]], [[3]], [[3]], [[3]]], "fusion": None}), 2)
    kernel = wider.get_layer("stage1_0").unit1.convs["0to0"].kernel

    def difference():
        values = keras.ops.convert_to_numpy(kernel)[..., 0]
        return np.abs(values[..., ::2] - values[..., 1::2]).max()

    assert difference() == 0
    pictures = noise(8, 32, 32, 3)
    wider.compile(keras.optimizers.Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
    wider.fit(pictures, (pictures[..., :1] > 0).astype("float32"), epochs=2, verbose=0)
    assert difference() > 1e-3


def test_the_seed_decides():
    model = random_network()
    one, again, other = (widen(model, 2, seed)[0].get_weights() for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_what_cannot_be_widened_is_refused():
    with pytest.raises(ValueError, match=r"Received: 0\.5"):
        widen(random_network(), 0.5)
    with pytest.raises(ValueError, match="Received: U2Net"):
        widen(U2Net("small"), 2)
