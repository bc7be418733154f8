"""Every network at its full width on real photographs, which tiny networks on noise may do well without."""

import dataclasses

import cv2
import keras
import numpy as np
import pytest

from sodkeras.models import CII, DNL, MODELS, CSFResNet, CSNet, U2Net

#: The papers' networks: class and arguments. DNL's smallest input with nine parts is 72×72.
NETWORKS = {
    "csnet": (CSNet, {}),
    "u2netp": (U2Net, {"variant": "small"}),
    "cii_r18": (CII, {"depth": 18}),
    "cii_r50": (CII, {"depth": 50}),
    "dnl": (DNL, {"input_shape": (72, 72, 3)}),
    "csf_resnet50": (CSFResNet, {"backbone": "resnet"}),
    "csf_res2net50": (CSFResNet, {"backbone": "res2net"}),
}
ALL = pytest.mark.parametrize("name", NETWORKS)


def network(name):
    keras.utils.set_random_seed(0)
    kind, arguments = NETWORKS[name]
    model = kind(**arguments)
    return model, dataclasses.replace(model.preprocessing, size=arguments.get("input_shape", (64, 64))[:2])


def read(folder, stem):
    (path,) = folder.glob(f"{stem}.*")
    return cv2.imread(str(path))


def test_every_network_is_tried():
    assert {kind for kind, _ in NETWORKS.values()} == set(MODELS.values())


@pytest.mark.train
@ALL
def test_photos_give_maps_that_differ(name, examples):
    model, preprocessing = network(name)
    photos = np.concatenate([preprocessing(read(examples, stem)[..., ::-1]) for stem in ("cat", "rocket")])
    # With the batch's statistics: with those that it starts from, CSNet's hundredfold weights overflow.
    maps = np.array(model.inference_model()(photos, training=True))
    assert maps.shape == (2, *preprocessing.size, 1) and maps.dtype == np.float32
    assert np.isfinite(maps).all() and maps.min() >= 0 and maps.max() <= 1
    assert np.abs(maps[0] - maps[1]).mean() > 1e-3


@pytest.mark.train
@pytest.mark.reference
@ALL
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_one_step_lowers_the_loss(name, policy, reference):
    keras.config.set_dtype_policy(policy)
    try:
        model, preprocessing = network(name)
    finally:
        keras.config.set_dtype_policy("float32")
    folder = reference / "data/weizmann_horses"
    stems = ("horse001", "horse002", "horse003", "horse004")
    photos = np.concatenate([preprocessing(read(folder / "images", stem)[..., ::-1]) for stem in stems])
    masks = [cv2.resize(read(folder / "masks", stem)[..., :1], preprocessing.size[::-1]) for stem in stems]
    masks = np.float32(masks)[..., None] / 255
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    # Random weights behind frozen batch norm, which normalises nothing, are steep; bfloat16 hides small steps.
    rate = 1e-5 if isinstance(model, CSFResNet) else 1e-4
    model.compile(keras.optimizers.Adam(rate), loss, run_eagerly=True)
    before = model.train_on_batch(photos, masks, return_dict=True)["loss"]
    after = sum(float(loss(masks, logits)) for logits in model(photos, training=True).values())
    assert np.isfinite(before) and after < before
