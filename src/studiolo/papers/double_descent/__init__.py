"""Sample-wise double descent in linear regression: every fit of a growing sample at once.

"More Data Can Hurt for Linear Regression: Sample-wise Double Descent", Preetum Nakkiran, 2019,
https://arxiv.org/abs/1912.07242v1.
"""

from .descent import GradientDescent, Stop
from .model import min_norm_path, ridge_path, ridge_risk_curve, risk_curve
from .theory import (
    Risk,
    best_penalty,
    best_sample_size,
    expected_risk,
    limiting_risk,
    ridge_risk,
    sample_risk_curves,
    tuned_ridge_risk,
)


__all__ = [
    "GradientDescent",
    "Risk",
    "Stop",
    "best_penalty",
    "best_sample_size",
    "expected_risk",
    "limiting_risk",
    "min_norm_path",
    "ridge_path",
    "ridge_risk",
    "ridge_risk_curve",
    "risk_curve",
    "sample_risk_curves",
    "tuned_ridge_risk",
]
