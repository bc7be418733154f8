import builtins
import csv
import io
import signal
import subprocess
import sys
import time

import cv2
import keras
import numpy as np
import pytest

from helpers import photo, write_photo
from sodkeras import Predictor, Preprocessing, SodkerasError
from sodkeras.data import Pair
from sodkeras.models.base import SaliencyModel
from sodkeras.training import run_log
from sodkeras.training.log_file import read_log
from sodkeras.training.run_log import ProgressLine, RunLog


def one_layer_model(seed=0):
    """A network that fits in a second."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((16, 16, 3))
    logits = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(1, 3, padding="same")(inputs))
    model = SaliencyModel(inputs, {"map_logits": logits}, preprocessing=Preprocessing(size=(16, 16)))
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.5, 8, 0.1), momentum=0.9)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    return model


def batches(count):
    """The same pictures and masks whenever they are asked for, 4 a batch."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(4 * count, 16, 16, 3)), rng.integers(0, 2, (4 * count, 16, 16, 1)).astype("float32")


@pytest.fixture
def samples(tmp_path):
    pairs = []
    for seed, (height, width) in enumerate(((60, 80), (900, 600))):
        mask = np.zeros((height, width), np.uint8)
        mask[10:40, 20:50] = 255
        cv2.imwrite(str(tmp_path / f"{seed}.png"), mask)
        picture = write_photo(tmp_path / f"{seed}.jpg", height=height, width=width, seed=seed)
        pairs.append(Pair(picture, tmp_path / f"{seed}.png", "synthetic shapes"))
    return pairs


