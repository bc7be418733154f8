"""Callbacks for `model.fit`, and the plain weight decay that goes with them."""

from sodkeras.callbacks.dynamic_weight_decay import DynamicWeightDecay, block_units, mean_activity
from sodkeras.callbacks.weight_decay_groups import exempt_gammas

__all__ = ["DynamicWeightDecay", "block_units", "exempt_gammas", "mean_activity"]
