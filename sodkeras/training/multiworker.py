"""GPUs of several machines: tf.distribute.MultiWorkerMirroredStrategy, and what it needs beside Keras."""

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sodkeras.errors import SodkerasError
from sodkeras.progress import say
from sodkeras.training.mirrored import Mirrored, show_gpus

# Between two looks at whether another worker has come.
_PAUSE = 0.2


def multiworker_strategy(count: int | None, communication: str, wait: float) -> "MultiWorkerStrategy":
    """Waits for the workers of TF_CONFIG and joins them; see `sodkeras.training.distribution.devices`."""
    cluster, place = _cluster(os.environ.get("TF_CONFIG", ""))
    if count is not None:
        show_gpus(count)
    _meet(cluster, place, wait)
    implementation = getattr(tf.distribute.experimental.CommunicationImplementation, communication.upper())
    with failures():
        return MultiWorkerStrategy(
            communication_options=tf.distribute.experimental.CommunicationOptions(implementation=implementation)
        )


class MultiWorker(Mirrored):
    """All workers' devices, seen by one of the workers.

    Args:
        strategy: a `MultiWorkerStrategy`.
    """

    def __init__(self, strategy: Any) -> None:
        super().__init__(strategy)
        resolver = strategy.cluster_resolver
        jobs = resolver.cluster_spec()
        # Every worker as (job, number), the chief first.
        self._places = [(job, number) for job in sorted(jobs.jobs) for number in range(jobs.num_tasks(job))]
        self._number = self._places.index((resolver.task_type, resolver.task_id))
        self.is_chief = self._number == 0

    def own_part(self, data: Any, first_step: int = 0) -> Any:
        self._must_divide(data)
        dataset = data.dataset(first_step, self._number, len(self._places))
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return dataset.with_options(options)

    def check_agreement(self, text: str) -> None:
        with failures():
            texts = self._gather(text)
        chief = next(iter(texts.values()))
        for (job, number), other in texts.items():
            if other != chief:
                pairs = enumerate(zip(chief, other, strict=False))
                start = max(0, next((index for index, (a, b) in pairs if a != b), 0) - 30)
                here, there = (text[start : start + 60] for text in (chief, other))
                raise SodkerasError(
                    "Start every worker with the same command, data and version, and an --out that all of them see; "
                    f"the chief has …{here}… where another does not. Received: …{there}… of {job} {number}"
                )

    def anyone(self, wish: bool) -> bool:
        wishes = self.strategy.experimental_distribute_values_from_function(lambda _: tf.constant(float(wish)))
        return bool(self.strategy.reduce("SUM", wishes, axis=None) > 0)

    def failures(self) -> AbstractContextManager:
        return failures()

    def _gather(self, text):
        """Every worker's text by its (job, number), the chief's first."""
        letters = np.frombuffer(text.encode(), np.uint8)

        def gather(row):
            def own(_):
                return tf.constant([row], tf.int32)

            return self.strategy.gather(self.strategy.experimental_distribute_values_from_function(own), axis=0).numpy()

        # Collectives want rows of one length.
        length = gather([letters.size]).max()
        rows = gather([self._number, letters.size, *letters, *[0] * (length - letters.size)])
        texts = {row[0]: bytes(row[2 : 2 + row[1]].tolist()).decode() for row in rows}
        return {place: texts[number] for number, place in enumerate(self._places)}


