"""What every backbone has in common: named taps with their strides, and batch norm that can be frozen."""

import typing
from typing import Any

import keras

from sodkeras.keras_private import all_layers


class Tap(typing.NamedTuple):
    """Features `[B, ⌈H / stride⌉, ⌈W / stride⌉, C]` of a backbone, and their stride."""

    features: keras.KerasTensor
    stride: int


class Backbone(keras.Model):
    """Base class of the backbones: a functional graph from a normalised picture to a dict of features by tap name.

    A network does not hold a backbone but builds the same layers into its own graph (`resnet_taps` and the like), so
    that it stays one flat graph. The layers' names start with the backbone's name in both, by which weights are
    loaded, batch norm is frozen and a learning rate of the backbone's own is given.

    Args:
        picture: the graph's input.
        taps: a dict of names to `Tap`.

    Attributes:
        strides: the stride of each output.
    """

    def __init__(self, picture: keras.KerasTensor, taps: dict[str, Tap], **kwargs: Any) -> None:
        super().__init__(picture, {name: tap.features for name, tap in taps.items()}, **kwargs)
        self.strides = {name: tap.stride for name, tap in taps.items()}

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "input_shape": list(self.input_shape[1:]),
        }


def freeze_batch_norm(model: keras.Model, prefix: str = "") -> int:
    """Makes batch norm a constant: statistics, scale and offset stay as they are, in training too.

    Args:
        model: a backbone or a network.
        prefix: what the layers' names start with: a backbone's name, or "" for all.

    Returns:
        The number of batch norms frozen. Setting `model.trainable` afterwards thaws them.
    """
    norms = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.name.startswith(prefix)
    ]
    for norm in norms:
        norm.trainable = False
    return len(norms)
