"""A network trained on another machine with PyTorch: pairs there and back, its training, and what it computes here."""

import csv
import importlib
import json
import os
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from sodkeras.data import find_pairs
from sodkeras.data.samples import read_pair
from sodkeras.data.synthetic import write_synthetic
from sodkeras.keras_file import load_keras
from sodkeras.losses import IntersectionOverUnionFromLogits
from sodkeras.models import DNL, CSNet

SCRIPTS = pathlib.Path(__file__).parent.parent.parent / "training" / "weights"
STAGES = [[1, 4, 1, 1], [2, 4, 1, 2], [2, 4, 1, 2], [2, 6, 1, 2]]
PLAN = {
    "stages": [[[2, 2]], [[2, 2]], [[3]], [[3]], [[3]]],
    "fusion": {"stages": [4], "mixed": [3], "dilation_rates": [1], "dilated": [[2]], "filters": 2},
}
SIZE = 48
#: What happens on the other machine, in one process; TensorFlow is missing there.
THERE = """
import sys
sys.modules["tensorflow"] = sys.modules["sodkeras.training"] = sys.modules["sodkeras.tflite"] = None
import itertools, json, pathlib
import gpu_train, numpy as np, torch
from sodkeras.keras_file import load_keras
from sodkeras.preprocessing import Preprocessing

folder = pathlib.Path(sys.argv[1])
parts = sorted(map(str, folder.glob("pack/*.npz")))
training, kept = gpu_train.read_parts(parts[::-1])

# Every pair to train on is in an epoch once.
generator = torch.Generator().manual_seed(0)
count = len(training.stems)
epoch = torch.cat(list(itertools.islice(gpu_train.order(count, 2, generator), count // 2)))
assert len(set(epoch.tolist())) == len(epoch) >= count - 1

preprocessing = Preprocessing((32, 32), (0.5,) * 3, (0.5,) * 3)
x, masks = gpu_train.augmented(training.pixels, 32, preprocessing, generator)
plain, _ = gpu_train.unchanged(training.pixels, training.pixels.shape[-1], preprocessing)
logits = torch.linspace(-9, 9, masks.numel()).reshape(masks.shape)
np.savez(
    folder / "there.npz", pixels=torch.cat([training.pixels, kept.pixels]), stems=training.stems + kept.stems,
    kept=kept.stems, x=x, masks=masks, plain=plain, logits=logits, loss=gpu_train.loss(logits, masks),
)

# Batch norms in one kernel are Keras's.
results = []
for prepare in (lambda model: None, gpu_train.fuse_norms):
    model = load_keras(folder / "csnet.keras")
    prepare(model)
    value = gpu_train.loss(model(x, training=True)["saliency_logits"], masks)
    value.backward()
    gradients = [variable.value.grad.ravel() for variable in model.trainable_variables]
    moved = [variable.value.ravel() for variable in model.non_trainable_variables]
    results.append((torch.cat(gradients), torch.cat(moved)))
for plain, fused in zip(*results):
    torch.testing.assert_close(fused, plain, rtol=1e-3, atol=1e-5 * plain.abs().max().item())

common = ["gpu_train.py", f"--parts={','.join(parts)}", "--seconds=1000", "--batch=4", "--warm_up=0"]
for name, options in json.loads(sys.argv[2]):
    gpu_train.FLAGS.unparse_flags()
    gpu_train.FLAGS([*common, f"--network={folder / name}.keras", f"--out={folder / name}", *options])
    gpu_train.main([])
"""
RUNS = [
    ("dnl", ["--steps=5", "--learning_rate=3e-3"]),
    ("dnl", ["--steps=30", "--learning_rate=3e-3"]),
    ("csnet", ["--steps=30", "--size=32", "--learning_rate=1e-2", "--bfloat16"]),
]


def script(name):
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def gpu_pack():
    return script("gpu_pack")


@pytest.fixture(scope="module")
def gpu_check():
    return script("gpu_check")


@pytest.fixture(scope="module")
def packed(gpu_pack, tmp_path_factory):
    """A folder with a data set, its pack in two parts, and networks; and the set's pairs."""
    folder = tmp_path_factory.mktemp("gpu")
    write_synthetic(folder / "data", 14, (60, 80), progress=False)
    for kind, suffix in (("images", "jpg"), ("masks", "png")):
        # The SHA-256 of these stems begin low: they are kept.
        for number, stem in ((12, "kept15"), (13, "kept45")):
            (folder / "data" / kind / f"{number:05}.{suffix}").rename(folder / "data" / kind / f"{stem}.{suffix}")
    pairs = find_pairs([folder / "data"])
    whole = gpu_pack.pack(pairs, folder / "whole", SIZE, 95, 1e6)
    assert len(whole) == 1
    assert len(gpu_pack.pack(pairs, folder / "pack", SIZE, 95, 0.7 * whole[0].stat().st_size)) == 2
    DNL((), 2, input_shape=(SIZE, SIZE, 3), stages=STAGES, stem_filters=4, aspp_filters=4, low_level_filters=4).save(
        folder / "dnl.keras"
    )
    CSNet(plan=PLAN).save(folder / "csnet.keras")
    return folder, pairs


