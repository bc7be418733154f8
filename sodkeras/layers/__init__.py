"""Building blocks, one a file. Tensors are channels last, `[B, H, W, C]`."""

from sodkeras.layers.conv_unit import ConvUnit
from sodkeras.layers.residual_u import ResidualU
from sodkeras.layers.resize import ResizeLike

__all__ = ["ConvUnit", "ResidualU", "ResizeLike"]
