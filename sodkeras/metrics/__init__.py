"""Metrics of salient object detection: streaming, exact in any order, NumPy and OpenCV only."""

from sodkeras.metrics.boundary_f_measure import RelaxedBoundaryFMeasure
from sodkeras.metrics.e_measure import EMeasure
from sodkeras.metrics.evaluator import METRICS, Evaluator
from sodkeras.metrics.f_measure import FMeasure
from sodkeras.metrics.mean_absolute_error import MeanAbsoluteError
from sodkeras.metrics.metric import Metric
from sodkeras.metrics.s_measure import SMeasure
from sodkeras.metrics.scored_map import ScoredMap
from sodkeras.metrics.weighted_f_measure import WeightedFMeasure

__all__ = [
    "METRICS",
    "EMeasure",
    "Evaluator",
    "FMeasure",
    "MeanAbsoluteError",
    "Metric",
    "RelaxedBoundaryFMeasure",
    "SMeasure",
    "ScoredMap",
    "WeightedFMeasure",
]
