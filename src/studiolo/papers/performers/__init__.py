"""Rethinking Attention with Performers (arXiv 2009.14794): softmax attention in linear time."""

from .features import (
    Features,
    RandomFeatures,
    hyperbolic_features,
    iid_projection,
    orthogonal_projection,
    positive_features,
    regularized_projection,
    trigonometric_features,
)
from .layer import FavorAttention
from .model import FavorState, favor_attention


__all__ = [
    "FavorAttention",
    "FavorState",
    "Features",
    "RandomFeatures",
    "favor_attention",
    "hyperbolic_features",
    "iid_projection",
    "orthogonal_projection",
    "positive_features",
    "regularized_projection",
    "trigonometric_features",
]
