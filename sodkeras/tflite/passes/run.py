"""Passes run in their order, the exact ones proved on a picture."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from sodkeras.errors import SodkerasError

#: The largest difference of a pixel that an exact pass may make, times the largest value where that is over 1.
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Pass:
    """A step from one form of a network to the next.

    Attributes:
        apply: a function of a flat functional Keras model, which it leaves alone, and of what the passes share; it
            gives a flat model, or the same one where there is nothing to do.
        exact: whether the new model computes the same, but for rounding: yes, no, or a function of what they share.
    """

    apply: Callable[[keras.Model, Any], keras.Model]
    exact: bool | Callable[[Any], bool] = True

    def is_exact(self, shared: Any) -> bool:
        return self.exact if isinstance(self.exact, bool) else self.exact(shared)


def exact(rewriting: Callable[[keras.Model], keras.Model]) -> Pass:
    """A function from a model to one that computes the same, as a `Pass`."""
    return Pass(lambda model, shared: rewriting(model))


def run(model: keras.Model, passes: Iterable[Pass], batch: np.ndarray, shared: Any = None) -> keras.Model:
    """Runs passes one after the other.

    Args:
        model: a flat functional Keras model; it is left alone.
        passes: in running order.
        batch: a preprocessed picture `[1, H, W, 3]`, on which exact passes are proved.
        shared: what the passes share.

    Returns:
        The last one's model.

    Raises:
        SodkerasError: if an exact pass changes what the network computes on the picture, which would be a fault here.
    """
    for step in passes:
        after = step.apply(model, shared)
        if after is not model and step.is_exact(shared):
            check_equal(model, after, batch)
        model = after
    return model


def check_equal(before: Callable, after: Callable, batch: np.ndarray) -> None:
    """Raises SodkerasError if two models differ on preprocessed pictures `[B, H, W, 3]`.

    They may differ by `TOLERANCE`, or by four times what a change of the pictures in the last digits of float32 makes
    of the first model's result: a network that magnifies rounding so far (an untrained one, as a rule) has no more
    digits than that.
    """

    def run(model, batch):
        return ops.convert_to_numpy(model(batch, training=False))

    expected = run(before, batch)
    difference = float(np.max(np.abs(expected - run(after, batch)), initial=0))
    if difference <= TOLERANCE * max(1.0, float(np.max(np.abs(expected), initial=0))):
        return
    rounding = float(np.max(np.abs(expected - run(before, batch * np.float32(1 + 2**-20))), initial=0))
    if not difference <= 4 * rounding:
        raise SodkerasError(
            "Lowering changed what the network computes: this is a fault of sodkeras; please report it with the "
            f"network. Received: a largest difference of {difference:.2g}"
        )


def probe_picture(height: int = 480, width: int = 640) -> np.ndarray:
    """A picture to compare two forms of a network on where there is none: RGB, uint8, with shapes, shades and noise."""
    rows, columns = np.mgrid[:height, :width]
    disc = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (height / 4) ** 2
    shade = 20 + 90 * columns[..., None] / width * np.array([1.0, 0.8, 0.6])
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    return np.clip(np.where(disc[..., None], [210, 90, 40], shade) + noise, 0, 255).astype(np.uint8)
