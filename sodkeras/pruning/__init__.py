"""Smaller networks out of trained ones: which channels go, taking them out, and what follows."""

from sodkeras.pruning.criteria import CRITERIA
from sodkeras.pruning.prune import prune
from sodkeras.pruning.recovery import fine_tune, re_estimate_statistics, released_fine_tune

__all__ = ["CRITERIA", "fine_tune", "prune", "re_estimate_statistics", "released_fine_tune"]
