"""New life for channels that training has switched off."""

import numpy as np
from keras import ops

from sodkeras.models.csnet import CSNet
from sodkeras.pruning.channels import Channels
from sodkeras.pruning.prune_csnet import THRESHOLD


def revive(model, threshold=THRESHOLD):
    """A CSNet of the same size in which the channels that are gone start anew, to train on.

    A channel whose γ weight decay took to zero stays there: where its weights are zero, too, no gradient reaches them.
    It costs as much as any other and adds nothing. Here its weights, and those of the depthwise units behind it, are
    drawn anew, and the channels that live on do not listen to it until training makes them; so the new network computes
    what `prune` would leave (ReDo: Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
    ICML 2023).

    Args:
        model: a `CSNet`. What is drawn follows from `keras.utils.set_random_seed`.
        threshold: channels with |γ| under it are gone.

    Returns:
        The network, with the same channel plan.

    Raises:
        ValueError: for another network.
    """
    if not isinstance(model, CSNet):
        raise ValueError(f"revive takes a CSNet. Received: {type(model).__name__}")

    def places(norm, filters):
        channels = np.arange(filters.shape[-1])
        return np.where(np.abs(ops.convert_to_numpy(norm.gamma)) < threshold, ~channels, channels)

    return Channels(model, places).network()[0]
