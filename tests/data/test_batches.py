"""A batch follows from the seed and its number alone, so that an interrupted training can go on as if it were not."""

import numpy as np
import pytest

from sodkeras import Preprocessing, SodkerasError
from sodkeras.data import Augmentation, find_pairs
from sodkeras.data.batches import Batches
from sodkeras.data.samples import PairFiles, read_pair

SMALL = Preprocessing((16, 24))
CHANGES = Augmentation(0.5, 0.5, border_crop=9, scale=(0.8, 1.2), brightness=0.1, noise=5)


@pytest.fixture
def samples(tmp_path, make_set):
    return PairFiles(find_pairs([make_set(tmp_path / "pond", 10)]))


def equal(one, other):
    return all(np.array_equal(*arrays) for arrays in zip(one, other, strict=True))


def test_an_epoch_has_every_picture_at_most_once_and_each_epoch_another_order(samples):
    batches = Batches(samples, SMALL, 3)
    assert batches.steps_per_epoch == 3 and batches.size == (16, 24)
    epochs = [np.concatenate([batches.indices(3 * epoch + step) for step in range(3)]) for epoch in range(40)]
    assert all(len(set(epoch)) == 9 and set(epoch) <= set(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 40
    assert set(np.concatenate(epochs)) == set(range(10))  # what an epoch leaves out, others have


def test_a_batch_is_the_same_whatever_was_made_before(samples):
    forwards, backwards = Batches(samples, SMALL, 3, CHANGES, seed=5), Batches(samples, SMALL, 3, CHANGES, seed=5)
    made = [forwards(step) for step in range(7)]
    for step in reversed(range(7)):
        assert equal(backwards(step), made[step])
    other = Batches(samples, SMALL, 3, CHANGES, seed=6)
    assert not any(equal(other(step), made[step]) for step in range(7))


def test_the_same_picture_is_changed_in_another_way_in_every_epoch(samples):
    batches = Batches(samples, SMALL, 10, CHANGES)
    seen = []
    for epoch in range(4):
        pictures, _ = batches(epoch)
        seen.append(pictures[batches.indices(epoch).tolist().index(0)])
    assert all(not np.array_equal(seen[i], seen[j]) for i in range(4) for j in range(i))


def test_parts_of_a_batch_make_up_the_batch(samples):
    batches = Batches(samples, SMALL, 4, CHANGES)
    parts = [batches(5, part, 2) for part in range(2)]
    assert equal([np.concatenate(arrays) for arrays in zip(*parts, strict=True)], batches(5))


def test_the_pairs_of_a_step_are_those_in_its_batch(samples):
    batches = Batches(samples, SMALL, 3, Augmentation.none())
    for step in (0, 4):
        pictures, masks = batches(step)
        for pair, picture, mask in zip(batches.pairs(step), pictures, masks, strict=True):
            np.testing.assert_array_equal(picture, SMALL(read_pair(pair)[0])[0])
            assert mask.shape == (16, 24, 1) and 0 < mask.mean() < 1


def test_the_batchs_size_is_what_is_left_of_the_crop(samples):
    batches = Batches(samples, SMALL, 2, Augmentation(crop_to=(8, 10)))
    assert batches.size == (8, 10)
    assert [array.shape for array in batches(0)] == [(2, 8, 10, 3), (2, 8, 10, 1)]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"batch": 11}, "Fewer pictures than a batch of 11.*Received: 10"),
        ({"batch": 0}, "Received: 0"),
        ({"batch": 2.5}, r"Received: 2\.5"),
        ({"batch": 2, "seed": -1}, "Received: -1"),
        ({"batch": 2, "masks": "hard"}, "soft, nearest. Received: 'hard'"),
        ({"batch": 2, "augmentation": Augmentation(crop_to=(99, 9))}, r"Received: crop_to=\(99, 9\)"),
    ],
)
def test_settings_that_cannot_work(samples, settings, says):
    with pytest.raises(SodkerasError, match=says):
        Batches(samples, SMALL, **settings)


def test_masks_that_training_cannot_use_are_named(tmp_path, make_set):
    import cv2

    for values, says in (((7, 7), "A mask of one value"), (None, "60x40 pixels")):
        folder = make_set(tmp_path / says[:2], 1, values or (0, 255))
        path = folder / "masks/photo0.png"
        if values is None:
            cv2.imwrite(str(path), np.zeros((40, 61), np.uint8))
        with pytest.raises(SodkerasError, match=f"{says}.*" if values is None else f"{says}.*Received: {path}"):
            Batches(PairFiles(find_pairs([folder])), SMALL, 1)(0)
