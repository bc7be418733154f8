"""All GPUs of a machine: tf.distribute.MirroredStrategy."""

from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from sodkeras.errors import SodkerasError
from sodkeras.keras_private import all_layers
from sodkeras.training.distribution import OneDevice


class Mirrored(OneDevice):
    """The devices of a `tf.distribute.Strategy`, which is its attribute `strategy`."""

    def __init__(self, strategy: Any) -> None:
        self.strategy = strategy
        self.replicas = strategy.num_replicas_in_sync

    def scope(self) -> AbstractContextManager:
        return self.strategy.scope()

    def prepare(self, model: keras.Model, synchronized: bool = True) -> None:
        for layer in all_layers(model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = synchronized

    def own_part(self, data: Any, first_step: int = 0) -> Any:
        self._must_divide(data)
        return data.dataset(first_step)

    def _must_divide(self, data):
        if data.batch % self.replicas:
            raise SodkerasError(
                f"The batch is that of all devices together; make it a multiple of {self.replicas}, their number. "
                f"Received: {data.batch}"
            )


def mirrored_strategy(count: int | None) -> tf.distribute.Strategy:
    """A strategy over so many GPUs of this machine, or logical CPUs where it has none."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if count is None:
            raise SodkerasError(
                "TensorFlow finds no GPU here; train with the strategy one, or say how many logical CPUs to try "
                "mirrored with. Received: devices=None"
            )
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
        return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(count)])
    count = len(gpus) if count is None else count
    show_gpus(count)
    return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(count)])


def show_gpus(count: int) -> None:
    """Leaves TensorFlow the first GPUs of this machine; raises SodkerasError if there are fewer."""
    gpus = tf.config.list_physical_devices("GPU")
    if not 1 <= count <= len(gpus):
        raise SodkerasError(f"TensorFlow finds {len(gpus)} GPUs here. Received: devices={count}")
    tf.config.set_visible_devices(gpus[:count], "GPU")
