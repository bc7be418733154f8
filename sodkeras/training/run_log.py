"""Callbacks that say what a training run does: to its folder, and to whoever watches."""

import io
import math
import numbers
import os
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import TextIO

import keras
import numpy as np
from tqdm import tqdm

from sodkeras.data.pairs import Pair
from sodkeras.progress import is_quiet
from sodkeras.training.event_file import EventFile
from sodkeras.training.log_file import read_log, write_log
from sodkeras.training.safeguards import averaged_weights
from sodkeras.training.sample_maps import SampleMaps


class _CountsSteps(keras.callbacks.Callback):
    """Knows how many optimiser steps the run has made, those before an interruption included, as `step`."""

    def __init__(self, first_step):
        super().__init__()
        self.step = first_step

    def on_epoch_begin(self, epoch, logs=None):
        self._batch = -1

    def on_train_batch_end(self, batch, logs=None):
        # With steps_per_execution this is called once for several batches.
        self.step += batch - self._batch
        self._batch = batch


class RunLog(_CountsSteps):
    """Keeps the run folder's log: numbers, TensorBoard curves, and the maps of a few pictures.

    - `log.csv`, a row an epoch: epoch (1 the first), step (all so far), seconds (the epoch's), learning_rate, and every
      number of Keras's `logs`. It is replaced as a whole, so that it can be read at any moment.
    - `tensorboard/`: "epoch/…" the same numbers, "batch/…" those of single steps (Keras's means since the epoch began),
      the samples with map and mask, and the distribution of all batch norms' γ. Left out without TensorFlow.
    - `samples/`: the maps of a few pictures, see `SampleMaps`, after the first epoch, the last, and some in between.

    A run that goes on after an interruption drops what is later than the step it goes on from, and ends with the log of
    a run that was never interrupted, but for the seconds. Put it last of the callbacks that add to `logs`, such as
    `DynamicWeightDecay` (column gamma_sparsity), and before the one that saves the state to go on from. Of several
    workers only the chief has one.

    Args:
        folder: the run's.
        samples: pairs, as `sodkeras.data.find_pairs` gives them.
        first_step: steps that were made before this process.
        every_steps: how often TensorBoard's curves of single steps get a point.
        every_epochs: how often maps are kept; default ten times in the run.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        samples: Sequence[Pair] = (),
        first_step: int = 0,
        every_steps: int = 20,
        every_epochs: int | None = None,
    ) -> None:
        super().__init__(first_step)
        self.folder = pathlib.Path(folder)
        self.every_steps = every_steps
        self.every_epochs = every_epochs
        self._samples = SampleMaps(self.folder / "samples", samples)
        self._events: EventFile | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        path = self.folder / "log.csv"
        rows = read_log(path) if path.exists() else []
        self._rows = [row for row in rows if int(row["step"]) <= self.step]
        write_log(self.folder / "log.csv", self._rows)
        self._samples.start(self.model, int(self._rows[-1]["epoch"]) if self._rows else 0)
        try:
            self._events = EventFile(self.folder / "tensorboard", self.step)
        except ImportError:
            self._events = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_begin(epoch)
        self._start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        before = self.step
        super().on_train_batch_end(batch)
        if self._events and before // self.every_steps != self.step // self.every_steps:
            self._events.scalars({f"batch/{name}": value for name, value in _numbers(logs).items()}, self.step)
            self._events.flush()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        results = {"learning_rate": _learning_rate(self.model)} | _numbers(logs)
        row = {"epoch": epoch + 1, "step": self.step, "seconds": round(time.monotonic() - self._start, 2)}
        self._rows = [old for old in self._rows if int(old["step"]) < self.step]
        self._rows.append(row | results)
        write_log(self.folder / "log.csv", self._rows)
        sheets = []
        if self._is_sample_epoch(epoch + 1):
            with averaged_weights(self.model):
                sheets = list(self._samples.write(epoch + 1))
        if self._events:
            self._events.scalars({f"epoch/{name}": value for name, value in results.items()}, self.step)
            for name, sheet in sheets:
                self._events.picture(f"samples/{name}", sheet, self.step)
            gammas = [v for v in self.model.trainable_variables if v.name == "gamma"]
            if gammas:
                values = np.concatenate([keras.ops.convert_to_numpy(gamma).ravel() for gamma in gammas])
                self._events.histogram("gamma", values, self.step)
            self._events.flush()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._events:
            self._events.close()

    def _is_sample_epoch(self, epoch):
        epochs = self.params["epochs"]
        every = self.every_epochs or math.ceil(epochs / 10)
        return epoch in (1, epochs) or epoch % every == 0


class ProgressLine(_CountsSteps):
    """One line that says epoch, step, loss, pictures per second and time left; and a line of results an epoch.

    Where the output is no terminal, a line is printed every half minute instead of one being redrawn.

    Args:
        total_steps: steps of the whole run.
        batch: pictures of a step, over all replicas.
        first_step: steps that were made before this process.
        stream: where to; default standard error.
        interval: seconds between the lines of a log.
    """

    def __init__(
        self, total_steps: int, batch: int, first_step: int = 0, stream: TextIO | None = None, interval: float = 30
    ) -> None:
        super().__init__(first_step)
        self.total_steps = total_steps
        self.batch = batch
        self.interval = interval
        self._has_begun = False
        self._stream = stream or sys.stderr or io.StringIO()  # a program without a console has none

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._start: tuple[int, float] | None = None
        self._said = time.monotonic()
        if not self._has_begun:  # of several fits in a row
            self._say("the first step makes the network's graph, which takes seconds to minutes; the others are quick")
        self._has_begun = True
        self._bar = tqdm(
            total=self.total_steps,
            initial=self.step,
            file=self._stream,
            disable=is_quiet() or not self._stream.isatty(),
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar}| {desc}",
        )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_begin(epoch)
        self._epoch = f"epoch {epoch + 1}/{self.params['epochs']}"
        self._epoch_start = self.step, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        before, now = self.step, time.monotonic()
        super().on_train_batch_end(batch)
        if self._start is None:  # the first step's time is mostly that of building the graph
            self._start = self._epoch_start = self.step, now
        text = self._text(logs, now)
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(self.step - before)
        if self._bar.disable and now - self._said >= self.interval:
            self._said = now
            self._say(text)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._say(", ".join([self._epoch, *(f"{name} {value:.4g}" for name, value in _numbers(logs).items())]))

    def on_train_end(self, logs: dict | None = None) -> None:
        self._bar.close()

    def _text(self, logs, now):
        parts = [f"{self._epoch}, step {self.step}/{self.total_steps}", f"loss {logs['loss']:.4f}"]
        step, start = self._epoch_start
        if self.step > step:
            parts.append(f"{(self.step - step) * self.batch / (now - start):.1f} pictures/s")
        step, start = self._start  # the time left takes in what happens between epochs
        if self.step > step:
            left = (self.total_steps - self.step) * (now - start) / (self.step - step)
            parts.append(f"{tqdm.format_interval(left)} left")
        return ", ".join(parts)

    def _say(self, line):
        if not is_quiet():
            tqdm.write(line, file=self._stream)
            self._stream.flush()


def _numbers(logs):
    return {name: float(value) for name, value in (logs or {}).items() if isinstance(value, numbers.Real)}


def _learning_rate(model):
    rate = keras.ops.convert_to_numpy(model.optimizer.learning_rate)
    return float(f"{rate:.7g}")  # the digits of float32
