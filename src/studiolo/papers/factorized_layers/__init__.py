"""Initialization and Regularization of Factorized Neural Layers (arXiv 2105.01029): small layers, trained well."""

from .attention import AttentionForms, FactorizedMultiheadAttention
from .candidates import cheaper_unfolding
from .convert import (
    LayerPlan,
    Plan,
    choose_ranks,
    collapse,
    densify,
    factorize,
    factorize_with,
    factorized_like,
    paper_ranks,
    plan,
)
from .decay import (
    attach_frobenius_decay,
    factor_pairs,
    frobenius_decay,
    parameter_groups,
    structured_weights,
)
from .gram import frobenius_gradients, squared_norm
from .inits import (
    Init,
    kaiming_init,
    spectral_draw,
    spectral_init,
    spectral_init_of_product,
    whitened_init,
)
from .model import FactorizedConv2d, FactorizedEmbedding, FactorizedLayer, FactorizedLinear
from .report import LayerReport, Report, report
from .structure import StructuredLayer, StructuredWeights


__all__ = [
    "AttentionForms",
    "FactorizedConv2d",
    "FactorizedEmbedding",
    "FactorizedLayer",
    "FactorizedLinear",
    "FactorizedMultiheadAttention",
    "Init",
    "LayerPlan",
    "LayerReport",
    "Plan",
    "Report",
    "StructuredLayer",
    "StructuredWeights",
    "attach_frobenius_decay",
    "cheaper_unfolding",
    "choose_ranks",
    "collapse",
    "densify",
    "factor_pairs",
    "factorize",
    "factorize_with",
    "factorized_like",
    "frobenius_decay",
    "frobenius_gradients",
    "kaiming_init",
    "paper_ranks",
    "parameter_groups",
    "plan",
    "report",
    "spectral_draw",
    "spectral_init",
    "spectral_init_of_product",
    "squared_norm",
    "structured_weights",
    "whitened_init",
]
