"""Callbacks for `model.fit`."""

from sodkeras.callbacks.dynamic_weight_decay import DynamicWeightDecay, block_units, mean_activity

__all__ = ["DynamicWeightDecay", "block_units", "mean_activity"]
