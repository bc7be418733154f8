"""A run that takes seconds: a network of two convolutions, twenty small pictures."""

import cv2
import keras
import numpy as np
import pytest

from sodkeras.data import find_pairs
from sodkeras.layers import fused_normalisation
from sodkeras.models import MODELS, SaliencyModel
from sodkeras.training.settings import Settings


@keras.saving.register_keras_serializable(package="tests")
class Tiny(SaliencyModel):
    """Two convolutions with all that a checkpoint must hold between them: statistics and a random state."""

    def __init__(self, filters=3, preprocessing=None, name="tiny", **kwargs):
        picture = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(filters, 3, padding="same", name="first")(picture)
        x = keras.layers.BatchNormalization(name="norm")(x)
        x = keras.layers.Dropout(0.2, name="dropout")(keras.layers.ReLU(name="relu")(x))
        x = keras.layers.Conv2D(1, 1, name="second")(x)
        logits = keras.layers.Activation("linear", dtype="float32", name="saliency_logits")(x)
        super().__init__(picture, {"saliency_logits": logits}, preprocessing=preprocessing, name=name, **kwargs)
        self.filters = filters

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setitem(MODELS, "Tiny", Tiny)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """Twenty pictures of a bright disc, with masks."""
    folder = tmp_path_factory.mktemp("data") / "discs"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(20):
        rng = np.random.default_rng(number)
        height, width = rng.integers(40, 60, 2)
        mask = np.zeros((height, width), np.uint8)
        cv2.circle(mask, rng.integers(15, 30, 2).tolist(), 12, 255, -1)
        picture = rng.integers(0, 60, (height, width, 3)) + (mask[..., None] > 0) * np.array([40, 90, 120])
        cv2.imwrite(str(folder / f"images/disc{number:02}.jpg"), picture.astype(np.uint8))
        cv2.imwrite(str(folder / f"masks/disc{number:02}.png"), mask)
    return folder


@pytest.fixture
def pairs(data_folder):
    return find_pairs([data_folder])


@pytest.fixture
def settings():
    """Four steps an epoch of sixteen pictures, three epochs."""
    return Settings(
        model="Tiny", size=(24, 24), batch=4, epochs=3, learning_rate=0.02, weight_decay=1e-3, save_every=2, samples=1
    )


@pytest.fixture
def without_xla(monkeypatch):
    """Trains a CSNet with Keras's batch norms: XLA compiles the fused ones longer than a test's network trains."""
    monkeypatch.setattr(fused_normalisation, "can_fuse", lambda x, norm: False)
