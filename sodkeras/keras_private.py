"""What Keras keeps private: the only file with it.

Each entry has its reason, the public way that was tried, and when it can go; tests/test_keras_private.py fails where a
release of Keras changes one.
"""

from typing import Any

import keras
from keras.src import backend

Tensor = Any  # of Keras: symbolic in a graph, of the backend where values are computed


def calls_in_order(model: keras.Model) -> list[Any]:
    """The nodes of a functional model's graph in running order, without its inputs.

    `keras.models.clone_model` with a `call_function` visits them in public, but calls every layer again, which takes
    seconds for each of a conversion's graphs, and gives new tensors, which a model of the old ones cannot be asked for.
    Can go when Keras has a public iterator over calls.
    """
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


def arguments(node: Any, values: dict[int, Any]) -> tuple[tuple, dict]:
    """A node's arguments and keywords with other values in the places of tensors, by the tensors' ids.

    A node has no public way to tell its arguments. Can go with `calls_in_order`.
    """
    return node.arguments.fill_in(values)


def is_composite(layer: keras.Layer) -> bool:
    """Whether a layer holds other layers; `Model.layers` tells only those of models. Can go when layers have it."""
    return bool(getattr(layer, "_layers", None))


def all_layers(model: keras.Layer) -> list[keras.Layer]:
    """The layers of a model or layer, those inside other layers, too; without itself.

    `Model.layers` names only those on top. Can go with `is_composite`.
    """
    return list(model._flatten_layers(include_self=False))


def resize_bilinear(x: Tensor, size: tuple[Any, Any]) -> Tensor:
    """`x`, `[B, h, w, C]`, in another size, bilinear with half-pixel centres.

    `keras.ops.image.resize` (3.15) compares the new size with 0, which a TensorFlow graph cannot do for a size that is
    known only when it runs: `predict` on pictures of a second size, say. The backend's own function has no such check.
    Can go when the public one takes such sizes.
    """
    resized = backend.image.resize(x, size, interpolation="bilinear", data_format="channels_last")
    return keras.ops.cast(resized, x.dtype)  # TensorFlow resizes bfloat16 into float32
