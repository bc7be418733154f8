"""Taking channels out of a trained CSNet."""

import numpy as np
from keras import ops

from sodkeras.models.csnet import CSNet
from sodkeras.pruning.channels import Channels
from sodkeras.pruning.criteria import CRITERIA

#: What the papers prune γ at (ECCV 2020, Sec. 3.3).
THRESHOLD = 1e-20


def prune_csnet(model, criterion="gamma", threshold=None, ratio=None):
    """A smaller CSNet with the channels that matter, and its channel plan.

    The channels of each gOctConv and of each scale's dilated convolutions are scored; the depthwise units of a block
    lose those that the block's gOctConv loses. Weights, batch norms with their statistics, and slopes of the surviving
    channels are carried over. What removed channels added behind them (their β, above all) is lost, so that statistics
    should be estimated anew: see `sodkeras.pruning.re_estimate_statistics`.

    Args:
        model: a `CSNet`.
        criterion: a name in `CRITERIA`, or a function of the same form.
        threshold: channels with a score under it are removed, everywhere alike; the default for "gamma" is 1e-20.
        ratio: instead of a threshold, the share, from 0 to under 1, that is removed from each layer and scale. Under
            "gamma", channels under 1e-20 are removed in any case: they cost as much as others and add nothing.

    Returns:
        `(pruned model, plan)`; the plan is described in `sodkeras.models.channel_plan`.

    Raises:
        SodkerasError: if a dead path would be left: a block, a fused stage or the fusion without channels.
        ValueError: for another network, or without exactly one of threshold and ratio.
    """
    if not isinstance(model, CSNet):
        raise ValueError(f"prune_csnet takes a CSNet. Received: {type(model).__name__}")
    if threshold is None and ratio is None and criterion == "gamma":
        threshold = THRESHOLD
    if (threshold is None) == (ratio is None) or not (ratio is None or 0 <= ratio < 1):
        raise ValueError(
            "prune_csnet needs either a threshold or a ratio from 0 to under 1. Received: "
            f"threshold={threshold}, ratio={ratio}"
        )
    if not callable(criterion) and criterion not in CRITERIA:
        raise ValueError(f"The criterion is a function or one of {sorted(CRITERIA)}. Received: {criterion!r}")
    score = criterion if callable(criterion) else CRITERIA[criterion]

    def surviving(norm, filters):
        scores = np.asarray(score(ops.convert_to_numpy(norm.gamma), filters))
        if ratio is None:
            return np.flatnonzero(scores >= threshold)
        gone = np.count_nonzero(scores < THRESHOLD) if criterion == "gamma" else 0
        return np.sort(np.argsort(scores, kind="stable")[max(int(ratio * len(scores)), gone) :])

    return Channels(model, surviving).network()
