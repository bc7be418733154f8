"""A packed set gives the batches of its files, to any backend, and needs neither the files nor TensorFlow."""

import importlib.util
import os
import pathlib
import random
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from sodkeras import Preprocessing, SodkerasError
from sodkeras.data import Augmentation, find_pairs
from sodkeras.data.packed import PackedData, PackedPairs, pack
from sodkeras.data.pipeline import TrainingData
from sodkeras.data.samples import read_pair

SMALL = Preprocessing((16, 24))
CHANGES = Augmentation(0.5, 0.5, crop_to=(12, 12), brightness=0.1)


@pytest.fixture
def pairs(tmp_path, make_set):
    return find_pairs([make_set(tmp_path / "pond", 7)])


@pytest.fixture
def file(tmp_path, pairs):
    pack(pairs, (16, 24), tmp_path / "pond.npz", progress=False)
    return tmp_path / "pond.npz"


def test_packed_pictures_are_the_predictors_and_names_are_kept(pairs, file):
    packed = PackedPairs(file)
    assert packed.pairs == pairs and len(packed) == 7
    for pair, (picture, mask) in zip(pairs, packed, strict=False):
        assert picture.shape == (16, 24, 3) and mask.shape == (16, 24)
        np.testing.assert_array_equal(SMALL(picture), SMALL(read_pair(pair)[0]))
    plain = PackedData(packed, SMALL, 7, Augmentation.none())
    files = TrainingData(pairs, SMALL, 7, Augmentation.none())
    for array, expected in zip(plain[0], next(iter(files.dataset())), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_both_ways_of_training_on_a_packed_set_see_the_same(file):
    data = PackedData(file, SMALL, 3, CHANGES, seed=4, first_step=2)
    assert data.steps_per_epoch == 2
    training = TrainingData(PackedPairs(file), SMALL, 3, CHANGES, seed=4)
    for step, expected in enumerate(training.dataset(2).take(5)):
        for array, other in zip(data[step], expected, strict=True):
            assert array.shape[:3] == (3, 12, 12)
            np.testing.assert_array_equal(array, other)


def fit(file):
    """The mean of every batch that a training sees, and of those that it should see."""
    data = PackedData(file, SMALL, 3, CHANGES, first_step=3)
    picture = keras.Input((12, 12, 3))
    model = keras.Model(picture, keras.layers.Dense(1, trainable=False)(picture))
    model.compile("sgd", lambda masks, shades: keras.ops.mean(shades, axis=-1), jit_compile=False)
    model.layers[1].set_weights([np.full((3, 1), 1 / 3), np.zeros(1)])
    seen = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: seen.append(logs["loss"]))
    model.fit(data, steps_per_epoch=2, epochs=3, verbose=0, callbacks=[note], shuffle=False)
    # Keras tells the mean of the epoch so far.
    seen[1::2] = [2 * mean - first for first, mean in zip(seen[::2], seen[1::2], strict=True)]
    return seen, [float(data.batches(step)[0].mean()) for step in range(3, 9)]


