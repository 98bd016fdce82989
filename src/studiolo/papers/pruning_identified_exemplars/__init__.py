"""What Do Compressed Deep Neural Networks Forget? (arXiv 1911.05248): populations, how they are compressed, and PIEs.

What was forgotten is asked of `studiolo.audit`, with the predictions of both populations.
"""

from .exemplars import held_out_excess, pies, published_class_test
from .model import Population, Recipe, train_population
from .pruning import Schedule, magnitude_mask
from .stacked import StackedConvNorm, StackedLayer, StackedLinear


__all__ = [
    "Population",
    "Recipe",
    "Schedule",
    "StackedConvNorm",
    "StackedLayer",
    "StackedLinear",
    "held_out_excess",
    "magnitude_mask",
    "pies",
    "published_class_test",
    "train_population",
]
