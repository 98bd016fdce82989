"""FNet, arXiv 2105.03824v4: tokens mixed by a Fourier transform instead of attention."""

from .mixing import FourierMixing, MatrixMixing, NoMixing, fourier_mix
from .model import (
    FNetConfig,
    FNetForPreTraining,
    FNetModel,
    PreTrainingOutput,
    load_transformers_state_dict,
)


__all__ = [
    "FNetConfig",
    "FNetForPreTraining",
    "FNetModel",
    "FourierMixing",
    "MatrixMixing",
    "NoMixing",
    "PreTrainingOutput",
    "fourier_mix",
    "load_transformers_state_dict",
]
