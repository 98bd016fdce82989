"""One module per place where people save things: bytes in, saved things out, nothing decided."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


if TYPE_CHECKING:
    from .issues import TOKENS, Issue, Repository, close_issue, repository_at

_OF_ISSUES = ("TOKENS", "Issue", "Repository", "close_issue", "repository_at")


def __getattr__(name: str) -> Any:
    """Return what only commands about issues need: the module is loaded when it is asked for."""
    if name in _OF_ISSUES:
        return getattr(import_module(f"{__name__}.issues"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BRACES",
    "OTHERS",
    "SOURCES",
    "TOKENS",
    "Counted",
    "Detected",
    "Issue",
    "Reading",
    "Repository",
    "Saved",
    "SavedFolder",
    "SavedItem",
    "SavedLink",
    "Skipped",
    "Source",
    "bounded_lines",
    "close_issue",
    "detect",
    "one_line",
    "open_source",
    "paper_links",
    "repository_at",
    "source_called",
    "spoken_name",
    "text_of",
]
