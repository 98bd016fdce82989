"""What changes the outline of a list: a new section, an entry that goes."""

from __future__ import annotations

from collections import Counter

from studiolo.errors import UsageError

from .document import Document, find_section
from .edits import Edit
from .entry import Entry
from .marking import extent_of, heading_like
from .operations import cut, refuse_quoted
from .sections import Section
from .states import TO_READ, state_of_heading
from .style import escape


def new_section(doc: Document, name: str) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
    """Return the edits that make an empty section, and its path.

    `To Review > Diffusion` makes "Diffusion" the last section below "To Review". A name alone goes below the list's title,
    or where the list shows reading states by headings, below the one of what is to be read.

    Raises:
        UsageError: there is such a section; or the one it belongs below does not exist; or the name is empty.
    """
    *above, text = (" ".join(part.split()).lstrip("#").strip() for part in name.split(" > "))
    if not text:
        raise UsageError(
            "The name of the new section is empty. Write for example: --new-section Diffusion"
        )
    named = [section for section in doc.sections if section.path]
    parent = find_section(doc, " > ".join(above)) if above else _home(named)
    path = (*(parent.path if parent else ()), text)
    if any(_same(section.path, path) for section in named):
        raise UsageError(f"{doc.path or 'The list'} has a section {text!r} already. Use --section.")
    beside = [section for section in named if section.above is parent]
    levels = Counter(section.level for section in beside)
    level = levels.most_common(1)[0][0] if levels else (parent.level + 1 if parent else 2)
    if level > 6:
        raise UsageError(
            f"{str(parent)!r} is too deep for a section below it: Markdown has six levels."
        )
    last = parent or (named[-1] if named else doc.sections[-1] if doc.sections else None)
    data, newline = doc.data, doc.newline
    at = extent_of(doc, parent) if parent else last.end if last else len(data)
    like = beside[-1] if beside else last
    heading = (
        heading_like(doc, like, escape(text), level)
        if like and like.path
        else b"#" * level + b" " + escape(text).encode()
    )
    if at > 0 and data[at - 1 : at] != b"\n":
        return (Edit(at, b"", newline * 2 + heading),), path
    lead = newline if at and not data[:at].endswith((b"\n\n", b"\n\r\n")) else b""
    tail = newline if data[at:].strip() and not data.startswith((b"\n", b"\r\n"), at) else b""
    return (Edit(at, b"", lead + heading + newline + tail),), path


def _home(named: list[Section]) -> Section | None:
    """Return the section that a new one belongs below, None for the outermost level."""
    to_read = [section for section in named if state_of_heading(section.path[-1]) == TO_READ]
    if to_read:
        return min(to_read, key=lambda section: section.level)
    first = named[0] if named else None
    alone = first and all(first in (section, *_above(section)) for section in named)
    return first if alone else None


def _above(section: Section) -> list[Section]:
    found: list[Section] = []
    while section.above is not None:
        section = section.above
        found.append(section)
    return found


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return [part.casefold() for part in one] == [part.casefold() for part in other]


def remove(doc: Document, entry: Entry) -> tuple[tuple[Edit, ...], tuple[Entry, ...]]:
    """Return the edits that take an entry out with everything below it, and the entries that go with it.

    Raises:
        ListError: it stands in a quotation.
    """
    block = doc.block_of(entry)
    below = tuple(e for e in doc.entries if block.start < e.span[0] < block.end)
    if block.kind == "row":
        return (Edit(block.start, doc.data[block.start : block.end], b""),), below
    refuse_quoted(doc, entry, block)
    return cut(doc, block), below
