"""More channels for a trained CSNet."""

import numpy as np

from sodkeras.models.csnet import CSNet
from sodkeras.pruning.channels import Channels


def widen(model, factor, seed=0):
    """A CSNet with more channels that computes the same, to train on, and its channel plan.

    Every gOctConv, and every scale's dilated convolutions, get `factor` times as many channels, rounded. What a layer
    did with a channel that is there several times is shared out among them, at random and differently for each filter,
    so that they learn to differ (Net2WiderNet: Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer",
    ICLR 2016). A copy of a channel that is gone is gone, too: see `prune` and `revive`.

    Args:
        model: a `CSNet`.
        factor: at least 1. Parameters grow with about its square.
        seed: the same seed gives the same weights.

    Returns:
        `(network, plan)`; the plan is described in `sodkeras.models.channel_plan`.

    Raises:
        ValueError: for another network or a smaller factor.
    """
    if not isinstance(model, CSNet):
        raise ValueError(f"widen takes a CSNet. Received: {type(model).__name__}")
    if not factor >= 1:
        raise ValueError(f"widen takes a factor of at least 1. Received: {factor}")

    def spread(norm, filters):
        count = filters.shape[-1]
        return np.arange(round(factor * count)) * count // round(factor * count)

    return Channels(model, spread, np.random.default_rng(seed)).network()
