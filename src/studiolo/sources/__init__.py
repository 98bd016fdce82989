"""One module per place where people save things: bytes in, saved things out, nothing decided."""

from typing import TYPE_CHECKING

from studiolo.doors import late

from .places import SOURCES, Detected, Source, detect, source_called


if TYPE_CHECKING:
    from .guard import Counted, bounded_lines, one_line, open_source, text_of
    from .issues import TOKENS, Issue, Repository, close_issue, repository_at
    from .repository import paper_links
    from .saved import (
        BRACES,
        OTHERS,
        PEOPLE,
        Reading,
        Saved,
        SavedFolder,
        SavedItem,
        SavedLink,
        Skipped,
        split_people,
        spoken_name,
    )

# Help knows the sources and reads none: the rest is opened when it is first asked for.
_LATE = ("saved", "guard", "repository", "issues")

__all__ = [
    "BRACES",
    "OTHERS",
    "PEOPLE",
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
    "split_people",
    "spoken_name",
    "text_of",
]

__getattr__ = late(__name__, _LATE, __all__)
