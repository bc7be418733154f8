"""Metrics of salient object detection: streaming, exact in any order, NumPy and OpenCV only."""

from sodkeras.metrics.f_measure import FMeasure
from sodkeras.metrics.mean_absolute_error import MeanAbsoluteError
from sodkeras.metrics.metric import Metric
from sodkeras.metrics.pair import Pair

__all__ = ["FMeasure", "MeanAbsoluteError", "Metric", "Pair"]
