"""One device, many, or many machines: what training asks of them, whichever they are.

A batch is always the global one: all devices together take it in one step, in equal parts, so that a run on several
makes the same steps as on one. docs/distributed.md shows how to start the processes.
"""

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras

from sodkeras.data.pairs import Pair
from sodkeras.errors import SodkerasError

#: What `devices` takes: one device, all GPUs of a machine, all GPUs of several machines.
STRATEGIES = ("one", "mirrored", "multiworker")
_COMMUNICATION = ("auto", "ring", "nccl")


def devices(
    name: str = "one", count: int | None = None, communication: str = "auto", wait: float = 600.0
) -> "OneDevice":
    """Where training runs. Ask before anything is computed: TensorFlow chooses its devices once.

    Args:
        name: "one", "mirrored" or "multiworker"; other backends than TensorFlow have "one".
        count: how many GPUs of a machine take part, None for all that CUDA_VISIBLE_DEVICES leaves. Without a GPU,
            "mirrored" makes so many logical CPUs, to try it.
        communication: between workers: "ring" (over TCP), "nccl" (GPUs only) or "auto".
        wait: for how many seconds to wait for the other workers.

    Returns:
        A `OneDevice`, or the same for many. "one" needs no TensorFlow.

    Raises:
        SodkerasError: for an unknown name, fewer devices than asked for, a TF_CONFIG that names no workers, or workers
            that do not come.
    """
    if name not in STRATEGIES:
        raise SodkerasError(f"The strategy is one of {', '.join(STRATEGIES)}. Received: {name!r}")
    if communication not in _COMMUNICATION:
        raise SodkerasError(f"Workers communicate by one of {', '.join(_COMMUNICATION)}. Received: {communication!r}")
    if name == "one":
        return OneDevice()
    if keras.backend.backend() != "tensorflow":
        raise SodkerasError(
            f"Several devices need KERAS_BACKEND=tensorflow. Received: {name!r} on {keras.backend.backend()}"
        )
    if name == "mirrored":
        from sodkeras.training.mirrored import Mirrored, mirrored_strategy

        return Mirrored(mirrored_strategy(count))
    from sodkeras.training.multiworker import MultiWorker, multiworker_strategy

    return MultiWorker(multiworker_strategy(count, communication, wait))


class OneDevice:
    """One device, under any backend of Keras.

    Attributes:
        replicas: how many devices share a batch.
        is_chief: whether this process is the one that writes files.
    """

    replicas = 1
    is_chief = True

    def scope(self) -> AbstractContextManager:
        """Within it build model and optimizer, and compile."""
        return contextlib.nullcontext()

    def prepare(self, model: keras.Model, synchronized: bool = True) -> None:
        """Makes a network's batch norms take the statistics of the whole global batch, before it is trained.

        Only then does training on several devices equal training on one. Otherwise each normalises by its own part of
        the batch and keeps moving averages of its own, of which the chief's first device's are read and saved. It costs
        three small sums over all devices for each batch norm, forward and backward. What is saved does not know of it.

        Args:
            model: any network, built within `scope()`.
            synchronized: False for statistics of each device's own.
        """

    def own_part(self, data: Any, first_step: int = 0) -> Any:
        """What this process gives to `fit`: its part of every global batch, so that no worker reads another's pictures.

        Args:
            data: see `sodkeras.training.feeding.training_data`.
            first_step: the number of the first batch.

        Raises:
            SodkerasError: if the batch cannot be divided into equal parts, one for each device.
        """
        return data.dataset(first_step)

    def even(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Pairs to validate with, without the last few that not every device would get one of.

        A device without a picture has a loss that is no number. The batch being a multiple of the number of devices,
        too, so is the last one of what is left.
        """
        return pairs[: len(pairs) // self.replicas * self.replicas]

    def check_agreement(self, text: str) -> None:
        """Compares a text, such as the settings, with that of every other worker; waits until all have come here.

        Call it before the model is built, for networks of different shapes would wait for each other without end.

        Raises:
            SodkerasError: on every worker, if one has another text than the chief.
        """

    def anyone(self, wish: bool) -> bool:
        """Whether any worker wishes something, such as to stop; every worker asks at the same step.

        Args:
            wish: this worker's, true or false.
        """
        return bool(wish)

    def failures(self) -> AbstractContextManager:
        """A context that makes one sentence of TensorFlow's error where another worker is gone."""
        return contextlib.nullcontext()
