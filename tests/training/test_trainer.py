import contextlib
import csv
import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess

import keras
import numpy as np
import pytest

from sodkeras import Predictor
from sodkeras.data import find_pairs
from sodkeras.data.pipeline import validation_data
from sodkeras.errors import SodkerasError
from sodkeras.keras_file import load_keras
from sodkeras.training import checkpoints, safeguards, trainer
from sodkeras.training.trainer import train

PLAN = {
    "stages": [[[4]], [[4]], [[4]], [[4]], [[4]]],
    "fusion": {"stages": [4], "mixed": [4], "dilation_rates": [1], "dilated": [[4]], "filters": 4},
}
CSNET = {"model": "CSNet", "arguments": {"plan": PLAN}, "size": (32, 32)}
DYNAMIC = CSNET | {"epochs": 2, "dynamic_decay": 3.0, "decay_exempt": "gammas"}
#: Everything at once that has a state of its own.
EVERYTHING = {
    "optimizer": "sgd",
    "optimizer_arguments": {"momentum": 0.9},
    "schedule": "cosine",
    "warm_up_epochs": 1,
    "ema_momentum": 0.8,
    "accumulate": 2,
    "augmentation": {"left_right": 0.5, "up_down": 0.5, "border_crop": 5, "brightness": 0.1},
}


def weights(path):
    return [values.tobytes() for values in keras.models.load_model(path).get_weights()]


def log(folder):
    """The rows of log.csv without the seconds."""
    with (folder / "log.csv").open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture
def at_step(monkeypatch):
    """`at_step(n, action)`: does something once, behind the n-th step of the next training."""

    def arrange(number, action):
        original = safeguards.NoNaN.on_train_batch_end

        def on_train_batch_end(self, batch, logs=None):
            original(self, batch, logs)
            if self._step == number:
                monkeypatch.setattr(safeguards.NoNaN, "on_train_batch_end", original)
                action()

        monkeypatch.setattr(safeguards.NoNaN, "on_train_batch_end", on_train_batch_end)

    return arrange


def test_a_run_leaves_its_folder(settings, pairs, tmp_path, capsys):
    origin = {"recipe": "csnet", "short": True, "changes": {}}
    table = train(settings, pairs[:16], tmp_path, pairs[16:18], {"others": pairs[18:]}, origin=origin)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"settings.json", "log.csv", "last.keras", "best.keras", "evaluation", "report.html", "samples"}
    record = json.loads((tmp_path / "settings.json").read_text())
    assert record["recipe"] == "csnet"
    assert record["settings"]["learning_rate"] == 0.02
    assert record["data"]["training"] == 16
    assert record["versions"]["keras"] == keras.__version__
    assert [row["step"] for row in log(tmp_path)] == ["4", "8", "12"]
    scores = json.loads((tmp_path / "evaluation" / "scores.json").read_text())["scores"]
    assert [(row["set"], row["method"], row["pictures"]) for row in scores] == [
        ("discs (validation)", "last", 2),
        ("discs (validation)", "best", 2),
        ("others", "last", 2),
        ("others", "best", 2),
    ]
    saliency_map = Predictor(str(tmp_path / "best.keras"))(pairs[0].picture)
    assert 0 <= saliency_map.min() < saliency_map.max() <= 1
    assert table.rows == scores and capsys.readouterr().out == ""


def test_training_learns_what_is_bright(settings, pairs, tmp_path):
    settings = dataclasses.replace(settings, epochs=20, learning_rate=0.05)
    train(settings, pairs[:16], tmp_path, pairs[16:])
    scores = json.loads((tmp_path / "evaluation" / "scores.json").read_text())["scores"]
    assert scores[0]["max_f"] > 0.9


