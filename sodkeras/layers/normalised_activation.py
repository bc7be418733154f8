"""Batch norm and activation, as every CSNet unit ends."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras

# Whether a network is trained whose batch norms keep their statistics.
_keeps_statistics = contextvars.ContextVar("keeps_statistics", default=False)

#: The activations by name: PReLU with one slope a channel, starting at 0.25 (the papers), ReLU, leaky ReLU (0.01).
ACTIVATIONS = ("prelu", "relu", "leaky_relu")


def batch_norm(name: str, dtype: str | keras.DTypePolicy, kernel_scale: float = 1) -> keras.layers.BatchNormalization:
    """A batch norm with the released codes' momentum and epsilon, that is of use before it has seen a batch.

    Its variance begins as what a convolution behind another such unit has: kernels from U(±1/√fan_in) make σ² / 3 of an
    input's mean square σ², and rectified normal values have σ² = 1/2. With a variance of 1, as Keras begins, a network
    whose kernels are multiplied by 100 is NaN after a dozen blocks, until training has moved the statistics. In
    training, batch norm does not look at them.

    Args:
        name, dtype: of the layer.
        kernel_scale: what the convolution multiplies its kernel by.
    """
    return keras.layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        moving_variance_initializer=keras.initializers.Constant(kernel_scale**2 / 6),
        dtype=dtype,
        name=name,
    )


def group_norm(groups: int, name: str, dtype: str | keras.DTypePolicy) -> keras.layers.GroupNormalization:
    """A group norm with the released codes' epsilon; each group is of neighbouring channels."""
    return keras.layers.GroupNormalization(groups, epsilon=1e-5, dtype=dtype, name=name)


@contextlib.contextmanager
def kept_statistics() -> Iterator[None]:
    """Within it a network that is called with `training=False` is trained all the same, as it is used."""
    token = _keeps_statistics.set(True)
    try:
        yield
    finally:
        _keeps_statistics.reset(token)


def normalise(
    x: Any, norm: keras.layers.Layer, activation: keras.layers.Layer | None, training: bool | None = None
) -> Any:
    """What a unit ends in: batch norm, then its activation if it has one.

    In training on CPUs with TensorFlow the two are one operation, with the same result but for float32's rounding.
    """
    if (training or _keeps_statistics.get()) and keras.backend.backend() == "tensorflow":
        from sodkeras.layers.fused_normalisation import can_fuse, fused

        if can_fuse(x, norm):
            return fused(x, norm, activation, bool(training))
    x = norm(x, training=training)
    return x if activation is None else activation(x)


def activation(kind: str | None, name: str, dtype: str | keras.DTypePolicy) -> keras.layers.Layer | None:
    """The activation layer of a name in `ACTIVATIONS`, or None for None.

    Raises:
        ValueError: for another name.
    """
    if kind is None:
        return None
    if kind == "prelu":
        # Shared over height and width: the form that TensorFlow Lite has an operator for.
        return keras.layers.PReLU(
            alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2], dtype=dtype, name=name
        )
    if kind == "relu":
        return keras.layers.ReLU(dtype=dtype, name=name)
    if kind == "leaky_relu":
        return keras.layers.LeakyReLU(negative_slope=0.01, dtype=dtype, name=name)
    raise ValueError(f"The activation is one of {ACTIVATIONS}. Received: {kind!r}")
