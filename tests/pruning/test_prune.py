"""One function prunes every network that can be pruned, with one kind of result."""

import keras
import numpy as np
import pytest

from helpers import photo, tiny_model
from sodkeras import Preprocessing, SodkerasError
from sodkeras.models import DNL, CSNet
from sodkeras.pruning import Pruned, prune


def test_a_csnet_by_its_gammas():
    keras.utils.set_random_seed(0)
    model = CSNet(width=0.5, preprocessing=Preprocessing((32, 32)))
    pruned = prune(model, ratio=0.3)
    assert isinstance(pruned, Pruned) and pruned.lost == {}
    assert pruned.model.count_params() < model.count_params()
    again = type(model)(**pruned.arguments, preprocessing=model.preprocessing)
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in pruned.model.weights]


def test_a_u2net_by_pictures():
    model = tiny_model()
    pictures = np.concatenate([model.preprocessing(photo(seed=seed)) for seed in range(4)])
    pruned = prune(model, pictures, filters=[2, 3, 3])
    assert pruned.model.count_params() < model.count_params()
    assert pruned.lost.keys() >= {"fusion_conv"} and all(share >= 0 for share in pruned.lost.values())
    again = type(model)(**pruned.arguments, preprocessing=model.preprocessing)
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in pruned.model.weights]


def test_what_does_not_go_together_is_one_sentence():
    with pytest.raises(SodkerasError, match=r"A CSNet and a U²-Net can be pruned\. Received: DNL"):
        prune(DNL(input_shape=(64, 64, 3), positions=()))
    with pytest.raises(ValueError, match="without pictures"):
        prune(CSNet(width=0.3), np.zeros((1, 32, 32, 3)), ratio=0.3)
    with pytest.raises(ValueError, match=r"takes pictures \[N, H, W, 3\]"):
        prune(tiny_model())