@pytest.fixture(scope="module")
def whole(data_folder, tmp_path_factory):
    """`whole(settings)`: the folder of a run that nothing happened to, on 16 pictures, with the others held out."""
    runs = {}

    def run(settings):
        key = json.dumps(settings.to_dict())
        if key not in runs:
            pairs, runs[key] = find_pairs([data_folder]), tmp_path_factory.mktemp("whole") / "run"
            train(settings, pairs[:16], runs[key], pairs[16:])
        return runs[key]

    return run


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        pytest.param({}, 3, id="between checkpoints"),
        pytest.param({}, 5, id="behind one"),
        pytest.param({}, 8, id="at an epoch's end"),
        pytest.param(EVERYTHING, 3, id="everything, between checkpoints"),
        pytest.param(EVERYTHING, 5, id="everything, behind one"),
        pytest.param(EVERYTHING, 8, id="everything, at an epoch's end"),
        pytest.param(DYNAMIC, 5, id="CSNet under dynamic decay", marks=pytest.mark.train),
    ],
)
def test_an_interrupted_run_ends_with_the_same_bits(settings, pairs, tmp_path, whole, at_step, changes, step):
    settings = dataclasses.replace(settings, **changes)
    expected = whole(settings)
    at_step(step, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        train(settings, pairs[:16], tmp_path / "cut", pairs[16:])
    assert not (tmp_path / "cut" / "last.keras").exists()
    train(settings, pairs[:16], tmp_path / "cut", pairs[16:])
    for name in ("last.keras", "best.keras"):
        assert weights(tmp_path / "cut" / name) == weights(expected / name)
    assert log(tmp_path / "cut") == log(expected)


def test_a_finished_run_is_scored_again_and_not_trained(settings, pairs, tmp_path, whole):
    run = shutil.copytree(whole(settings), tmp_path / "run")
    before, rows = weights(run / "last.keras"), log(run)
    shutil.rmtree(run / "evaluation")
    (run / "last.keras").unlink()
    train(settings, pairs[:16], run, pairs[16:])
    assert weights(run / "last.keras") == before
    assert log(run) == rows
    assert (run / "evaluation" / "scores.json").exists()


def test_what_is_kept_are_the_averages(settings, pairs, tmp_path):
    """With averages that hardly move, the kept weights stay near the first step's; the trained ones do not."""
    settings = dataclasses.replace(settings, optimizer="sgd", learning_rate=1.0, weight_decay=0.0)
    kernels = {}
    for momentum in (0.0, 0.999):
        folder = tmp_path / str(momentum)
        one = dataclasses.replace(settings, ema_momentum=momentum, steps_per_epoch=1, epochs=1)
        train(one, pairs[:16], folder / "one")
        train(dataclasses.replace(one, epochs=6), pairs[:16], folder / "six")
        first, last = (
            keras.models.load_model(folder / run / "last.keras").get_layer("first").kernel for run in ("one", "six")
        )
        kernels[momentum] = float(keras.ops.max(keras.ops.abs(first - last)))
    assert kernels[0.999] < 0.02 * kernels[0.0]


def test_bfloat16_trains_and_leaves_float32(settings, pairs, tmp_path):
    train(dataclasses.replace(settings, policy="mixed_bfloat16", epochs=1), pairs[:16], tmp_path)
    model = keras.models.load_model(tmp_path / "last.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_statistics_are_those_of_the_training_pictures(settings, pairs, tmp_path):
    """A batch norm whose moving mean has hardly moved yet has the mean of its inputs after all."""
    settings = dataclasses.replace(settings, epochs=1, steps_per_epoch=1, augmentation={"left_right": 0})
    means = {}
    for count in (0, 4):
        folder = tmp_path / str(count)
        train(dataclasses.replace(settings, re_estimate=count), pairs[:16], folder)
        means[count] = keras.models.load_model(folder / "last.keras").get_layer("norm").moving_mean
    model = keras.models.load_model(tmp_path / "4" / "last.keras")
    pictures = np.concatenate([x for x, _ in validation_data(pairs[:16], model.preprocessing, 4).as_numpy_iterator()])
    expected = keras.ops.mean(model.get_layer("first")(pictures), axis=(0, 1, 2))
    np.testing.assert_allclose(means[4], expected, atol=1e-4)
    assert float(keras.ops.max(keras.ops.abs(means[0] - expected))) > 0.01


@pytest.mark.train
def test_a_network_can_be_trained_as_it_is_used(settings, pairs, tmp_path, without_xla):
    """Without the batches' statistics batch norms keep theirs, while all else learns."""
    settings = dataclasses.replace(settings, **CSNET, epochs=1, learning_rate=1e-4, re_estimate=4)
    train(settings, pairs[:16], tmp_path / "start")
    start = tmp_path / "start" / "last.keras"
    changed = {}
    for batches in (True, False):
        further = {"model": str(start), "arguments": {}, "re_estimate": 0, "batch_statistics": batches}
        train(dataclasses.replace(settings, **further), pairs[:16], tmp_path / str(batches))
        trained = load_keras(tmp_path / str(batches) / "last.keras")
        together = zip(load_keras(start).weights, trained.weights, strict=True)
        changed[batches] = {v.path for v, w in together if keras.ops.any(v != keras.ops.convert_to_tensor(w))}
    assert {path for path in changed[True] if "moving" in path}
    assert {path.split("/")[-1] for path in changed[False]} == {"kernel", "gamma", "beta", "alpha", "bias"}


@pytest.mark.train
def test_a_network_is_pruned_and_fine_tuned_in_a_run_of_its_own(settings, pairs, tmp_path, without_xla):
    settings = dataclasses.replace(
        settings,
        **DYNAMIC | {"epochs": 1},
        prune={"criterion": "gamma", "ratio": 0.25},
        fine_tune={"epochs": 2, "learning_rate": 1e-3},
        re_estimate=2,
    )
    train(settings, pairs[:16], tmp_path, pairs[16:])
    plan = json.loads((tmp_path / "pruned" / "plan.json").read_text())
    assert plan["stages"][0] == [[3]]
    assert load_keras(tmp_path / "pruned" / "last.keras").channels == plan
    assert [row["epoch"] for row in log(tmp_path / "pruned")] == ["1", "2"]
    assert "gamma_sparsity" in log(tmp_path)[0]
    assert weights(tmp_path / "pruned" / "initial.keras") != weights(tmp_path / "pruned" / "last.keras")
    scores = json.loads((tmp_path / "evaluation" / "scores.json").read_text())["scores"]
    methods = ["last", "best", "pruned", "pruned, fine-tuned (last)", "pruned, fine-tuned (best)"]
    assert [row["method"] for row in scores] == methods
    # Other channels to prune need no other training.
    trained = weights(tmp_path / "last.keras")
    shutil.rmtree(tmp_path / "pruned")
    train(dataclasses.replace(settings, prune={"criterion": "gamma", "ratio": 0.5}), pairs[:16], tmp_path, pairs[16:])
    assert json.loads((tmp_path / "pruned" / "plan.json").read_text())["stages"][0] == [[2]]
    assert weights(tmp_path / "last.keras") == trained


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.5}, r"other settings \(learning_rate 0.02, now 0.5\)"),
        ({"arguments": {"filters": 4}}, r"other settings \(arguments \{\}, now \{'filters': 4\}\)"),
    ],
)
def test_a_folder_of_other_settings_is_refused(settings, pairs, tmp_path, changes, message):
    train(dataclasses.replace(settings, epochs=1), pairs[:16], tmp_path)
    with pytest.raises(SodkerasError, match=message):
        train(dataclasses.replace(settings, epochs=1, **changes), pairs[:16], tmp_path)
    train(dataclasses.replace(settings, epochs=1, save_every=7, samples=0), pairs[:16], tmp_path)


