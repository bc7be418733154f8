"""What every network refuses to learn from."""

import keras
import numpy as np
import pytest

from helpers import tiny_model
from sodkeras import SodkerasError


@pytest.fixture(scope="module")
def model():
    model = tiny_model((16, 16))
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    return model


PICTURES = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype("float32")
MASKS = (PICTURES[..., :1] > 0).astype("float32")


@pytest.mark.parametrize("kind", ["numpy", "uint8", "tensor", "by output"])
def test_masks_of_0_to_255_are_refused_before_the_first_step(model, kind):
    """They would train a network to nonsense, with losses below 0."""
    masks = {
        "numpy": 255 * MASKS,
        "uint8": np.uint8(255 * MASKS),
        "tensor": keras.ops.convert_to_tensor(255 * MASKS),
        "by output": dict.fromkeys(model.output, 255 * MASKS),
    }[kind]
    before = [np.array(weight) for weight in model.weights]
    says = r"divide those of 0 to 255 by 255\. Received: 0 to 255$"
    for call in (model.fit, model.evaluate):
        with pytest.raises(SodkerasError, match=says):
            call(PICTURES, masks, verbose=0)
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(SodkerasError, match=says):
            call(PICTURES, masks)
    with pytest.raises(SodkerasError, match=says):
        model.fit(PICTURES, MASKS, validation_data=(PICTURES, masks), verbose=0)
    for weight, was in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.array(weight), was)


@pytest.mark.parametrize(
    ("masks", "received"),
    [(-MASKS, "-1 to 0"), (np.where(MASKS > 0, np.nan, MASKS), "nan to nan"), (MASKS + 0.1, "0.1 to 1.1")],
)
def test_other_values_outside_0_to_1(model, masks, received):
    with pytest.raises(SodkerasError, match=f"Received: {received}$"):
        model.fit(PICTURES, masks, verbose=0)


def test_compute_loss_looks_at_arrays(model):
    outputs = model(PICTURES)
    assert np.isfinite(float(model.compute_loss(y=MASKS, y_pred=outputs)))
    with pytest.raises(SodkerasError, match=r"Received: 0 to 255$"):
        model.compute_loss(y=255 * MASKS, y_pred=outputs)


def test_masks_from_0_to_1_train(model):
    for masks in (MASKS, MASKS > 0, np.uint8(MASKS), MASKS * np.float32(1 + 1e-6), keras.ops.convert_to_tensor(MASKS)):
        history = model.fit(PICTURES, masks, validation_data=(PICTURES, masks), verbose=0).history
        assert np.isfinite(history["loss"] + history["val_loss"]).all()
    assert np.isfinite(model.train_on_batch(PICTURES, MASKS)).all()
    assert np.isfinite(model.test_on_batch(PICTURES, MASKS)).all()
    assert np.isfinite(model.evaluate(PICTURES, MASKS, verbose=0)).all()


def test_batches_of_a_data_set_go_by(model):
    class Pairs(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return PICTURES, MASKS

    assert len(model.fit(Pairs(), epochs=2, verbose=0).history["loss"]) == 2
