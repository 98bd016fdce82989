"""Rethinking Attention with Performers (arXiv 2009.14794): softmax attention in linear time."""

from .convert import Conversion, convert
from .distill import distill_attention
from .draws import (
    iid_projection,
    orthogonal_projection,
    regularized_iid_projection,
    regularized_projection,
)
from .features import (
    Features,
    LearnedFeatures,
    RandomFeatures,
    elu_features,
    feature_map,
    hyperbolic_features,
    positive_features,
    relu_features,
    trigonometric_features,
)
from .layer import FavorAttention
from .model import FavorState, favor_attention
from .positions import rotate
from .redraw import RedrawSchedule


__all__ = [
    "Conversion",
    "FavorAttention",
    "FavorState",
    "Features",
    "LearnedFeatures",
    "RandomFeatures",
    "RedrawSchedule",
    "convert",
    "distill_attention",
    "elu_features",
    "favor_attention",
    "feature_map",
    "hyperbolic_features",
    "iid_projection",
    "orthogonal_projection",
    "positive_features",
    "regularized_iid_projection",
    "regularized_projection",
    "relu_features",
    "rotate",
    "trigonometric_features",
]
