"""How much a channel matters. A criterion takes one layer's channels at one scale:

    gamma: [C], the scale of the channels' batch norm
    filters: [n, C], the weights that each channel is computed with

and returns scores [C], not negative; the channels with the lowest scores are removed.
"""

import numpy as np


def gamma_magnitude(gamma, filters):
    """|γ| of the batch norm, which dynamic weight decay drives to 0 (ECCV 2020, Sec. 3.3)."""
    return np.abs(gamma)


def filter_l1(gamma, filters):
    """Σ|w| of the channel's filter (Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017)."""
    return np.abs(filters).sum(0)


def filter_l2(gamma, filters):
    """√Σw² of the channel's filter."""
    return np.sqrt((filters**2).sum(0))


def geometric_median(gamma, filters):
    """The sum of distances to the layer's other filters: small for a filter that the others can stand in for.

    He et al., "Filter Pruning via Geometric Median for Deep Convolutional Neural Networks Acceleration", CVPR 2019.
    """
    return np.array([np.sqrt(((filters - column[:, None]) ** 2).sum(0)).sum() for column in filters.T])


#: The criteria by the name that `prune` takes.
CRITERIA = {
    "gamma": gamma_magnitude,
    "l1": filter_l1,
    "l2": filter_l2,
    "geometric_median": geometric_median,
}
