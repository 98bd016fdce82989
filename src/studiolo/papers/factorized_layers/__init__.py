"""Initialization and Regularization of Factorized Neural Layers (arXiv 2105.01029): small layers, trained well."""

from .convert import choose_ranks, densify, factorize, factorize_with
from .decay import (
    attach_frobenius_decay,
    factor_pairs,
    frobenius_decay,
    frobenius_gradients,
    parameter_groups,
    squared_norm,
)
from .inits import Init, kaiming_init, spectral_init
from .model import FactorizedConv2d, FactorizedLayer, FactorizedLinear


__all__ = [
    "FactorizedConv2d",
    "FactorizedLayer",
    "FactorizedLinear",
    "Init",
    "attach_frobenius_decay",
    "choose_ranks",
    "densify",
    "factor_pairs",
    "factorize",
    "factorize_with",
    "frobenius_decay",
    "frobenius_gradients",
    "kaiming_init",
    "parameter_groups",
    "spectral_init",
    "squared_norm",
]
