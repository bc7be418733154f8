"""Networks with fewer, more or new channels out of trained ones: which, carrying weights over, what follows."""

from sodkeras.pruning.criteria import CRITERIA
from sodkeras.pruning.prune import Pruned, prune
from sodkeras.pruning.prune_csnet import prune_csnet
from sodkeras.pruning.reconstruct import reconstruct
from sodkeras.pruning.recovery import fine_tune, re_estimate_statistics
from sodkeras.pruning.revive import revive
from sodkeras.pruning.widen import widen

__all__ = [
    "CRITERIA",
    "Pruned",
    "fine_tune",
    "prune",
    "prune_csnet",
    "re_estimate_statistics",
    "reconstruct",
    "revive",
    "widen",
]
