"""Search and suggestions over rows of text."""

from .engine import Index, load_or_build
from .placing import Placement, Placer, Shelf, place
from .rows import Row
from .searching import Found, Hit
from .suggesting import Suggestion
from .vectors import Reason
from .words import subjects


__all__ = [
    "Found",
    "Hit",
    "Index",
    "Placement",
    "Placer",
    "Reason",
    "Row",
    "Shelf",
    "Suggestion",
    "load_or_build",
    "place",
    "subjects",
]
