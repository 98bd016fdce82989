"""One module per place where people save things: bytes in, saved things out, nothing decided."""

from .places import SOURCES, Source
from .repository import paper_links
from .saved import Reading, Saved, SavedFolder, SavedItem, SavedLink, Skipped


__all__ = [
    "SOURCES",
    "Reading",
    "Saved",
    "SavedFolder",
    "SavedItem",
    "SavedLink",
    "Skipped",
    "Source",
    "paper_links",
]
