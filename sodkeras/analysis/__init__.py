"""What a network costs."""

from sodkeras.analysis.complexity import Complexity, LayerComplexity, complexity

__all__ = ["Complexity", "LayerComplexity", "complexity"]
