"""What a list is made of, for everybody who reads one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

from studiolo.keys import Key, Mention

from .titles import Naming, read_naming


if TYPE_CHECKING:
    from .texts import Text


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


@dataclass(frozen=True)
class Entry:
    """One work on the list, with everything nested below it. What it is called is read when it is first asked for.

    Attributes:
        keys: what it is, and what is about it (code, a talk), in the order of its links, each once.
        links, notes, questions: its own and those nested below it, entries of their own excepted.
        section: the headings it stands under, outermost first.
        tags: `#tags` in its text, links to `tags/…`, and the cells of a column of tags.
        line, span: where it stands, nested lines included.
        state: to read, reading or read where the list itself shows it.
        state_by: what shows it: box, column, mark, keyword (TODO, DONE) or section.
        text: its own bytes, as text.
        parent: index of the entry it is nested in, in `Document.entries`.
        head: the text that its title is in, None for a row.
        said: what a row or lines such as `Authors:` say of it.
        mentioned: papers that it only speaks of, in a note or in prose: nothing that is said of it is said of them.
    """

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
    state_by: Literal["box", "column", "mark", "keyword", "section"] | None = None
    parent: int | None = None
    head: Text | None = field(default=None, compare=False, repr=False)
    said: Naming = field(default=Naming(""), repr=False)
    mentioned: tuple[Key, ...] = ()

    @cached_property
    def _naming(self) -> Naming:
        said, head = self.said, self.head
        if head is None:
            return said
        cites = any(key.names_paper for key in self.keys)
        own = read_naming(head.run.data, head.pieces, cites=cites)
        year = own.year or said.year
        if said.title:
            return Naming(said.title, said.name, said.authors, year)
        return Naming(own.title, own.name, own.authors or said.authors, year)

    @property
    def title(self) -> str:
        """What the list calls it; never empty unless the item is."""
        return self._naming.title

    @property
    def name(self) -> str | None:
        """The short name written before the title (`FNet`), if any."""
        return self._naming.name

    @property
    def authors(self) -> tuple[str, ...]:
        """As far as the list says them."""
        return self._naming.authors

    @property
    def year(self) -> int | None:
        """As far as the list says it."""
        return self._naming.year

    @property
    def key(self) -> Key | None:
        """The paper's key if any link names a paper, else the first key."""
        return next(
            (key for key in self.keys if key.names_paper), self.keys[0] if self.keys else None
        )
