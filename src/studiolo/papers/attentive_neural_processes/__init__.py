"""Attentive Neural Processes (arXiv 1901.05761): regression learned from other functions."""

from studiolo.papers.attentive_neural_processes.attention import (
    CrossAttention,
    DotProductAttention,
    LaplaceAttention,
    MultiheadAttention,
    UniformAttention,
)
from studiolo.papers.attentive_neural_processes.gaussian import (
    Gaussian,
    GaussianProcess,
    Tasks,
    gp_tasks,
    kernel_regression,
)
from studiolo.papers.attentive_neural_processes.model import (
    Elbo,
    NeuralProcess,
    log_likelihood,
)


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
