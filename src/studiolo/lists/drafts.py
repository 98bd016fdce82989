"""What is collected while a document is read, before the words of its entries are taken apart.

Links are kept as the texts that they stand in, and made of these when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from studiolo.keys import Key

from .blocks import Block
from .elements import Link, Note, Question, State, StateBy
from .habits import Habits
from .identity import mentioned
from .sections import Section
from .texts import Text
from .titles import NOTHING_SAID, Naming


@dataclass(slots=True)
class Part:
    """What one section holds, its heading included.

    Attributes:
        texts, linking: all of its texts, and those whose links count, in the order of the file.
        outside: links to papers that are in no entry.
    """

    section: Section
    drafts: list[Draft] = field(default_factory=list)
    outside: list[Link] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    linking: list[Text] = field(default_factory=list)

    @property
    def links(self) -> list[Link]:
        """Its links, without images."""
        return [link for text in self.linking for link in text.links]

    @property
    def images(self) -> list[Link]:
        """Its images."""
        return [image for text in self.linking for image in text.images]


@dataclass(slots=True)
class Draft:
    """An entry before its words are taken apart.

    Attributes:
        head: its own text, which its title is in.
        said: what a row or lines such as `Authors:` say of it.
        habits: how its list writes its heads.
        own, below: the texts with links of its own line, and those of what is nested in it.
    """

    block: Block
    index: int
    section: tuple[str, ...]
    parent: int | None = None
    head: Text | None = None
    said: Naming = NOTHING_SAID
    habits: Habits | None = None
    notes: list[Note] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    state: State | None = None
    state_by: StateBy | None = None
    own: list[Text] = field(default_factory=list)
    below: list[Text] = field(default_factory=list)

    @property
    def links(self) -> list[Link]:
        """Its links, without images."""
        return [link for text in self.linking() for link in text.links]

    def linking(self) -> list[Text]:
        """Return its texts with links in the order of the file."""
        if not self.below:
            return self.own
        return sorted([*self.own, *self.below], key=lambda text: text.run.place(0))

    def keys(self) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Return the keys of the entry and what is about it, and those of papers that it only mentions; each once."""
        if not self.below and not self.own:
            return (), ()
        if not self.below and len(self.own) == 1:
            keys = self.own[0].linked_keys()
            if len(keys) < 2:
                return tuple(keys), ()
        else:
            keys = [key for text in self.linking() for key in text.linked_keys()]
        keys = list(dict.fromkeys(keys))
        papers = [key for key in keys if key.names_paper]
        if not papers:
            return tuple(keys), ()
        if len(papers) == 1 and any(papers[0] in text.linked_keys() for text in self.own):
            return tuple(keys), ()  # the first paper of its own line is its own
        others = mentioned(self.own, self.below)
        if not others:
            return tuple(keys), ()
        return tuple(k for k in keys if k not in others), tuple(k for k in keys if k in others)

    def names_paper(self) -> bool:
        """Whether a link of it names a paper."""
        return any(text.links_paper() for text in (*self.own, *self.below))

    @property
    def key(self) -> Key | None:
        """The paper's key if any link names a paper, else the first key."""
        keys, _ = self.keys()
        return next((key for key in keys if key.names_paper), keys[0] if keys else None)
