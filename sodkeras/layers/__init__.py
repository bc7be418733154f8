"""Building blocks, one a file. Tensors are channels last, `[B, H, W, C]`."""

from sodkeras.layers.aspp import ASPP
from sodkeras.layers.centralized_interaction import CentralizedInteraction
from sodkeras.layers.channel_slice import ChannelSlice
from sodkeras.layers.conv_norm import ConvNorm
from sodkeras.layers.conv_unit import ConvUnit
from sodkeras.layers.cross_stage_fusion import CrossStageFusion, ParallelDilatedConv
from sodkeras.layers.depthwise_non_local import DepthwiseNonLocal
from sodkeras.layers.il_block import ILBlock
from sodkeras.layers.octave import OctaveConv
from sodkeras.layers.padding import CropLike, PadToMultiple
from sodkeras.layers.pyramid_pooling import GridMean, PyramidPooling
from sodkeras.layers.relative_global_calibration import RelativeGlobalCalibration, ResidualConvs
from sodkeras.layers.residual_u import ResidualU
from sodkeras.layers.resize import ResizeLike
from sodkeras.layers.resized_octave import ResizedCrossStageFusion, ResizedOctaveConv
from sodkeras.layers.scaled_conv import ScaledConv2D, ScaledDepthwiseConv2D
from sodkeras.layers.upsample import BilinearUpSampling2D

__all__ = [
    "ASPP",
    "BilinearUpSampling2D",
    "CentralizedInteraction",
    "ChannelSlice",
    "ConvNorm",
    "ConvUnit",
    "CropLike",
    "CrossStageFusion",
    "DepthwiseNonLocal",
    "GridMean",
    "ILBlock",
    "OctaveConv",
    "PadToMultiple",
    "ParallelDilatedConv",
    "PyramidPooling",
    "RelativeGlobalCalibration",
    "ResidualConvs",
    "ResidualU",
    "ResizeLike",
    "ResizedCrossStageFusion",
    "ResizedOctaveConv",
    "ScaledConv2D",
    "ScaledDepthwiseConv2D",
]
