"""What a list is made of, for everybody who reads one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from studiolo.keys import Key, Mention


Span = tuple[int, int]
State = Literal["to read", "reading", "read"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it stands in the list.

    Attributes:
        text: what is shown; for a bare address, the address.
        url: the address, unescaped.
        mention: what it points at; None where that is no web address (a relative link, `mailto:`).
        line, span: where it stands; lines count from 1, spans are byte offsets.
        kind: inline, reference, wiki, auto (`<…>`), bare, html or image.
    """

    text: str
    url: str
    mention: Mention | None
    line: int
    span: Span
    kind: str = "inline"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, ATX or setext."""

    level: int
    text: str
    line: int
    span: Span


@dataclass(frozen=True, slots=True)
class Note:
    """A nested item or paragraph of an entry, in plain words; depth 1 lies directly below the entry."""

    text: str
    line: int
    depth: int


@dataclass(frozen=True, slots=True)
class Question:
    """A line that begins with `Q:`; `answer` is the text of the `A:` that follows it, if one does."""

    text: str
    line: int
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One work on the list, with everything nested below it.

    Attributes:
        title: what the list calls it; never empty unless the item is.
        name: the short name written before the title (`FNet`), if any.
        authors, year: as far as the list says them.
        keys: what its links point at, in order, each once.
        links, notes, questions: its own and those nested below it, entries of their own excepted.
        section: the headings it stands under, outermost first.
        tags: `#tags` in its text, links to `tags/…`, and the cells of a column of tags.
        line, span: where it stands, nested lines included.
        state: to read, reading or read where the list itself shows it.
        state_by: what shows it: box, column, mark or section.
        text: its own bytes, as text.
        parent: index of the entry it is nested in, in `Document.entries`.
    """

    title: str
    name: str | None
    authors: tuple[str, ...]
    year: int | None
    keys: tuple[Key, ...]
    links: tuple[Link, ...]
    notes: tuple[Note, ...]
    questions: tuple[Question, ...]
    section: tuple[str, ...]
    tags: tuple[str, ...]
    line: int
    span: Span
    state: State | None
    text: str
    state_by: Literal["box", "column", "mark", "section"] | None = None
    parent: int | None = None

    @property
    def key(self) -> Key | None:
        """The paper's key if any link names a paper, else the first key."""
        return next(
            (key for key in self.keys if key.names_paper), self.keys[0] if self.keys else None
        )