@pytest.fixture(scope="module")
def trained(packed):
    """The folder after what happened on the other machine."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    folder, _ = packed
    path = os.pathsep.join([str(SCRIPTS), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", THERE, str(folder), json.dumps(RUNS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "goes on from step 5, " in done.stdout and done.stdout.count("goes on") == 1
    return folder


def rows(folder):
    with (folder / "log.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_pairs_come_out_as_they_went_in_and_those_kept_out_apart(gpu_pack, packed, trained):
    _, pairs = packed
    there = np.load(trained / "there.npz")
    kept = [pair.stem for pair in pairs if gpu_pack.kept(pair)]
    assert sorted(there["kept"]) == sorted(kept) == ["kept15", "kept45"]
    assert sorted(there["stems"]) == sorted(pair.stem for pair in pairs)
    by_stem = dict(zip(there["stems"].tolist(), there["pixels"], strict=True))
    for pair in pairs:
        picture, mask = (cv2.resize(each, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for each in read_pair(pair))
        pixels = by_stem[pair.stem].transpose(1, 2, 0)
        assert np.abs(pixels[..., :3] - picture.astype(float)).mean() < 6  # WebP halves the colours' resolution
        np.testing.assert_array_equal(pixels[..., 3], mask)


def test_a_part_that_is_too_large(gpu_pack, packed, tmp_path):
    with pytest.raises(ValueError, match=r"700 bytes at most; give --largest.*part0\.npz, "):
        gpu_pack.pack(packed[1][:2], tmp_path, SIZE, 95, 700)


def test_batches(trained):
    there = np.load(trained / "there.npz")
    pixels = there["pixels"][: len(there["x"]), :3].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(there["plain"], pixels / 127.5 - 1, atol=1e-5)
    assert there["x"].shape == (12, 32, 32, 3) and there["masks"].shape == (12, 32, 32, 1)
    assert np.abs(there["x"]).max() <= 1 and there["x"].std() > 0.1
    assert there["masks"].min() >= 0 and there["masks"].max() <= 1 and there["masks"].mean() > 0.02


def test_the_loss_is_the_package_s(trained):
    import keras

    there = np.load(trained / "there.npz")
    parts = (keras.losses.BinaryCrossentropy(from_logits=True), IntersectionOverUnionFromLogits())
    expected = sum(float(part(there["masks"], there["logits"])) for part in parts)
    assert float(there["loss"]) == pytest.approx(expected, rel=1e-5)


def test_it_learns_and_goes_on_where_it_stopped(trained):
    first, second = rows(trained / "dnl")
    assert (first["step"], second["step"]) == (5, 35) and second["seconds"] > first["seconds"] > 0
    (csnet,) = rows(trained / "csnet")
    assert second["loss"] < first["loss"]
    for row in (first, second, csnet):
        assert 0 < row["val_loss"] < 5 and 0 < row["val_mae"] < 1 and 0 < row["val_max_f"] <= 1


def test_it_computes_the_same_here_and_becomes_a_file(trained, tmp_path):
    command = [sys.executable, str(SCRIPTS / "gpu_check.py"), str(trained / "dnl"), f"--out={tmp_path / 'net.keras'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    model = load_keras(tmp_path / "net.keras")
    assert isinstance(model, DNL) and model.preprocessing.size == (SIZE, SIZE)
    same = [np.array_equal(*both) for both in zip(model.get_weights(), weights(trained / "dnl.keras"), strict=True)]
    assert not any(same)
    there = zip(model.get_weights(), weights(trained / "dnl" / "last.keras"), strict=True)
    assert all(np.array_equal(*both) for both in there)
    made = json.loads((tmp_path / "made.json").read_text())
    assert made["pictures"] == {"training": 12, "validation": 2} and list(made["stages"]) == ["dnl"]


def weights(file):
    return load_keras(file).get_weights()


def test_so_does_one_trained_on_other_sizes_in_bfloat16(gpu_check, trained):
    model, facts, difference = gpu_check.check(trained / "csnet")
    assert isinstance(model, CSNet) and model.preprocessing.size == (32, 32)
    assert facts["steps"] == 30 and difference < 1e-4


def test_weights_and_logits_of_two_runs(gpu_check, trained, tmp_path):
    (tmp_path / "weights.npz").write_bytes((trained / "dnl" / "weights.npz").read_bytes())
    recorded = dict(np.load(trained / "dnl" / "check.npz"))
    np.savez(tmp_path / "check.npz", x=recorded["x"], logits=recorded["logits"] + 0.01)
    with pytest.raises(ValueError, match=r"are weights\.npz and check\.npz of one run\?"):
        gpu_check.check(tmp_path)
