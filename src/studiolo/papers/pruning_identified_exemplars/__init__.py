"""What Do Compressed Deep Neural Networks Forget? (arXiv 1911.05248): populations, pruning, and an audit of both."""

from .audit import (
    Audit,
    ClassTest,
    ExampleTest,
    audit,
    benjamini_hochberg,
    class_test,
    example_test,
    held_out_excess,
    modal_labels,
    noise_floor,
    pies,
    taxicab,
    vote_counts,
)
from .model import Population, Recipe, StackedLinear, train_population
from .pruning import Schedule, magnitude_mask


__all__ = [
    "Audit",
    "ClassTest",
    "ExampleTest",
    "Population",
    "Recipe",
    "Schedule",
    "StackedLinear",
    "audit",
    "benjamini_hochberg",
    "class_test",
    "example_test",
    "held_out_excess",
    "magnitude_mask",
    "modal_labels",
    "noise_floor",
    "pies",
    "taxicab",
    "train_population",
    "vote_counts",
]
