"""FNet, arXiv 2105.03824v4: tokens mixed by a Fourier transform instead of attention."""

from .heads import (
    FNetForMaskedLM,
    FNetForMultipleChoice,
    FNetForNextSentencePrediction,
    FNetForPreTraining,
    FNetForQuestionAnswering,
    FNetForSequenceClassification,
    FNetForTokenClassification,
    PreTrainingOutput,
)
from .hybrid import grow, shrink
from .mixing import FourierMixing, HartleyMixing, MatrixMixing, NoMixing, fourier_mix
from .model import FNetConfig, FNetModel
from .states import load_transformers_state_dict, to_transformers_state_dict


__all__ = [
    "FNetConfig",
    "FNetForMaskedLM",
    "FNetForMultipleChoice",
    "FNetForNextSentencePrediction",
    "FNetForPreTraining",
    "FNetForQuestionAnswering",
    "FNetForSequenceClassification",
    "FNetForTokenClassification",
    "FNetModel",
    "FourierMixing",
    "HartleyMixing",
    "MatrixMixing",
    "NoMixing",
    "PreTrainingOutput",
    "fourier_mix",
    "grow",
    "load_transformers_state_dict",
    "shrink",
    "to_transformers_state_dict",
]
