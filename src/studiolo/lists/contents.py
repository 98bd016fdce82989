"""What was found in a document."""

from __future__ import annotations

from dataclasses import dataclass

from .blocks import Block
from .elements import Heading, Link, Question
from .entry import Entry
from .sections import Section
from .texts import Text


@dataclass(slots=True)
class Contents:
    """Everything that was found in a document; its links as the texts that they stand in."""

    entries: tuple[Entry, ...]
    blocks: tuple[Block, ...]  # the item or row of each entry
    headings: tuple[Heading, ...]
    sections: tuple[Section, ...]
    linking: tuple[Text, ...]
    outside: tuple[Link, ...]
    questions: tuple[Question, ...]
    tags: tuple[str, ...]
    definitions: dict[str, str]
