"""One way to prune any network that can be pruned."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.models import CSNet, SaliencyModel, U2Net
from sodkeras.pruning.prune_csnet import prune_csnet
from sodkeras.pruning.reconstruct import reconstruct


class Pruned(NamedTuple):
    """A smaller network out of a trained one.

    Attributes:
        model: the new network, a model of its own.
        arguments: what its constructor gets that the old one's did not: a CSNet's `plan`, a U²-Net's `variant`.
        lost: by convolution, which share of its output's variance is lost on the pictures; {} for a CSNet, whose
            weights are carried over as they are.
    """

    model: SaliencyModel
    arguments: dict[str, Any]
    lost: dict[str, float]


def prune(model: SaliencyModel, pictures: np.ndarray | Sequence | None = None, **how: Any) -> Pruned:
    """Takes channels out of a trained network.

    A CSNet loses channels whose scale has decayed (`prune_csnet`); estimate its batch norms' statistics anew afterwards
    (`re_estimate_statistics`), and train it on. A U²-Net loses channels that follow from others on pictures, and its
    convolutions are fitted to what they computed before (`reconstruct`).

    Args:
        model: a trained `CSNet` or `U2Net`.
        pictures: of a U²-Net: `[N, H, W, 3]`, preprocessed, 20 or more; a CSNet takes none.
        **how: further arguments of the two functions: "criterion", "threshold", "ratio"; "tolerance", "filters",
            "seed", "resized", "progress".

    Returns:
        A `Pruned`.

    Raises:
        SodkerasError: for another network, or where no path would be left through it.
        ValueError: for arguments that do not go together.
    """
    match model:
        case CSNet():
            if pictures is not None:
                raise ValueError("A CSNet is pruned by its own weights, without pictures. Received: pictures")
            network, plan = prune_csnet(model, **how)
            return Pruned(network, {"plan": plan}, {})
        case U2Net():
            network, lost = reconstruct(model, () if pictures is None else pictures, **how)
            return Pruned(network, {"variant": network.variant}, lost)
    raise SodkerasError(f"A CSNet and a U²-Net can be pruned. Received: {type(model).__name__}")
