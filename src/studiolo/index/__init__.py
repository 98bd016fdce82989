"""Search and suggestions over rows of text."""

from .engine import Index, load_or_build
from .rows import Row
from .searching import Found, Hit
from .suggesting import Reason, Suggestion


__all__ = ["Found", "Hit", "Index", "Reason", "Row", "Suggestion", "load_or_build"]
