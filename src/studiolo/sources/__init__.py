"""One module per place where people save things: bytes in, saved things out, nothing decided."""

from .guard import Counted, bounded_lines, one_line, open_source, text_of
from .places import SOURCES, Detected, Source, detect, source_called
from .repository import paper_links
from .saved import (
    BRACES,
    OTHERS,
    Reading,
    Saved,
    SavedFolder,
    SavedItem,
    SavedLink,
    Skipped,
    spoken_name,
)


__all__ = [
    "BRACES",
    "OTHERS",
    "SOURCES",
    "Counted",
    "Detected",
    "Reading",
    "Saved",
    "SavedFolder",
    "SavedItem",
    "SavedLink",
    "Skipped",
    "Source",
    "bounded_lines",
    "detect",
    "one_line",
    "open_source",
    "paper_links",
    "source_called",
    "spoken_name",
    "text_of",
]
