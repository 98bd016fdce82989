"""A work on a list, for everybody who reads one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING

from studiolo.keys import Key

from .elements import Link, Note, Question, Span, State, StateBy
from .habits import Habits
from .titles import NOTHING_SAID, Naming, read_naming


if TYPE_CHECKING:
    from .drafts import Draft
    from .texts import Text


_NAMES_PAPER = attrgetter("names_paper")


def _places(text: Text) -> tuple[object, ...]:
    """Return the links of a text: the order and kind of them all, where they stand in it and lead to."""
    return tuple([(p.kind, p.start, p.end, p.text, p.url) for p in text.pieces])


@dataclass(eq=False, repr=False)
class Entry:
    """One work on the list, with everything nested below it: what was collected of it, read further when it is asked for.

    Attributes:
        keys: what it is, and what is about it (code, a talk), in the order of its links, each once.
        mentioned: papers that it only speaks of, in a note or in prose: nothing that is said of it is said of them.
        state: to read, reading or read where the list itself shows it.
        state_by: what shows it: box, column, mark, keyword (TODO, DONE) or section.
    """

    _draft: Draft
    _data: bytes
    keys: tuple[Key, ...]
    mentioned: tuple[Key, ...]
    state: State | None
    state_by: StateBy | None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return self._seen() == other._seen()

    def __hash__(self) -> int:
        return hash((self.keys, self.span, self.text))

    def _seen(self) -> tuple[object, ...]:
        """Return what makes it equal to another: where it stands, its words, and what was found in them."""
        found = (self.keys, self.mentioned, self.links, self.notes, self.questions, self.tags)
        shown = (self.section, self.state, self.state_by, self.parent, self.said)
        return (self.line, self.span, self.text, *found, *shown)

    def __repr__(self) -> str:
        return f"Entry({self.title!r}, line {self.line})"

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Its own links and those nested below it, entries of their own excepted."""
        return tuple(self._draft.links)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Its notes, as its links."""
        return tuple(self._draft.notes)

    @property
    def questions(self) -> tuple[Question, ...]:
        """Its questions, as its links."""
        return tuple(self._draft.questions)

    @property
    def section(self) -> tuple[str, ...]:
        """The headings it stands under, outermost first."""
        return self._draft.section

    @property
    def tags(self) -> tuple[str, ...]:
        """`#tags` in its text, links to `tags/…`, and the cells of a column of tags."""
        return tuple(dict.fromkeys(self._draft.tags))

    @property
    def line(self) -> int:
        """Where it begins, from 1."""
        return self._draft.block.line

    @property
    def span(self) -> Span:
        """The bytes of the list that it is, nested lines included."""
        return self._draft.block.start, self._draft.block.end

    @cached_property
    def text(self) -> str:
        """Its own bytes, as text."""
        return self._data[slice(*self.span)].decode("utf-8", "replace")

    @property
    def parent(self) -> int | None:
        """The index of the entry it is nested in, in `Document.entries`."""
        return self._draft.parent

    @property
    def head(self) -> Text | None:
        """The text that its title is in, None for a row."""
        return self._draft.head

    @property
    def said(self) -> Naming:
        """What a row or lines such as `Authors:` say of it."""
        return self._draft.said

    @property
    def habits(self) -> Habits | None:
        """How its list writes its heads."""
        return self._draft.habits

    @cached_property
    def _naming(self) -> Naming:
        said, head = self.said, self.head
        if head is None:
            return said
        cites = any(map(_NAMES_PAPER, self.keys))
        own = read_naming(head.run.data, head.pieces, cites=cites, habits=self.habits)
        if said is NOTHING_SAID:
            return own
        year = own.year or said.year
        if said.title:
            return Naming(said.title, said.name, said.authors, year)
        return Naming(own.title, own.name, own.authors or said.authors, year)

    def made_of(self) -> tuple[object, ...]:
        """Return what everything that is said of it follows from: two that are made of the same are read alike.

        Cheaper than to read it: its words are compared as they are written.
        """
        draft, head = self._draft, self.head
        return (
            self.keys,
            *((head.run.data, _places(head)) if head is not None else ()),
            self.said,
            self.habits,
            tuple([_places(text) for text in draft.linking()]),
            tuple([note.text for note in draft.notes]),
            tuple([(question.text, question.answer) for question in draft.questions]),
            self.tags,
            self.section,
            self.state,
        )

    def name_as(self, other: Entry) -> None:
        """Take over what was read of the words of an entry that is made of the same."""
        if "_naming" in other.__dict__:
            self.__dict__["_naming"] = other._naming

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
