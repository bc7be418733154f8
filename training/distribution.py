"""One machine or many: the strategies of tf.distribute, and what they need beside Keras.

A batch is always the global one: all replicas together take it in one step, in equal parts, so that a run on several
devices makes the same steps as on one. docs/distributed.md shows how to start the processes.
"""

import contextlib
import json
import os
import re
import socket
import time
import types

import keras
import numpy as np
import tensorflow as tf

from sodkeras.errors import SodkerasError

#: What `strategy` takes: one device, all GPUs of a machine, all GPUs of several machines.
STRATEGIES = ("one", "mirrored", "multiworker")
_COMMUNICATION = ("auto", "ring", "nccl")
# Between two looks at whether another worker has come.
_PAUSE = 0.2


def strategy(name="one", devices=None, communication="auto", wait=600.0):
    """Where training runs; build model and optimizer, and compile, within its `scope()`.

    Make it before anything is computed: TensorFlow chooses its devices once.

    Args:
        name: "one", "mirrored" or "multiworker"; other backends than TensorFlow have "one".
        devices: how many GPUs of a machine take part, None for all that CUDA_VISIBLE_DEVICES leaves. Without a GPU,
            "mirrored" makes so many logical CPUs, to try it.
        communication: between workers: "ring" (over TCP), "nccl" (GPUs only) or "auto".
        wait: for how many seconds to wait for the other workers.

    Returns:
        A `tf.distribute.Strategy`; on another backend, something with a `scope()` that does nothing.

    Raises:
        SodkerasError: for an unknown name, fewer devices than asked for, a TF_CONFIG that names no workers, or workers
            that do not come.
    """
    if name not in STRATEGIES:
        raise SodkerasError(f"The strategy is one of {', '.join(STRATEGIES)}. Received: {name!r}")
    if communication not in _COMMUNICATION:
        raise SodkerasError(f"Workers communicate by one of {', '.join(_COMMUNICATION)}. Received: {communication!r}")
    if keras.backend.backend() != "tensorflow":
        if name != "one":
            raise SodkerasError(
                f"Several devices need KERAS_BACKEND=tensorflow. Received: {name!r} on {keras.backend.backend()}"
            )
        return types.SimpleNamespace(scope=contextlib.nullcontext, num_replicas_in_sync=1)
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_local_devices(devices))
    cluster, place = _cluster(os.environ.get("TF_CONFIG", ""))
    if devices is not None:
        _show_gpus(devices)
    _meet(cluster, place, wait)
    implementation = getattr(tf.distribute.experimental.CommunicationImplementation, communication.upper())
    with failures():
        return MultiWorkerStrategy(
            communication_options=tf.distribute.experimental.CommunicationOptions(implementation=implementation)
        )


