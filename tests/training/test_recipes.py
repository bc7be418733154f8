"""Each recipe, with a network as small as it comes and a shallow Res2Net, trains."""

import json

import numpy as np
import pytest

from helpers import TINY
from sodkeras.backbones import res2net
from sodkeras.keras_file import load_keras
from sodkeras.training.settings import read_recipe
from sodkeras.training.trainer import train

PLAN = {
    "stages": [[[2, 2]], [[2, 2]], [[3]], [[3]], [[3]]],
    "fusion": {"stages": [4], "mixed": [3], "dilation_rates": [1], "dilated": [[2]], "filters": 2},
}
DNL = {
    "stages": [[1, 4, 1, 1], [2, 6, 1, 2], [2, 8, 1, 2], [2, 8, 2, 2], [2, 10, 1, 1]],
    "stem_filters": 4,
    "aspp_filters": 6,
    "low_level_filters": 4,
    "parts": 3,
    "input_shape": [48, 48, 3],
}
SMALL = {
    "csnet": {"arguments": {"plan": PLAN}},
    "csnet_prune": {"arguments": {"plan": PLAN}, "prune": {"ratio": 0.0}, "fine_tune.epochs": 1},
    "u2netp": {"arguments.variant": TINY, "augmentation.crop_to": [32, 32]},
    "cii_r18": {"arguments": {"depth": 18, "width": 4, "filters": 8}, "warm_up_epochs": 1},
    "dnl": {"arguments": DNL},
    "csf": {"arguments": {"depth": 50, "width": 8, "mixed_filters": [8, 8, 12, 12], "groups": 2}},
}


@pytest.mark.train
@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_trains(name, pairs, tmp_path, monkeypatch, request):
    if name != "csnet":  # one recipe as it is
        request.getfixturevalue("without_xla")
    monkeypatch.setitem(res2net.BLOCKS, 50, (2, 1, 1, 1))
    changes = {"size": 48, "batch": 4, "epochs": 2, "backbone_weights": None, "save_every": 3, "re_estimate": 1}
    settings = read_recipe(name).changed(changes | SMALL[name])
    train(settings, pairs[:16], tmp_path, pairs[16:])
    for path in [tmp_path / "last.keras", tmp_path / "best.keras"]:
        assert all(np.isfinite(values).all() for values in load_keras(path).get_weights())
    scores = json.loads((tmp_path / "evaluation" / "scores.json").read_text())["scores"]
    assert all(0 < row["mae"] < 1 for row in scores)
