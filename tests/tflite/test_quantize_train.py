"""Quantization-aware training: it learns, goes on after an interruption, and gives files that other verbs take."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import photo, tiny_model, write_photo
from sodkeras import Predictor, SodkerasError
from sodkeras.commands.main import main
from sodkeras.data import Pair, find_pairs
from sodkeras.data.synthetic import write_synthetic
from sodkeras.errors import UsageError
from sodkeras.keras_file import load_keras
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.check.agreement import compare
from sodkeras.tflite.check.partitions import count_partitions
from sodkeras.tflite.quantize_train import _pairs, quantize_train

SETTINGS = {"steps": 24, "batch": 4, "save_every": 8, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_synthetic(folder, 24, size=(48, 64), progress=False)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The path of a network's .keras file."""
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    tiny_model().save(path)
    return path


@pytest.fixture(scope="module")
def trained(model, pairs, tmp_path_factory):
    """What the verb wrote: a .tflite and a .keras file."""
    folder = tmp_path_factory.mktemp("trained")
    given = [f"--{name}={value}" for name, value in SETTINGS.items()]
    assert main(["quantize-train", f"--model={model}", f"--data={pairs}", f"--out={folder}", *given]) == 0
    return folder / "tiny-32x48-static_wi8_ai8.tflite", folder / "tiny-quantization_aware.keras"


def test_it_learns_what_the_masks_show(trained):
    log = (trained[0].parent / "training/log.csv").read_text().split()
    assert log[0].startswith("step,loss") and [row.split(",")[0] for row in log[1:]] == ["8", "16", "24"]
    losses = [float(row.split(",")[1]) for row in log[1:]]
    assert losses[-1] < 0.9 * losses[0], losses


def test_pairs_reach_the_training_process_as_they_are(pairs, tmp_path):
    (tmp_path / "pairs.csv").write_text(f"picture,mask,weight\n{pairs}/images/00000.jpg,{pairs}/masks/00000.png,0.5\n")
    for value, source in ((None, tmp_path), (3, pairs)):
        sent = json.loads(json.dumps(_pairs([source], value)))
        got = [Pair(**pair | {"picture": Path(pair["picture"]), "mask": Path(pair["mask"])}) for pair in sent]
        assert got == find_pairs([source], value) and got[0].is_map == (value is None)


def test_the_file_computes_what_the_weights_in_keras_do_and_is_one_partition(trained):
    runtime = LiteRTRuntime(trained[0])
    partitions = count_partitions(runtime.interpreter)
    assert (partitions.partitions, partitions.outside) == (1, {}), str(partitions)
    agreement = compare(KerasRuntime(trained[1]), runtime, [(seed, photo(seed=seed)) for seed in range(4)])
    assert agreement.summary()["median_mae"] < 0.03, agreement.summary()
    # And the training has changed the network: the file is not that of the source.
    assert compare(KerasRuntime(tiny_model()), runtime, [(0, photo())]).summary()["median_mae"] > 0.05


def test_the_file_rounds_where_the_second_half_of_training_did(trained):
    folder = trained[0].parent / "training"
    first, last = (json.loads((folder / f"ranges-{step}.json").read_text()) for step in (0, 8))
    assert not (folder / "ranges-16.json").exists() and first != last
    scales = [
        float(details["quantization_parameters"]["scales"][0])
        for details in LiteRTRuntime(trained[0]).interpreter.get_tensor_details()
        if len(details["shape"]) == 4 and len(details["quantization_parameters"]["scales"]) == 1
    ]
    steps = np.array([(high - low) / 255 for low, high in last.values()])
    found = [np.isclose(steps, scale, rtol=1e-4).any() for scale in scales]
    assert len(found) > 10 and np.mean(found) > 0.9, dict(zip(scales, found, strict=True))


def test_metadata_says_how_it_was_made(trained):
    metadata = LiteRTRuntime(trained[0]).metadata
    assert metadata["name"] == "tiny" and metadata["numerics"] == "static_wi8_ai8"
    assert metadata["quantization_aware_training"]["steps"] == 24
    error = metadata["quantization_aware_training"]["map_error"]
    assert 0 < error["after"] < error["before"], error
    assert metadata["preprocessing"] == tiny_model().preprocessing.to_dict()
    beside = json.loads(trained[0].with_suffix(".json").read_text())
    assert metadata == {name: beside[name] for name in metadata}


def test_both_files_predict(trained):
    maps = [Predictor(str(path))(photo()) for path in trained]
    assert maps[0].shape == maps[1].shape == (60, 80)


def test_an_interrupted_training_ends_with_the_same_weights(trained, model, pairs, tmp_path):
    shutil.copytree(trained[0].parent / "training", tmp_path / "training")
    checkpoints = tmp_path / "training/checkpoints"
    (checkpoints / "checkpoint").write_text('model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-2"\n')
    for path in checkpoints.glob("ckpt-3*"):
        path.unlink()
    again = quantize_train(model, tmp_path, [pairs], **SETTINGS)
    for expected, received in zip(load_keras(trained[1]).weights, load_keras(again[1]).weights, strict=True):
        np.testing.assert_array_equal(expected.numpy(), received.numpy())


def test_a_network_learns_its_own_maps_from_pictures_alone(tmp_path):
    for seed in range(4):
        write_photo(tmp_path / f"{seed}.png", seed=seed)
    model = tiny_model()
    paths = quantize_train(model, tmp_path / "out", pictures=tmp_path, steps=2, batch=2)
    agreement = compare(KerasRuntime(model), LiteRTRuntime(paths[0]), [(seed, photo(seed=seed)) for seed in range(4)])
    assert agreement.summary()["median_mae"] < 0.03, agreement.summary()
    assert len(list((tmp_path / "out/training/maps/masks").iterdir())) == 4


def test_training_that_made_it_worse_is_said(model, pairs, tmp_path, capfd):
    """A network that already gives what it is to give, and a rate that is far too high."""
    pictures = sorted(str(path) for path in (pairs / "images").iterdir())
    settings = SETTINGS | {"steps": 4, "save_every": 4, "learning_rate": 0.03}
    path, _ = quantize_train(model, tmp_path, pictures=pictures, **settings)
    error = LiteRTRuntime(path).metadata["quantization_aware_training"]["map_error"]
    assert error["after"] > error["before"], error
    assert "more than before: take what sodkeras convert gives" in capfd.readouterr().err


def test_this_process_keeps_its_keras(trained):
    import tensorflow as tf

    assert "TF_USE_LEGACY_KERAS" not in os.environ
    assert tf.keras.__version__.startswith("3.")


def test_a_folder_of_another_training_is_left_alone(trained, model, pairs):
    with pytest.raises(SodkerasError, match=r"other settings \(steps\)"):
        quantize_train(model, trained[0].parent, pairs, **SETTINGS | {"steps": 25})


def test_what_cannot_work_is_said_before_any_work(model, pairs, tmp_path):
    with pytest.raises(UsageError, match="Received: 0"):
        quantize_train(model, tmp_path / "out", pairs, steps=0)
    for neither_or_both in ({}, {"data": pairs, "pictures": tmp_path}):
        with pytest.raises(UsageError, match="Name data, pictures with masks, or pictures, which need none"):
            quantize_train(model, tmp_path / "out", **neither_or_both)
    write_photo(tmp_path / "one.png")
    with pytest.raises(SodkerasError, match="fewer pictures than a batch"):
        quantize_train(model, tmp_path / "out", pictures=tmp_path / "one.png")
    assert not (tmp_path / "out").exists()
