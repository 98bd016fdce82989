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
from .distill import Distillation, compression_scaled_groups, distill
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
from .substitute import METHODS, ShuffledConv2d, StructuredConv2d, StructuredLinear, substitute


__all__ = [
    "METHODS",
    "AttentionForms",
    "Distillation",
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
    "ShuffledConv2d",
    "StructuredConv2d",
    "StructuredLayer",
    "StructuredLinear",
    "StructuredWeights",
    "attach_frobenius_decay",
    "cheaper_unfolding",
    "choose_ranks",
    "collapse",
    "compression_scaled_groups",
    "densify",
    "distill",
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
    "substitute",
    "whitened_init",
]
