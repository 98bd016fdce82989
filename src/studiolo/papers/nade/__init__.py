"""NADE: tractable densities of binary vectors, one dimension after the other (arXiv 1605.02226)."""

from .deep import DeepNADE
from .model import NADE, BinaryDensity
from .recurrence import nade_logits


__all__ = ["NADE", "BinaryDensity", "DeepNADE", "nade_logits"]
