"""tf.data gives what the batches are, in order, whatever the threads, the cache and the replicas."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from sodkeras import Preprocessing, SodkerasError
from sodkeras.data import Augmentation, find_pairs
from sodkeras.data.batches import Batches
from sodkeras.data.packed import PackedPairs, pack
from sodkeras.data.pipeline import TrainingData, file_errors, validation_data
from sodkeras.data.samples import PairFiles, read_pair

SMALL = Preprocessing((16, 24))
CHANGES = Augmentation(0.5, 0.5, border_crop=9, scale=(0.8, 1.2), brightness=0.1, noise=5)


@pytest.fixture
def pairs(tmp_path, make_set):
    return find_pairs([make_set(tmp_path / "pond", 10)])


def arrays(dataset, count):
    return [tuple(part.numpy() for part in batch) for batch in dataset.take(count)]


def assert_equal(batches, expected):
    for batch, wanted in zip(batches, expected, strict=True):
        for array, other in zip(batch, wanted, strict=True):
            np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("cache", [None, "memory", "disk"])
def test_a_dataset_that_begins_anywhere_gives_the_numbered_batches(pairs, tmp_path, cache):
    plain = Batches(PairFiles(pairs), SMALL, 3, CHANGES, seed=2)
    data = TrainingData(pairs, SMALL, 3, CHANGES, seed=2, cache=str(tmp_path) if cache == "disk" else cache)
    assert (data.batch, data.size, data.steps_per_epoch) == (3, (16, 24), 3)
    assert_equal(arrays(data.dataset(), 8), [plain(step) for step in range(8)])
    assert_equal(arrays(data.dataset(5), 3), [plain(step) for step in range(5, 8)])
    assert data.pairs_of_step(5) == plain.pairs(5)
    pictures, masks = data.dataset().element_spec
    assert pictures == tf.TensorSpec((3, 16, 24, 3)) and masks == tf.TensorSpec((3, 16, 24, 1))


def test_weights_come_with_their_pictures_and_only_where_there_are_some(pairs, tmp_path):
    weighted = [dataclasses.replace(pair, weight=index / 10) for index, pair in enumerate(pairs)]
    data = TrainingData(weighted, SMALL, 3, CHANGES, seed=2)
    plain = arrays(TrainingData(pairs, SMALL, 3, CHANGES, seed=2).dataset(), 3)
    for step, (pictures, masks, weights) in enumerate(arrays(data.dataset(), 3)):
        np.testing.assert_array_equal(weights, np.float32([pair.weight for pair in data.pairs_of_step(step)]))
        assert_equal([(pictures, masks)], [plain[step]])
    pack(weighted, SMALL.size, tmp_path / "pond.npz", progress=False)
    assert [pair.weight for pair in PackedPairs(tmp_path / "pond.npz").pairs] == [pair.weight for pair in weighted]


def test_by_default_pictures_are_flipped_left_to_right_and_nothing_else(pairs):
    data = TrainingData(pairs, SMALL, 10)
    flipped = 0
    for step, (pictures, _) in enumerate(arrays(data.dataset(), 3)):
        for pair, picture in zip(data.pairs_of_step(step), pictures, strict=True):
            plain = SMALL(read_pair(pair)[0])[0]
            assert any(np.array_equal(picture, other) for other in (plain, plain[:, ::-1]))
            flipped += not np.array_equal(picture, plain)
    assert 5 < flipped < 25


def test_validation_has_every_picture_once_in_order_and_unchanged(pairs):
    dataset = validation_data(pairs, SMALL, 4)
    assert dataset.cardinality() == 3
    for _ in range(2):  # it can be gone through again
        batches = arrays(dataset, 9)
        assert [len(pictures) for pictures, _ in batches] == [4, 4, 2]
        pictures, masks = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        for pair, picture, mask in zip(pairs, pictures, masks, strict=True):
            np.testing.assert_array_equal(picture, SMALL(read_pair(pair)[0])[0])
            assert mask.shape == (16, 24, 1) and mask.max() <= 1


def test_a_file_that_breaks_in_the_middle_of_an_epoch_is_named(pairs):
    data = TrainingData(pairs, SMALL, 2)
    broken = data.pairs_of_step(3)[1].picture
    broken.write_bytes(broken.read_bytes()[:100])
    steps = 0
    with (
        pytest.raises(SodkerasError, match=f"^The picture is cut off in the middle.*Received: {broken}$"),
        file_errors(),
    ):
        for _ in data.dataset():
            steps += 1
    assert steps == 3
    for dataset in (data.dataset(3), validation_data(pairs, SMALL, 4)):
        with pytest.raises(SodkerasError, match=str(broken)), file_errors():
            list(dataset)


def test_other_errors_pass_as_they_are():
    with pytest.raises(tf.errors.InvalidArgumentError), file_errors():
        tf.reshape(tf.zeros(3), (2, 2))
    with pytest.raises(KeyError), file_errors():
        raise KeyError


def test_a_batch_is_divided_into_equal_parts_or_not_at_all(pairs):
    data = TrainingData(pairs, SMALL, 4, CHANGES)
    whole = arrays(data.dataset(), 2)
    parts = [arrays(data.dataset(0, part, 2), 2) for part in range(2)]
    joined = [[np.concatenate(two) for two in zip(*batches, strict=True)] for batches in zip(*parts, strict=True)]
    assert_equal(joined, whole)
    with pytest.raises(SodkerasError, match=r"3 equal parts\. Received: 4"):
        data.dataset(0, 0, 3)


def in_process(code, *arguments):
    code = "import sys; import tensorflow as tf; import test_pipeline as test;" + code
    here = pathlib.Path(__file__).resolve().parent
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(here), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def divide(folder):
    """Whether two replicas' parts are the halves of each batch."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    data = TrainingData(find_pairs([folder]), SMALL, 4, CHANGES)
    whole = arrays(data.dataset(), 3)
    divided = iter(strategy.experimental_distribute_dataset(data.dataset()))
    for pictures, masks in whole:
        parts = [strategy.experimental_local_results(part) for part in next(divided)]
        assert_equal([[np.concatenate(part) for part in parts]], [(pictures, masks)])
        assert [len(part) for part in parts[0]] == [2, 2]
    print("divided")


def test_replicas_divide_each_batch(tmp_path, make_set):
    folder = make_set(tmp_path / "pond", 10)
    two = "tf.config.set_logical_device_configuration(tf.config.list_physical_devices('CPU')[0], "
    two += "[tf.config.LogicalDeviceConfiguration()] * 2);"
    done = in_process(two + "test.divide(sys.argv[1])", folder)
    assert done.stdout.endswith("divided\n") and done.returncode == 0, done.stderr


def leave(folder, raises):
    """Ends while a dataset without end is in the middle of its work."""
    global iterator
    iterator = iter(TrainingData(find_pairs([folder]), SMALL, 4, CHANGES).dataset())
    next(iterator)
    if raises:
        raise ValueError("the end")


@pytest.mark.parametrize("raises", [0, 1])
def test_python_ends_cleanly_while_a_dataset_is_alive(tmp_path, make_set, raises):
    done = in_process("test.leave(sys.argv[1], int(sys.argv[2]))", make_set(tmp_path / "pond", 10), raises)
    assert done.returncode == raises, done.stderr
    assert done.stderr.rstrip().endswith("ValueError: the end" if raises else "")
