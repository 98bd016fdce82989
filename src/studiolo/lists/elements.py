"""What stands in a list: links, headings, notes, questions, and the states that it shows."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from studiolo.keys import Mention


Span = tuple[int, int]
State = Literal["to read", "reading", "read"]
STATES: tuple[State, ...] = get_args(State)
StateBy = Literal["box", "column", "mark", "keyword", "section"]


class Link(NamedTuple):
    """A link as it stands in the list.

    Attributes:
        text: what is shown; for a bare address, the address.
        url: the address, unescaped.
        mention: what it points at; None where that is not a web address (a relative link, `mailto:`).
        line, span: where it stands; lines count from 1, spans are byte offsets.
        kind: inline, reference, wiki, auto (`<…>`), bare, html or image.
    """

    text: str
    url: str
    mention: Mention | None
    line: int
    span: Span
    kind: str = "inline"


class Heading(NamedTuple):
    """A heading, ATX or setext."""

    level: int
    text: str
    line: int
    span: Span


class Note(NamedTuple):
    """A nested item or paragraph of an entry, in plain words; depth 1 lies directly below the entry."""

    text: str
    line: int
    depth: int


class Question(NamedTuple):
    """A line that begins with `Q:`; `answer` is the text of the `A:` that follows it, if one does."""

    text: str
    line: int
    answer: str | None = None
