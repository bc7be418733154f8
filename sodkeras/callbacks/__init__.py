"""Callbacks for `model.fit`, and the plain weight decay that goes with them."""

from sodkeras.callbacks.dynamic_weight_decay import DynamicWeightDecay, block_units, mean_activity
from sodkeras.callbacks.slope_decay import SlopeDecay, largest_slope, rectified, slope_layers
from sodkeras.callbacks.weight_decay_groups import exempt_gammas, set_weight_decay

__all__ = [
    "DynamicWeightDecay",
    "SlopeDecay",
    "block_units",
    "exempt_gammas",
    "largest_slope",
    "mean_activity",
    "rectified",
    "set_weight_decay",
    "slope_layers",
]
