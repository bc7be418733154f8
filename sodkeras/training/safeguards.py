"""Callbacks and a context that keep a run's progress: checkpoints, the best weights, orderly interruption, no NaN."""

import contextlib
import math
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.progress import say


class Interruption:
    """Turns the first Ctrl-C or SIGTERM into a wish, which `asked` holds; the second interrupts at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Listens while the block runs; only in the main thread, elsewhere signals do what they did."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        say("\nstopping after this step; once more stops at once")


class NoNaN(keras.callbacks.Callback):
    """Ends training at the first step whose loss is no finite number, and names its pictures.

    Args:
        data: see `sodkeras.training.feeding.training_data`.
        first_step: steps that were made before this process.
    """

    def __init__(self, data: Any, first_step: int = 0) -> None:
        super().__init__()
        self._data = data
        self._step = first_step

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # Keras's running mean is no number from the first such step on.
        loss = (logs or {})["loss"]
        if not math.isfinite(loss):
            files = ", ".join(str(pair.picture) for pair in self._data.pairs_of_step(self._step))
            raise SodkerasError(
                f"The loss is {loss} at step {self._step + 1}; start anew with a lower learning_rate, "
                f"warm_up_epochs or clip_norm, or look at this batch's pictures and masks. Received: {files}"
            )
        self._step += 1


class KeepBest(keras.callbacks.Callback):
    """Saves the model whenever the validation's mean absolute error is lower than ever before.

    Args:
        save: a function that saves it.
        best: the lowest error of the epochs before this process.
    """

    def __init__(self, save: Callable[[], None], best: float = math.inf) -> None:
        super().__init__()
        self._save = save
        self.best = best

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        error = next(
            (value for name, value in (logs or {}).items() if name.startswith("val_") and name.endswith("mae")), None
        )
        if error is not None and error < self.best:
            self._save()
            self.best = error


class KeepState(keras.callbacks.Callback):
    """Keeps checkpoints to go on from; put it last, for what it saves is then all done.

    Between epochs it saves behind the validation and the log, within an epoch every few steps; and it ends training
    where an interruption is asked for, having saved.

    Args:
        checkpoints: the run's `Checkpoints`.
        steps_per_epoch: batches of a whole epoch.
        every: steps between two checkpoints.
        best: the run's `KeepBest`, whose lowest error goes into the checkpoint.
        stop: a function that says whether to stop, asked after every step.
        first_step: where training begins; within an epoch, the model's metrics hold the epoch's means so far.
    """

    def __init__(
        self,
        checkpoints: Any,
        steps_per_epoch: int,
        every: int,
        best: KeepBest,
        stop: Callable[[], bool],
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._steps_per_epoch = steps_per_epoch
        self._every = every
        self._best = best
        self._stop = stop
        self.step = first_step
        self._means: list[np.ndarray] | None = None

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        if self._means is None:
            # Under PyTorch, convert_to_numpy shows the variable's own memory.
            self._means = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.metrics_variables]

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self._means and self.step % self._steps_per_epoch:  # fit has just set them to zero
            for variable, value in zip(self.model.metrics_variables, self._means, strict=True):
                variable.assign(value)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.step += 1
        # An epoch's last step is saved behind its validation.
        if self.step % self._steps_per_epoch:
            stop = self._stop()
            if stop or self.step % self._every == 0:
                self._save(stop)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._save(self._stop())

    def _save(self, stop):
        if keras.backend.backend() == "jax":  # fit keeps what it learned to itself within an epoch
            self.model.jax_state_sync()
        self._checkpoints.save(self.step, {"best": self._best.best if math.isfinite(self._best.best) else None})
        if stop:
            say(f"\nstopped at step {self.step}; the same command goes on from there")
            raise KeyboardInterrupt


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Within the block the model has the moving averages of its weights, if its optimizer keeps any."""
    if not model.optimizer.use_ema:
        yield
        return
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    try:
        yield
    finally:
        swap.on_test_end()