class MultiWorkerStrategy(tf.distribute.MultiWorkerMirroredStrategy):
    """`tf.distribute.MultiWorkerMirroredStrategy` for Keras 3's `fit` and `evaluate`.

    Keras 3.15 asks the strategy for two means that it does not take (keras issue 20585), and both questions are
    answered here, so that the model stays a plain one:

    - `Trainer._maybe_symbolic_build` reduces a nested batch, of which it needs shapes and types alone;
    - `reduce_per_replica` averages a step's scalar logs over axis 0, which a scalar does not have.

    This class can go when `fit` works with the plain strategy: tests/training/test_distribution.py, run without it,
    says so.
    """

    def reduce(self, reduce_op, value, axis):
        if keras.tree.is_nested(value):
            return keras.tree.map_structure(lambda part: self.experimental_local_results(part)[0], value)
        if axis == 0 and self.experimental_local_results(value)[0].shape.rank == 0:
            axis = None
        return super().reduce(reduce_op, value, axis)

    def experimental_distribute_dataset(self, dataset, options=None):
        """As the original, except that a dataset with the policy OFF is this worker's part of every batch already."""
        policy = dataset.options().experimental_distribute.auto_shard_policy
        if policy is not tf.data.experimental.AutoShardPolicy.OFF:
            return super().experimental_distribute_dataset(dataset, options)
        local = len(self.extended.worker_devices)

        def parts(context):
            return dataset.unbatch().batch(dataset.element_spec[0].shape[0] // local, drop_remainder=True)

        return self.distribute_datasets_from_function(parts if local > 1 else lambda context: dataset, options)


def own_part(strategy, data, first_step=0):
    """What a process gives to `fit`: its part of every global batch, so that no worker reads another's pictures.

    Args:
        data: a `sodkeras.data.pipeline.TrainingData`.
        first_step: the number of the first batch.

    Returns:
        A `tf.data.Dataset`.

    Raises:
        SodkerasError: if the batch cannot be divided into equal parts, one for each replica.
    """
    if data.batch % strategy.num_replicas_in_sync:
        raise SodkerasError(
            f"The batch is that of all devices together; make it a multiple of {strategy.num_replicas_in_sync}, their "
            f"number. Received: {data.batch}"
        )
    if not isinstance(strategy, MultiWorkerStrategy):
        return data.dataset(first_step)
    places = _places(strategy)
    dataset = data.dataset(first_step, places.index(_place(strategy)), len(places))
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(options)


def even(strategy, pairs):
    """Pairs to validate with, without the last few that not every device would get one of.

    A device without a picture has a loss that is no number. The batch being a multiple of the number of devices, too,
    so is the last one of what is left.
    """
    return pairs[: len(pairs) // strategy.num_replicas_in_sync * strategy.num_replicas_in_sync]


def prepare(model, synchronized=True):
    """Makes a network's batch norms take the statistics of the whole global batch, before it is trained.

    Only then does training on several devices equal training on one. Otherwise each replica normalises by its own part
    of the batch and keeps moving averages of its own, of which the chief's first replica's are read and saved. It costs
    three small sums over all devices for each batch norm, forward and backward. What is saved does not know of it.

    Args:
        model: any network, built within the strategy's scope.
        synchronized: False for statistics of each replica's own.
    """
    if keras.backend.backend() != "tensorflow":
        return  # one device
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized


def is_chief(strategy):
    """Whether this process is the one that writes files: of several workers, the chief or else worker 0."""
    return not isinstance(strategy, MultiWorkerStrategy) or _place(strategy) == _places(strategy)[0]


def check_agreement(strategy, text):
    """Compares a text, such as the settings, with that of every other worker; waits until all have come here.

    Call it before the model is built, for networks of different shapes would wait for each other without end.

    Raises:
        SodkerasError: on every worker, if one has another text than the chief.
    """
    if not isinstance(strategy, MultiWorkerStrategy):
        return
    with failures():
        texts = _gather(strategy, text)
    chief = next(iter(texts.values()))
    for (job, number), other in texts.items():
        if other != chief:
            pairs = enumerate(zip(chief, other, strict=False))
            start = max(0, next((index for index, (a, b) in pairs if a != b), 0) - 30)
            here, there = (text[start : start + 60] for text in (chief, other))
            raise SodkerasError(
                "Start every worker with the same command, data and version, and an --out that all of them see; the "
                f"chief has …{here}… where another does not. Received: …{there}… of {job} {number}"
            )


def anyone(strategy, wish):
    """Whether any worker wishes something, such as to stop; every worker asks at the same step.

    Args:
        wish: this worker's, true or false.
    """
    if not isinstance(strategy, MultiWorkerStrategy):
        return bool(wish)
    wishes = strategy.experimental_distribute_values_from_function(lambda _: tf.constant(float(wish)))
    return bool(strategy.reduce("SUM", wishes, axis=None) > 0)


@contextlib.contextmanager
def failures():
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


def _local_devices(count):
    """The devices of a mirrored strategy, by name."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if count is None:
            raise SodkerasError(
                "TensorFlow finds no GPU here; train with the strategy one, or say how many logical CPUs to try "
                "mirrored with. Received: devices=None"
            )
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
        return [f"CPU:{index}" for index in range(count)]
    count = len(gpus) if count is None else count
    _show_gpus(count)
    return [f"GPU:{index}" for index in range(count)]


def _show_gpus(count):
    gpus = tf.config.list_physical_devices("GPU")
    if not 1 <= count <= len(gpus):
        raise SodkerasError(f"TensorFlow finds {len(gpus)} GPUs here. Received: devices={count}")
    tf.config.set_visible_devices(gpus[:count], "GPU")


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
                print(f"waiting for {names}", flush=True)
                said = True
            time.sleep(_PAUSE if missing else 0)


def _place(strategy):
    return strategy.cluster_resolver.task_type, strategy.cluster_resolver.task_id


def _places(strategy):
    """Every worker as (job, number), the chief first."""
    cluster = strategy.cluster_resolver.cluster_spec()
    return [(job, index) for job in sorted(cluster.jobs) for index in range(cluster.num_tasks(job))]


def _gather(strategy, text):
    """Every worker's text by its (job, number), the chief's first."""
    places = _places(strategy)
    letters = np.frombuffer(text.encode(), np.uint8)

    def gather(row):
        values = strategy.experimental_distribute_values_from_function(lambda _: tf.constant([row], tf.int32))
        return strategy.gather(values, axis=0).numpy()

    # Collectives want rows of one length.
    length = gather([letters.size]).max()
    rows = gather([places.index(_place(strategy)), letters.size, *letters, *[0] * (length - letters.size)])
    texts = {row[0]: bytes(row[2 : 2 + row[1]].tolist()).decode() for row in rows}
    return {place: texts[index] for index, place in enumerate(places)}
