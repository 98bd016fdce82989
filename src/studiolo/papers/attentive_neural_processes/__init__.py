"""Attentive Neural Processes (arXiv 1901.05761): attention as kernels are used, from regression to learned regression."""

from .attention import (
    CrossAttention,
    DotProductAttention,
    KernelAttention,
    MultiheadAttention,
    SelfAttention,
    UniformAttention,
)
from .fit import fit
from .gaussian import Gaussian
from .images import complete, image_tasks, pixel_grid, upscale
from .kernels import Kernel, kernel_attention
from .l2 import L2Attention
from .model import Elbo, NeuralProcess, log_likelihood
from .predict import (
    Prediction,
    log_prob_autoregressive,
    predict,
    sample_autoregressive,
)
from .processes import GaussianProcess
from .tasks import Tasks, gp_tasks, padded_tasks, sawtooth_tasks


__all__ = [
    "CrossAttention",
    "DotProductAttention",
    "Elbo",
    "Gaussian",
    "GaussianProcess",
    "Kernel",
    "KernelAttention",
    "L2Attention",
    "MultiheadAttention",
    "NeuralProcess",
    "Prediction",
    "SelfAttention",
    "Tasks",
    "UniformAttention",
    "complete",
    "fit",
    "gp_tasks",
    "image_tasks",
    "kernel_attention",
    "log_likelihood",
    "log_prob_autoregressive",
    "padded_tasks",
    "pixel_grid",
    "predict",
    "sample_autoregressive",
    "sawtooth_tasks",
    "upscale",
]