def test_fit_takes_the_batches_in_their_order_and_leaves_none_out(file):
    seen, expected = fit(file)
    np.testing.assert_allclose(seen, expected, rtol=1e-3)
    assert np.ptp(expected) > 0.01


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_pytorch_takes_the_same_and_tensorflow_is_not_imported(file):
    code = (
        "import sys; from sodkeras import Preprocessing; from sodkeras.data.packed import PackedData;"
        "pictures, masks = PackedData(sys.argv[1], Preprocessing((16, 24)), 3)[1];"
        "assert 'tensorflow' not in sys.modules, 'TensorFlow was imported';"
        "import test_packed, numpy; numpy.testing.assert_allclose(*test_packed.fit(sys.argv[1]), rtol=1e-3);"
        "print(pictures.shape, masks.shape)"
    )
    path = os.pathsep.join([str(pathlib.Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("(3, 16, 24, 3) (3, 16, 24, 1)\n"), done.stderr


def test_what_cannot_be_packed(tmp_path, pairs):
    with pytest.raises(SodkerasError, match=r"ends with \.npz\. Received: .*pond"):
        pack(pairs, (16, 24), tmp_path / "pond")
    with pytest.raises(SodkerasError, match="Received: none"):
        pack([], (16, 24), tmp_path / "pond.npz")
    pairs[5].picture.write_bytes(b"no picture")
    with pytest.raises(SodkerasError, match=f"Received: {pairs[5].picture}"):
        pack(pairs, (16, 24), tmp_path / "pond.npz", progress=False)
    assert not list(tmp_path.glob("*.npz"))


def test_a_file_that_is_none(tmp_path, file):
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:500])
    (tmp_path / "text.npz").write_text("this is none")
    (tmp_path / "empty.npz").touch()
    for name in ("other.npz", "array.npy", "cut.npz", "text.npz", "empty.npz", "missing.npz"):
        with pytest.raises(SodkerasError, match=f"Received: {pathlib.Path(tmp_path / name)}"):
            PackedPairs(tmp_path / name)


def changed(file, **arrays):
    """The file's arrays with some others, or without some for None, as NumPy writes them: whole to a zip's reader."""
    with np.load(file) as content:
        arrays = {name: values for name, values in ({**content} | arrays).items() if values is not None}
    np.savez(file, **arrays)


def test_changed_pixels_and_names_are_noticed(file):
    with np.load(file) as content:
        arrays = {**content}
    for name in ("pictures", "masks", "weights", "sets", "mask_files"):
        values = arrays[name].copy()
        values.reshape(-1)[3] = "another" if values.dtype.kind == "U" else values.reshape(-1)[3] + 1
        changed(file, **{name: values})
        with pytest.raises(SodkerasError, match=rf"pack the pictures again\. Received: {file}"):
            PackedPairs(file)
        changed(file, **arrays)
        PackedPairs(file)
    changed(file, check_sum=None)
    with pytest.raises(SodkerasError, match=f"Received: {file}"):
        PackedPairs(file)


@pytest.mark.parametrize(
    "arrays",
    [
        {"pictures": np.zeros((7, 16, 24, 3))},
        {"pictures": np.zeros((7, 16, 24), np.uint8)},
        {"pictures": np.zeros((7, 16, 25, 3), np.uint8)},
        {"masks": np.zeros((7, 0, 24), np.uint8), "pictures": np.zeros((7, 0, 24, 3), np.uint8)},
        {"masks": np.uint8(3)},
        {"sets": np.array(["pond"] * 6)},
        {"weights": np.array(["heavy"] * 7)},
        {"weights": np.float64(1)},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(file, arrays, monkeypatch):
    monkeypatch.setattr("sodkeras.data.packed._check_sum", lambda arrays: 0)  # somebody else's program knows it, too
    changed(file, **({"check_sum": np.uint32(0)} | arrays))
    with pytest.raises(SodkerasError, match=f"Received: {file}"):
        PackedPairs(file)


def test_a_packed_bomb_is_not_unpacked(file, monkeypatch):
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(1_000_000))
    monkeypatch.setattr("numpy.load", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(SodkerasError, match=f"Received: {file}"):
        PackedPairs(file)


def test_a_header_of_an_endless_array_is_refused(file, tmp_path):
    with np.load(file) as content:
        arrays = {**content}
    with zipfile.ZipFile(file, "w") as archive:
        for name in arrays:
            shape = "(999999999999999, 9999999999, 1)" if name == "masks" else "(" * 200
            header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
            archive.writestr(f"{name}.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(SodkerasError, match=f"Received: {file}"):
        PackedPairs(file)
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(SodkerasError, match="a pipe or a device"):
        PackedPairs(tmp_path / "pipe.npz")


def test_damaged_bytes_are_one_sentence_or_harmless(file):
    whole = PackedPairs(file)
    content = file.read_bytes()
    rng = random.Random(0)
    for _ in range(200):
        damaged = bytearray(content)
        start = rng.randrange(len(content)) if rng.random() < 0.3 else len(content) - rng.randrange(1, 1500)
        damaged[start : start + rng.choice([1, 4])] = rng.randbytes(rng.choice([0, 1, 4]))
        file.write_bytes(damaged[: rng.randrange(len(damaged))] if rng.random() < 0.2 else damaged)
        try:
            packed = PackedPairs(file)
        except SodkerasError as error:
            assert str(error).endswith(f"Received: {file}")
            continue
        assert packed.pairs == whole.pairs
        for ours, theirs in zip(packed, whole, strict=False):
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])
