"""A list as bytes, and what can be found in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from weakref import WeakValueDictionary

from studiolo.collector import collector_paused
from studiolo.errors import ListError

from .blocks import Block
from .contents import Contents
from .elements import Heading, Link, Question, Span, State
from .entry import Entry
from .habits import Habits
from .parse import Reader, read_document
from .parts import without_parts
from .scanner import scan
from .sections import Section, find


# Documents in use by where they came from and what they hold: what was found in one need not be found again.
_IN_USE: WeakValueDictionary[tuple[Path, bytes], Document] = WeakValueDictionary()


class Document:
    """A Markdown list: the bytes that a person wrote, and where in them things lie.

    The bytes are the document. Everything else is read from them on first use and never written back;
    `studiolo.lists.edits` makes a new document by replacing exact byte ranges.

    Attributes:
        data: the bytes; every sequence of bytes is a document.
        path: where they came from, if from a file.
        habits: how another list writes its heads, which the bytes are to become a part of.
    """

    def __init__(self, data: bytes, path: Path | None = None, habits: Habits | None = None) -> None:
        self.data = data
        self.path = path
        self.habits = habits
        if path is not None and habits is None:
            _IN_USE.setdefault((path, data), self)

    @classmethod
    def load(cls, path: Path | str) -> Document:
        """Read the list at `path`; where one with these bytes is in use, that is it.

        Raises:
            ListError: there is no such file, or it cannot be read.
        """
        path = Path(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ListError(
                f"The list {path} cannot be read: {reason}. Name a Markdown file."
            ) from error
        return _IN_USE.get((path, data)) or cls(data, path)

    def __repr__(self) -> str:
        return f"Document({str(self.path) if self.path else '…'}, {len(self.data)} bytes)"

    @cached_property
    def writable(self) -> bool:
        """Whether the bytes are UTF-8. Others are shown, with replacement characters, and never written."""
        try:
            self.data.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    @cached_property
    def newline(self) -> bytes:
        """The newline that most of its lines end with."""
        crlf = self.data.count(b"\r\n")
        return b"\r\n" if crlf * 2 > self.data.count(b"\n") else b"\n"

    @cached_property
    def root(self) -> Block:
        """The tree of blocks, without those of the parts that Studiolo writes."""
        return without_parts(self.data, scan(self.data))

    @property
    def blocks(self) -> list[Block]:
        """The outermost blocks in order, for rendering; each holds its `children`."""
        return self.root.children

    @cached_property
    def contents(self) -> Contents:
        """Everything that was found in it."""
        with collector_paused():
            return read_document(self.data, self.root, self.habits)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The works on the list, in the order of the file."""
        return self.contents.entries

    def each_entry(self) -> Iterator[Entry]:
        """Yield the entries, section by section, without keeping them: for lists of hundreds of thousands."""
        if "contents" in self.__dict__:
            yield from self.entries
            return
        reader = Reader(self.data, self.root, self.habits)
        outside: list[Link] = []
        for part in reader.parts():
            yield from map(reader.entry, part.drafts)
            outside += part.outside
        self.links_outside = tuple(outside)

    @property
    def item_blocks(self) -> tuple[Block, ...]:
        """The item or row that each entry is, in the same order."""
        return self.contents.blocks

    def block_of(self, entry: Entry) -> Block:
        """Return the item or row that `entry`, one of this document's, is.

        Raises:
            ListError: it is an entry of another document, or of this one before an edit.
        """
        block = self._block_at_span.get(entry.span)
        if block is None or self.data[block.start : block.end] != entry.text.encode(
            "utf-8", "replace"
        ):
            raise ListError(
                f"{entry.title!r} is not at line {entry.line} of {self.path or 'this list'} any more. Read the list again."
            )
        return block

    def entry_at(self, block: Block) -> Entry | None:
        """Return the entry that `block` is, if it is one."""
        return self._entry_at_span.get((block.start, block.end))

    @cached_property
    def _block_at_span(self) -> dict[Span, Block]:
        return {(block.start, block.end): block for block in self.item_blocks}

    @cached_property
    def _entry_at_span(self) -> dict[Span, Entry]:
        return {entry.span: entry for entry in self.entries}

    @property
    def sections(self) -> tuple[Section, ...]:
        """Its sections in the order of the file."""
        return self.contents.sections

    def section_of(self, entry: Entry) -> Section:
        """Return the section that `entry`, one of this document's, stands in."""
        return self.sections[bisect_right(self._section_starts, entry.span[0]) - 1]

    @cached_property
    def _section_starts(self) -> list[int]:
        return [section.start for section in self.sections]

    @property
    def headings(self) -> tuple[Heading, ...]:
        """All headings, those in items and quotations too."""
        return self.contents.headings

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """All links, inside and outside of entries, without images."""
        return tuple(link for text in self.contents.linking for link in text.links)

    @cached_property
    def links_outside(self) -> tuple[Link, ...]:
        """The links to papers that are in no entry: in prose, in headings."""
        return self.contents.outside

    @cached_property
    def images(self) -> tuple[Link, ...]:
        """All images."""
        return tuple(image for text in self.contents.linking for image in text.images)

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions, inside and outside of entries."""
        return self.contents.questions

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the whole list: its `<!-- TAGS` comment, front matter and `tag-…` badges."""
        return self.contents.tags


def find_section(
    document: Document, name: str | tuple[str, ...] | Section, *, prefer: State | None = None
) -> Section:
    """Return the section called `name`: a heading's text, the end of a path `To Review > Transformers`, or a section.

    Args:
        prefer: of several, the one below the heading that shows this reading state.

    Raises:
        UsageError: there is none or more than one; names those there are.
    """
    return find(document.sections, name, document.path or "the list", prefer=prefer)
