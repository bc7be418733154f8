"""A network in a form that LiteRT runs well: the same function, other layers, proved on pictures.

Each step is a module of its own: `fold`, `concatenate`, and for 8 bits `average_pool` and `prelu`.
"""

import numpy as np
from keras import ops

from sodkeras.errors import SodkerasError
from sodkeras.flatten import flatten
from sodkeras.tflite.passes.average_pool import replace_average_pools
from sodkeras.tflite.passes.concatenate import activate_before_concatenating, regroup_concatenations
from sodkeras.tflite.passes.fold import fold
from sodkeras.tflite.passes.prelu import replace_prelu

#: The largest difference of a pixel that an exact step may make, times the largest value where that is over 1.
TOLERANCE = 1e-4


def lower(model):
    """The form for float: flat, at its preprocessing's size, with constants and batch norms folded.

    Args:
        model: an `InferenceModel`; it is left alone.

    Returns:
        A functional Keras model whose convolutions have weights of their own.

    Raises:
        SodkerasError: if the two differ on a picture, which would be a fault here.
    """
    flat = flatten(model, (*model.preprocessing.size, 3))
    lowered = regroup_concatenations(fold(flat))
    check_equal(flat, lowered, model.preprocessing(probe_picture()))
    return lowered


def lower_for_integers(model, forms):
    """The form for 8 bits: no operator is left that XNNPACK takes in float only.

    Args:
        model: what `lower` gave.
        forms: for each PReLU, see `sodkeras.tflite.passes.prelu`. Where they are all exact, so is the result.

    Returns:
        A functional Keras model.
    """
    return activate_before_concatenating(replace_prelu(replace_average_pools(model), forms))


def check_equal(before, after, batch):
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


def probe_picture(height=480, width=640):
    """A picture to compare two forms of a network on where there is none: RGB, uint8, with shapes, shades and noise."""
    rows, columns = np.mgrid[:height, :width]
    disc = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (height / 4) ** 2
    shade = 20 + 90 * columns[..., None] / width * np.array([1.0, 0.8, 0.6])
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    return np.clip(np.where(disc[..., None], [210, 90, 40], shade) + noise, 0, 255).astype(np.uint8)
