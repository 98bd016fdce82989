"""What is collected while a document is read, before the words of its entries are taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from studiolo.keys import Key

from .blocks import Block
from .entry import Entry, Heading, Link, Note, Question, State
from .identity import mentioned
from .sections import Section
from .texts import Text
from .titles import Naming


@dataclass(slots=True)
class Contents:
    """Everything that was found in a document."""

    entries: tuple[Entry, ...]
    blocks: tuple[Block, ...]  # the item or row of each entry
    headings: tuple[Heading, ...]
    sections: tuple[Section, ...]
    links: tuple[Link, ...]
    images: tuple[Link, ...]
    outside: tuple[Link, ...]
    questions: tuple[Question, ...]
    tags: tuple[str, ...]
    definitions: dict[str, str]


@dataclass(slots=True)
class Part:
    """What one section holds, its heading included."""

    section: Section
    drafts: list[Draft] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    images: list[Link] = field(default_factory=list)
    outside: list[Link] = field(default_factory=list)  # to papers, in no entry
    texts: list[Text] = field(default_factory=list)


_NOTHING_SAID = Naming("")


@dataclass(slots=True)
class Draft:
    """An entry before its words are taken apart.

    Attributes:
        head: its own text, which its title is in.
        said: what a row or lines such as `Authors:` say of it.
        own, below: the texts with links of its own line, and those of what is nested in it.
    """

    block: Block
    index: int
    section: tuple[str, ...]
    parent: int | None = None
    head: Text | None = None
    said: Naming = _NOTHING_SAID
    links: list[Link] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    state: State | None = None
    state_by: Literal["box", "column", "mark", "keyword", "section"] | None = None
    own: list[Text] = field(default_factory=list)
    below: list[Text] = field(default_factory=list)

    def keys(self) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Return the keys of the entry and what is about it, and those of papers that it only mentions; each once."""
        keys = [link.mention.key for link in self.links if link.mention]
        if len(keys) < 2 and not self.below:
            return tuple(keys), ()
        keys = list(dict.fromkeys(keys))
        if not any(key.names_paper for key in keys):
            return tuple(keys), ()
        others = mentioned(self.own, self.below)
        if not others:
            return tuple(keys), ()
        return tuple(k for k in keys if k not in others), tuple(k for k in keys if k in others)

    def names_paper(self) -> bool:
        """Whether a link of it names a paper."""
        return any(link.mention and link.mention.key.names_paper for link in self.links)

    @property
    def key(self) -> Key | None:
        """The paper's key if any link names a paper, else the first key."""
        keys, _ = self.keys()
        return next((key for key in keys if key.names_paper), keys[0] if keys else None)