def events(folder):
    """The events of each of TensorBoard's files, the oldest first."""
    import tensorflow as tf

    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [
        [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
        for path in files
    ]


def drive(callback, model, first_step, steps_per_epoch, epochs, stop_at=None):
    """Calls a callback as `fit` would, from a step that may be within an epoch, with logs that depend on the step."""
    callbacks = keras.callbacks.CallbackList([callback], model=model, epochs=epochs)
    callbacks.on_train_begin()
    step = first_step
    for epoch in range(first_step // steps_per_epoch, epochs):
        callbacks.on_epoch_begin(epoch)
        for batch in range(steps_per_epoch - step % steps_per_epoch):
            if step == stop_at:
                return
            step += 1
            model.optimizer.iterations.assign(step)
            callbacks.on_train_batch_end(batch, {"loss": 1 / step})
        callbacks.on_epoch_end(epoch, {"loss": 1 / step, "val_loss": 2 / step} | ({"late": 0.5} if epoch > 1 else {}))
    callbacks.on_train_end()


def without_seconds(path):
    rows = read_log(path)
    return [{name: cell for name, cell in row.items() if name != "seconds"} for row in rows]


def test_a_row_an_epoch_has_what_fit_reports(tmp_path, samples):
    model = one_layer_model()
    log = RunLog(tmp_path / "run", samples)
    history = model.fit(*batches(3), batch_size=4, epochs=2, validation_split=1 / 3, callbacks=[log], verbose=0).history
    with (tmp_path / "run/log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "step", "seconds", "learning_rate", "loss", "val_loss"]
    for index, row in enumerate(rows):
        assert (row["epoch"], row["step"]) == (str(index + 1), str(2 * (index + 1)))
        assert float(row["loss"]) == history["loss"][index]
        assert float(row["val_loss"]) == history["val_loss"][index]
        assert float(row["learning_rate"]) == pytest.approx(0.5 - 0.4 * 2 * (index + 1) / 8)
        assert float(row["seconds"]) > 0


def test_maps_are_kept_as_the_network_would_give_them(tmp_path, samples):
    model = one_layer_model()
    model.fit(*batches(2), batch_size=4, epochs=23, callbacks=[RunLog(tmp_path / "run", samples)], verbose=0)
    folders = sorted((tmp_path / "run/samples").iterdir())
    assert [folder.name for folder in folders] == ["01-synthetic_shapes-0", "02-synthetic_shapes-1"]
    kept = [int(path.stem.removeprefix("map-")) for path in sorted(folders[0].glob("map-*.png"))]
    assert kept == [1, 3, 6, 9, 12, 15, 18, 21, 23]
    expected = 255 * Predictor(model)(str(samples[0].picture))
    found = cv2.imread(str(folders[0] / "map-0023.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(found - expected).max() <= 0.51
    assert expected.std() > 1
    # A large picture is kept small, its map and mask with it.
    for name in ("picture.jpg", "mask.png", "map-0001.png"):
        assert cv2.imread(str(folders[1] / name)).shape[:2] == (320, 213)


def test_maps_are_those_of_the_averaged_weights(tmp_path, samples):
    model = one_layer_model()
    optimizer = keras.optimizers.SGD(5.0, use_ema=True, ema_momentum=0.99)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    now = {}

    def keep(epoch, logs):
        now["map"] = 255 * Predictor(model)(str(samples[0].picture))

    callbacks = [RunLog(tmp_path / "run", samples), keras.callbacks.LambdaCallback(on_epoch_end=keep)]
    model.fit(*batches(2), batch_size=4, epochs=2, callbacks=callbacks, verbose=0)
    # At its end fit puts the averages in the weights' place.
    averaged = 255 * Predictor(model)(str(samples[0].picture))
    found = cv2.imread(str(tmp_path / "run/samples/01-synthetic_shapes-0/map-0002.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(now["map"] - averaged).max() > 5
    assert np.abs(found - averaged).max() <= 0.51


@pytest.mark.parametrize(("stopped", "first_step"), [(11, 6), (11, 8), (9, 9), (3, 0), (None, 9), (None, 0)])
def test_a_resumed_run_ends_with_the_log_of_one_that_was_not_interrupted(tmp_path, samples, stopped, first_step):
    model = one_layer_model()
    drive(RunLog(tmp_path / "straight", samples), model, 0, 3, 4)
    drive(RunLog(tmp_path / "resumed", samples), model, 0, 3, 4, stop_at=stopped)
    drive(RunLog(tmp_path / "resumed", samples, first_step=first_step), model, first_step, 3, 4)
    rows = without_seconds(tmp_path / "resumed/log.csv")
    assert rows == without_seconds(tmp_path / "straight/log.csv")
    assert [row["step"] for row in rows] == ["3", "6", "9", "12"]
    assert ["late" in row for row in rows] == [False, False, True, True]
    names = [sorted(path.name for path in (tmp_path / run).rglob("*.png")) for run in ("straight", "resumed")]
    assert names[0] == names[1]


def test_maps_of_later_than_the_resumed_step_are_dropped(tmp_path, samples):
    model = one_layer_model()
    drive(RunLog(tmp_path / "run", samples), model, 0, 3, 4)
    drive(RunLog(tmp_path / "run", samples, first_step=7), model, 7, 3, 4, stop_at=8)
    assert len(read_log(tmp_path / "run/log.csv")) == 2
    names = {path.name for path in (tmp_path / "run/samples").rglob("map-*.png")}
    assert names == {"map-0001.png", "map-0002.png"}


def test_tensorboard_gets_curves_pictures_and_gammas_and_forgets_what_is_repeated(tmp_path, samples):
    model = one_layer_model()
    model.get_layer("norm").gamma.assign([0.25])
    drive(RunLog(tmp_path / "run", samples, every_steps=2), model, 0, 3, 2)
    first, *_ = events(tmp_path / "run/tensorboard")
    values = [(event.step, value) for event in first for value in event.summary.value]
    scalars = {(value.tag, step): value.simple_value for step, value in values if value.HasField("simple_value")}
    assert {step for tag, step in scalars if tag == "batch/loss"} == {2, 4, 6}
    assert scalars["batch/loss", 4] == pytest.approx(1 / 4)
    assert scalars["epoch/val_loss", 6] == pytest.approx(2 / 6)
    assert scalars["epoch/learning_rate", 3] == pytest.approx(0.35)
    pictures = {(value.tag, step): value.image for step, value in values if value.HasField("image")}
    assert {step for _, step in pictures} == {3, 6}
    encoded = np.frombuffer(pictures["samples/01-synthetic_shapes-0", 6].encoded_image_string, np.uint8)
    sheet = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
    assert sheet.shape == (60, 240, 3)
    assert np.abs(sheet[:, :80].astype(int) - photo(60, 80)).mean() < 12  # JPEG
    np.testing.assert_array_equal(sheet[:, 160:, 0], cv2.imread(str(samples[0].mask), cv2.IMREAD_GRAYSCALE))
    histograms = [value.histo for _, value in values if value.HasField("histo")]
    assert [(histogram.num, histogram.sum) for histogram in histograms] == [(1, 0.25)] * 2

    drive(RunLog(tmp_path / "run", samples, first_step=4), model, 4, 3, 2)
    second = events(tmp_path / "run/tensorboard")[-1]
    starts = [event.step for event in second if event.session_log.status == event.session_log.START]
    assert starts == [5]  # TensorBoard drops this step of earlier files, and those behind it


def test_without_tensorflow_there_is_a_log_and_no_tensorboard(tmp_path, monkeypatch):
    model = one_layer_model()
    real_import = builtins.__import__

    def no_tensorflow(name, globals=None, *arguments):
        if name == "tensorflow" and globals["__name__"] == "sodkeras.training.event_file":  # Keras itself may
            raise ModuleNotFoundError(name)
        return real_import(name, globals, *arguments)

    monkeypatch.setattr(builtins, "__import__", no_tensorflow)
    drive(RunLog(tmp_path / "run"), model, 0, 3, 2)
    assert len(read_log(tmp_path / "run/log.csv")) == 2
    assert not (tmp_path / "run/tensorboard").exists()


def test_a_killed_process_leaves_a_log_that_can_be_read(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import keras, types\n"
        "from sodkeras.training.run_log import RunLog\n"
        "model = keras.Sequential([keras.layers.Dense(1)])\n"
        "model.inference_model = lambda: types.SimpleNamespace()\n"
        "model.compile('sgd', 'mse')\n"
        f"callbacks = keras.callbacks.CallbackList([RunLog({str(tmp_path / 'run')!r})], model=model, epochs=10**9)\n"
        "callbacks.on_train_begin()\n"
        "for epoch in range(10**9):\n"
        "    callbacks.on_epoch_begin(epoch)\n"
        "    callbacks.on_train_batch_end(0, {'loss': 0.5})\n"
        "    callbacks.on_epoch_end(epoch, {'loss': 0.5})\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    try:
        path = tmp_path / "run/log.csv"
        deadline = time.monotonic() + 120
        while not (path.exists() and len(read_log(path)) > 20):
            assert process.poll() is None and time.monotonic() < deadline
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    rows = read_log(path)
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    assert all(float(row["loss"]) == 0.5 for row in rows)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n", b"epoch,step\n1,two\n", b"epoch,step\n1,2,3\n", b"a,b\n1,2\n"]
)
def test_a_damaged_log_is_named_and_kept(tmp_path, content):
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(SodkerasError, match=rf"Received: {tmp_path}/log.csv$"):
        drive(RunLog(tmp_path), one_layer_model(), 0, 1, 1)
    assert (tmp_path / "log.csv").read_bytes() == content


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves; returns a list whose sum is the time."""
    ticks = [1000.0]
    monkeypatch.setattr(run_log.time, "monotonic", lambda: sum(ticks))
    return ticks


def drive_progress(line, clock, first_step, seconds_a_step, last_step):
    callbacks = keras.callbacks.CallbackList([line], epochs=5)
    callbacks.on_train_begin()
    clock.append(60)  # the first step builds the graph
    callbacks.on_epoch_begin(first_step // 10)
    for batch, step in enumerate(range(first_step, last_step)):
        clock.append(seconds_a_step)
        callbacks.on_train_batch_end(batch, {"loss": 1 / (step + 1)})
    return callbacks


def test_progress_in_a_log_file_is_a_line_now_and_then(clock):
    stream = io.StringIO()
    callbacks = drive_progress(ProgressLine(50, 8, first_step=30, stream=stream), clock, 30, 5, 40)
    callbacks.on_epoch_end(3, {"loss": 0.5, "val_max_f": 0.8125})
    callbacks.on_train_end()
    # What the first step is busy with, a line after it, then one every half minute; 8 pictures in 5 s.
    assert stream.getvalue().splitlines() == [
        "the first step makes the network's graph, which takes seconds to minutes; the others are quick",
        "epoch 4/5, step 31/50, loss 0.0323",
        "epoch 4/5, step 37/50, loss 0.0270, 1.6 pictures/s, 01:05 left",
        "epoch 4/5, loss 0.5, val_max_f 0.8125",
    ]


def test_progress_on_a_terminal_is_one_line_redrawn(clock, monkeypatch):
    stream = Terminal()
    line = ProgressLine(50, 8, first_step=30, stream=stream)
    callbacks = drive_progress(line, clock, 30, 0.1, 33)
    line._bar.refresh()
    callbacks.on_train_end()
    last = stream.getvalue().rstrip().split("\r")[-1]
    assert "66%" in last
    assert last.endswith("epoch 4/5, step 33/50, loss 0.0303, 80.0 pictures/s, 00:01 left")
    assert stream.getvalue().count("\n") == 2


def test_progress_counts_the_steps_that_one_execution_takes_at_once():
    line = ProgressLine(24, 4, stream=io.StringIO())
    model = one_layer_model()
    model.steps_per_execution = 3
    model.fit(*batches(6), batch_size=4, epochs=2, callbacks=[line], verbose=0)
    assert line.step == 12


def test_both_know_the_steps_of_several_fits_in_a_row(tmp_path):
    line, log = ProgressLine(7, 4, first_step=1, stream=io.StringIO()), RunLog(tmp_path, first_step=1)
    model = one_layer_model()
    data, masks = batches(3)
    model.fit(data[:8], masks[:8], batch_size=4, epochs=1, callbacks=[line, log], verbose=0)
    model.fit(data, masks, batch_size=4, initial_epoch=1, epochs=2, callbacks=[line, log], verbose=0)
    assert [(row["epoch"], row["step"]) for row in read_log(tmp_path / "log.csv")] == [("1", "3"), ("2", "6")]
    assert line.step == 6
