"""A .keras file of anyone's is a network of ours, or one sentence; and it takes no more memory than a network does."""

import json
import math
import random
import zipfile

import h5py
import numpy as np
import pytest

from helpers import tiny_model
from sodkeras import SodkerasError
from sodkeras.keras_file import at_most, load_keras

CONFIG, WEIGHTS = "config.json", "model.weights.h5"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The members of a network's file, by name."""
    path = tmp_path_factory.mktemp("whole") / "tiny.keras"
    tiny_model().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def write(whole, tmp_path):
    """Writes the file with some members changed, or left out for None."""

    def write(changes=None, packing=zipfile.ZIP_STORED):
        path = tmp_path / "network.keras"
        with zipfile.ZipFile(path, "w", packing) as archive:
            for name, content in (whole | (changes or {})).items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write


def refused(path, message="Received: "):
    with pytest.raises(SodkerasError, match=message) as caught:
        load_keras(path)
    assert str(caught.value).endswith(f"Received: {path}") and "\n" not in str(caught.value)


def test_a_whole_file_is_loaded_packed_or_not(write):
    expected = tiny_model().get_weights()
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for ours, theirs in zip(load_keras(write(packing=packing)).get_weights(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("member", [WEIGHTS, CONFIG, "assets/notes.txt"])
def test_a_zip_bomb_is_not_unpacked(write, member, monkeypatch):
    path = write({member: None}, zipfile.ZIP_DEFLATED)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(member, "w") as file,
    ):
        for _ in range(260):
            file.write(bytes(1_000_000))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    refused(path, "MB would unpack to 260 MB")


def hdf5(tmp_path, whole, change):
    """The weights' file after a change to it."""
    path = tmp_path / "weights.h5"
    path.write_bytes(whole[WEIGHTS])
    with h5py.File(path, "r+") as file:
        change(file)
    return path.read_bytes()


def array_paths(file):
    found = []
    file.visititems(lambda name, thing: found.append(name) if isinstance(thing, h5py.Dataset) else None)
    return found


@pytest.mark.parametrize(
    ("count", "message"), [(10**9, "MB would unpack to 4000 MB"), (2**62, "would unpack|is damaged")]
)
def test_an_array_that_is_larger_than_any_file_is_not_read(write, whole, tmp_path, count, message):
    def swell(file):
        name = array_paths(file)[0]
        del file[name]
        file.create_dataset(name, (count,), "float32", chunks=(10**6,), compression="gzip", fillvalue=1.0)

    content = hdf5(tmp_path, whole, swell)
    assert len(content) < 1_000_000
    refused(write({WEIGHTS: content}), message)


@pytest.mark.parametrize("how", ["soft", "external link", "external storage", "virtual"])
def test_an_array_from_elsewhere_is_not_read(write, whole, tmp_path, how):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.zeros(4, "float32")

    def link(file):
        name = array_paths(file)[0]
        del file[name]
        if how == "soft":
            file[name] = h5py.SoftLink("/elsewhere")
        elif how == "external link":
            file[name] = h5py.ExternalLink(str(secret), "x")
        elif how == "external storage":
            file.create_dataset(name, (4,), "float32", external=[(str(secret), 0, 16)])
        else:
            layout = h5py.VirtualLayout((4,), "float32")
            layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
            file.create_virtual_dataset(name, layout)

    refused(write({WEIGHTS: hdf5(tmp_path, whole, link)}), "has links|in another file")


@pytest.mark.parametrize("row", [["RSU-3", 2_000_000_000, 4], ["RSU-3", 30_000, 40_000], ["RSU-99", 2, 4]])
def test_a_configuration_gets_no_more_weights_than_the_file_has(write, whole, row):
    config = json.loads(whole[CONFIG])
    config["config"]["variant"]["encoder"][0] = row
    refused(write({CONFIG: json.dumps(config)}), "more weights than its file holds")


def test_the_limit_is_lifted_again():
    import keras

    with pytest.raises(SodkerasError, match=r"Received: weights of shape \(2000, 2000\)"), at_most(2_999_999, 0):
        keras.layers.Dense(2000).build((None, 2000))
    keras.layers.Dense(2000, use_bias=False).build((None, 2000))


def damaged_configurations(config):
    def changed(**changes):
        return json.dumps(config | {"config": config["config"] | changes})

    yield from (b"", b"[1]", b"{}", b"\xff\xfe", b"null", b"[" * 100_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000)
    for size in ([math.inf, 8], [math.nan, 8], [8], "ab", None, {}, [0, -1]):
        yield changed(preprocessing=config["config"]["preprocessing"] | {"size": size})
    for variant in (None, 3, [], {"encoder": 1, "decoder": []}, {"encoder": [["RSU-", 1, 1]], "decoder": [[]]}):
        yield changed(variant=variant)
    for shape in ([math.inf, 8, 3], ["a"], {}, [-5, 8, 3], [None] * 40):
        yield changed(input_shape=shape)
    yield json.dumps(config | {"class_name": "Lambda", "module": "keras.layers", "registered_name": None})
    yield json.dumps(config | {"class_name": "system", "module": "os", "registered_name": None})


def test_a_configuration_that_is_none_of_ours_is_one_sentence(write, whole):
    contents = [*damaged_configurations(json.loads(whole[CONFIG])), b" " * 10_000_001, None]
    for content in contents:
        refused(write({CONFIG: content}))
    refused(write({WEIGHTS: None}))
    refused(write({WEIGHTS: b"no HDF5"}))


def test_damaged_bytes_are_one_sentence(write, tmp_path):
    """Whatever is changed in a file: it loads, or one sentence says that it does not."""
    content = write().read_bytes()
    path = tmp_path / "damaged.keras"
    rng = random.Random(0)
    for _ in range(60):
        changed = bytearray(content)
        # Most often at the end, where the zip's own records are.
        start = rng.randrange(len(content)) if rng.random() < 0.5 else len(content) - rng.randrange(1, 400)
        changed[start : start + rng.choice([1, 4, 40])] = rng.randbytes(rng.choice([0, 1, 4, 40]))
        path.write_bytes(changed[: rng.randrange(len(changed))] if rng.random() < 0.2 else changed)
        try:
            load_keras(path)
        except SodkerasError as error:
            assert str(error).endswith(f"Received: {path}")