def test_a_run_goes_on_with_a_version_that_has_a_setting_more(settings, pairs, tmp_path):
    settings = dataclasses.replace(settings, epochs=1)
    train(settings, pairs[:16], tmp_path)
    record = json.loads((tmp_path / "settings.json").read_text())
    del record["settings"]["freeze"]
    (tmp_path / "settings.json").write_text(json.dumps(record))
    train(settings, pairs[:16], tmp_path)
    with pytest.raises(SodkerasError, match=r"other settings \(freeze '', now 'unit\*'\)"):
        train(dataclasses.replace(settings, freeze="unit*"), pairs[:16], tmp_path)


def test_a_start_that_failed_leaves_the_folder_free(settings, pairs, tmp_path):
    with pytest.raises(SodkerasError, match="Fewer pictures than a batch of 100"):
        train(dataclasses.replace(settings, batch=100), pairs[:16], tmp_path)
    with pytest.raises(SodkerasError, match="The loss is"):
        train(dataclasses.replace(settings, optimizer="sgd", learning_rate=1e30), pairs[:16], tmp_path)
    train(dataclasses.replace(settings, epochs=1), pairs[:16], tmp_path)
    assert json.loads((tmp_path / "settings.json").read_text())["settings"]["batch"] == 4
    assert [row["step"] for row in log(tmp_path)] == ["4"]


def test_a_folder_of_other_pictures_or_of_something_else_is_refused(settings, pairs, tmp_path):
    settings = dataclasses.replace(settings, epochs=1)
    train(settings, pairs[:16], tmp_path / "run")
    with pytest.raises(SodkerasError, match=r"other pictures \(16 to train on, now 15\)"):
        train(settings, pairs[:15], tmp_path / "run")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(SodkerasError, match="holds something else"):
        train(settings, pairs[:16], tmp_path / "home")
    (tmp_path / "run" / "settings.json").write_text("{")
    with pytest.raises(SodkerasError, match="damaged"):
        train(settings, pairs[:16], tmp_path / "run")


