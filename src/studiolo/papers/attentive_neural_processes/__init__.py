"""Attentive Neural Processes (arXiv 1901.05761): regression learned from other functions."""

from .attention import (
    CrossAttention,
    DotProductAttention,
    LaplaceAttention,
    MultiheadAttention,
    UniformAttention,
)
from .gaussian import Gaussian, GaussianProcess, Tasks, gp_tasks, kernel_regression
from .model import Elbo, NeuralProcess, log_likelihood


__all__ = [
    "CrossAttention",
    "DotProductAttention",
    "Elbo",
    "Gaussian",
    "GaussianProcess",
    "LaplaceAttention",
    "MultiheadAttention",
    "NeuralProcess",
    "Tasks",
    "UniformAttention",
    "gp_tasks",
    "kernel_regression",
    "log_likelihood",
]