class MultiWorkerStrategy(tf.distribute.MultiWorkerMirroredStrategy):
    """`tf.distribute.MultiWorkerMirroredStrategy` for Keras 3's `fit` and `evaluate`.

    Keras 3.15 asks the strategy for two means that it does not take (keras issue 20585), and both questions are
    answered here, so that the model stays a plain one:

    - `Trainer._maybe_symbolic_build` reduces a nested batch, of which it needs shapes and types alone;
    - `reduce_per_replica` averages a step's scalar logs over axis 0, which a scalar does not have.

    This class can go when `fit` works with the plain strategy: tests/training/test_distribution.py, run without it,
    says so.
    """

    def reduce(self, reduce_op: Any, value: Any, axis: Any) -> Any:
        if keras.tree.is_nested(value):
            return keras.tree.map_structure(lambda part: self.experimental_local_results(part)[0], value)
        if axis == 0 and self.experimental_local_results(value)[0].shape.rank == 0:
            axis = None
        return super().reduce(reduce_op, value, axis)

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """As the original, except that a dataset with the policy OFF is this worker's part of every batch already."""
        policy = dataset.options().experimental_distribute.auto_shard_policy
        if policy is not tf.data.experimental.AutoShardPolicy.OFF:
            return super().experimental_distribute_dataset(dataset, options)
        local = len(self.extended.worker_devices)

        def parts(context):
            return dataset.unbatch().batch(dataset.element_spec[0].shape[0] // local, drop_remainder=True)

        return self.distribute_datasets_from_function(parts if local > 1 else lambda context: dataset, options)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Makes one sentence of TensorFlow's error where another worker is gone.

    TensorFlow notices within some ten seconds, and nothing that was computed can be trusted then.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError) as e:
        gone = re.search(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)", e.message)
        if gone is None and "ollective" not in e.message:
            raise
        who = " ".join(gone.groups()) if gone else "a worker"
        raise SodkerasError(
            "Another worker has gone, so this one stops, too; start all of them again with the same command, and the "
            f"run goes on from its last checkpoint. Received: {who} does not answer"
        ) from None


def _cluster(text):
    """TF_CONFIG as ({(job, number): "host:port"}, this worker's (job, number))."""
    example = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        jobs = {job: list(addresses) for job, addresses in config["cluster"].items()}
        place = (config["task"]["type"], int(config["task"]["index"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SodkerasError(
            f"Set TF_CONFIG on every worker as in {example}, with an index of its own. Received: {text!r}"
        ) from None
    cluster = {(job, number): address for job, addresses in jobs.items() for number, address in enumerate(addresses)}
    bad = [address for address in cluster.values() if not re.fullmatch(r"[^:\s/]+:\d+", str(address))]
    if bad or len(set(cluster.values())) < len(cluster):
        raise SodkerasError(f"Each worker in TF_CONFIG is a HOST:PORT of its own. Received: {list(cluster.values())}")
    if not set(jobs) <= {"chief", "worker"} or not jobs.get("worker") or len(jobs.get("chief", [])) > 1:
        raise SodkerasError(f"The cluster in TF_CONFIG has workers, and may have one chief. Received: {sorted(jobs)}")
    if place not in cluster:
        raise SodkerasError(f"The task in TF_CONFIG is one of its cluster's. Received: {place[0]} {place[1]}")
    return cluster, place


def _meet(cluster, place, wait):
    """Waits until every worker listens at its address: TensorFlow itself would wait for ever, deaf to Ctrl-C."""
    missing = {address: job for job, address in cluster.items() if job != place}
    port = int(cluster[place].rsplit(":", 1)[1])
    end, said = time.monotonic() + wait, False
    try:
        listener = socket.create_server(("", port))
    except OSError as error:
        raise SodkerasError(
            f"This worker cannot listen ({error.strerror}); give it another port in TF_CONFIG. Received: {port}"
        ) from None
    with listener:
        while missing:
            for address in list(missing):
                host, number = address.rsplit(":", 1)
                with contextlib.suppress(OSError), socket.create_connection((host, int(number)), timeout=1.0):
                    del missing[address]
            names = ", ".join(f"{job} {number} at {address}" for address, (job, number) in missing.items())
            if missing and time.monotonic() > end:
                raise SodkerasError(
                    f"Start every worker of TF_CONFIG, and let their ports through; after {wait:g} seconds some do not "
                    f"answer. Received: nothing from {names}"
                )
            if missing and not said:
                say(f"waiting for {names}")
                said = True
            time.sleep(_PAUSE if missing else 0)