def test_a_loss_that_is_no_number_names_the_step_and_the_files(settings, pairs, tmp_path):
    settings = dataclasses.replace(settings, learning_rate=1e30, optimizer="sgd", weight_decay=0.0, save_every=1)
    with pytest.raises(SodkerasError, match=r"The loss is (nan|inf) at step \d.*disc\d\d.jpg, .*disc\d\d.jpg"):
        train(settings, pairs[:16], tmp_path)


def test_a_picture_that_breaks_midway_names_itself_and_training_goes_on(
    settings, data_folder, tmp_path, whole, at_step
):
    expected = weights(whole(settings) / "last.keras")
    copy = tmp_path / "data"
    shutil.copytree(data_folder, copy)
    pairs = find_pairs([copy])
    settings = dataclasses.replace(settings, cache=None)
    content = pairs[3].picture.read_bytes()
    at_step(5, lambda: pairs[3].picture.write_bytes(content[:100]))
    with pytest.raises(SodkerasError, match=rf"{pairs[3].picture.name}"):
        train(settings, pairs[:16], tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / "step-00000004.npz").exists()
    pairs[3].picture.write_bytes(content)
    train(settings, pairs[:16], tmp_path / "run")
    assert weights(tmp_path / "run" / "last.keras") == expected


def test_a_full_disk_keeps_what_was_there_and_training_goes_on(settings, pairs, tmp_path, whole, monkeypatch):
    expected = weights(whole(settings) / "last.keras")
    save, room = np.savez, False

    def savez(file, **arrays):
        if not room and json.loads(str(arrays["header"]))["step"] > 6:
            file.write(b"PK")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(file, **arrays)

    monkeypatch.setattr(checkpoints.np, "savez", savez)
    with pytest.raises(SodkerasError, match=r"No space left on device.*step-00000008.npz"):
        train(settings, pairs[:16], tmp_path / "run")
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["step-00000004.npz", "step-00000006.npz"]
    room = True
    train(settings, pairs[:16], tmp_path / "run")
    assert weights(tmp_path / "run" / "last.keras") == expected


@pytest.fixture
def small_disk(tmp_path):
    """A file system of three megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here ({error})")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # lazily: event files may be open


def test_a_disk_that_is_really_full_costs_nothing_but_time(settings, pairs, whole, small_disk, at_step, monkeypatch):
    """Full within an epoch, at an epoch's end, before the scores, and before the report."""
    expected = whole(settings)
    filler, run = small_disk / "filler", small_disk / "run"

    def fill():
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def fill_before(name):
        original = getattr(trainer, name)

        def full(*arguments):
            monkeypatch.setattr(trainer, name, original)
            fill()
            return original(*arguments)

        monkeypatch.setattr(trainer, name, full)

    arrangements = [lambda: at_step(5, fill), lambda: at_step(8, fill)]
    arrangements += [lambda: fill_before("evaluate"), lambda: fill_before("write_report")]
    for arrange in arrangements:
        arrange()
        with pytest.raises(SodkerasError, match="No space left on device"):
            train(settings, pairs[:16], run, pairs[16:])
        assert filler.stat().st_size > 1e6
        kept = sorted((run / "checkpoints").iterdir())
        assert [path.suffix for path in kept] == [".npz", ".npz"]
        for path in kept:
            with np.load(path) as arrays:
                assert all(arrays[name].size for name in arrays)  # every check sum is compared
        filler.unlink()
    train(settings, pairs[:16], run, pairs[16:])
    for name in ("last.keras", "best.keras"):
        assert weights(run / name) == weights(expected / name)
    assert log(run) == log(expected)
    assert (run / "report.html").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "VGG"}, "model is one of CII"),
        ({"arguments": {"filter": 3}}, r"Tiny takes the arguments filters, .*Received: \['filter'\]"),
        ({"arguments": {"filters": -1}}, "Tiny cannot be built"),
        ({"preprocessing": {"mode": 1}}, "no such preprocessing"),
        ({"augmentation": {"flip": 1}}, "Augmentation has the settings left_right"),
        ({"output_weights": {"side1": 2}}, "outputs are saliency_logits"),
        ({"batch": 100}, "Fewer pictures than a batch of 100"),
        ({"initial_weights": "missing.keras"}, "missing.keras"),
        ({"decay_exempt": "gammas"}, "no γ to exempt"),
    ],
)
def test_settings_that_fit_no_network_are_one_sentence(settings, pairs, tmp_path, changes, message):
    with pytest.raises(SodkerasError, match=message):
        train(dataclasses.replace(settings, **changes), pairs[:16], tmp_path)
    assert not (tmp_path / "checkpoints").exists()
