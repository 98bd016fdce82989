"""NADE: tractable densities of vectors, one dimension after the other (arXiv 1605.02226)."""

from .conv import ConvNADE
from .deep import DeepNADE, EoNADE
from .density import Density
from .laws import Bernoulli, Mixture
from .masked import FVBN, MADE
from .mixtures import BernoulliMixture
from .model import NADE
from .published import Reproduction, reproduce
from .real import RNADE
from .recurrence import nade_logits


__all__ = [
    "FVBN",
    "MADE",
    "NADE",
    "RNADE",
    "Bernoulli",
    "BernoulliMixture",
    "ConvNADE",
    "DeepNADE",
    "Density",
    "EoNADE",
    "Mixture",
    "Reproduction",
    "nade_logits",
    "reproduce",
]
