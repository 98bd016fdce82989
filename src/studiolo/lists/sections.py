"""The sections of a list: a heading, and what stands directly below it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studiolo.errors import UsageError

from .blocks import Block
from .document import Document


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its own blocks, up to the next heading of any level.

    Attributes:
        path: the texts of the headings above it and its own; () for what stands before the first heading.
        level: of its heading, 0 before the first.
        blocks: the blocks directly below it, its heading excepted.
        start: where its heading begins.
        body: where the first byte behind its heading is.
        line: of its heading.
    """

    path: tuple[str, ...]
    level: int
    blocks: tuple[Block, ...]
    start: int
    body: int
    line: int

    @property
    def items(self) -> list[Block]:
        """Its top-level items."""
        return [block for block in self.blocks if block.kind == "item"]

    @property
    def table(self) -> Block | None:
        """Its last table."""
        return next((block for block in reversed(self.blocks) if block.kind == "table"), None)


def sections(doc: Document) -> list[Section]:
    """Return the sections of `doc` in the order of the file."""
    texts = {heading.span: heading.text for heading in doc.headings}
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    heading: Block | None = None
    blocks: list[Block] = []

    def close() -> None:
        if heading is not None or blocks:
            level, start, body, line = (
                (heading.level, heading.start, heading.end, heading.line)
                if heading
                else (0, 0, 0, 1)
            )
            found.append(
                Section(tuple(text for _, text in path), level, tuple(blocks), start, body, line)
            )

    for block in doc.blocks:
        if block.kind == "heading":
            close()
            while path and path[-1][0] >= block.level:
                path.pop()
            path.append((block.level, texts[block.start, block.end]))
            heading, blocks = block, []
        else:
            blocks.append(block)
    close()
    return found


def find_section(doc: Document, name: str | tuple[str, ...]) -> Section:
    """Return the section called `name`: a heading's text, or the end of a path `To Review > Transformers`.

    Raises:
        UsageError: there is none or more than one; names those there are.
    """
    all_sections = [section for section in sections(doc) if section.path]
    wanted = tuple(map(_fold, name if isinstance(name, tuple) else name.split(" > ")))
    matches = [s for s in all_sections if tuple(map(_fold, s.path))[-len(wanted) :] == wanted]
    exact = [s for s in matches if len(s.path) == len(wanted)]
    matches = exact if len(exact) == 1 else matches
    if len(matches) == 1:
        return matches[0]
    shown = name if isinstance(name, str) else " > ".join(name)
    where = doc.path or "the list"
    if not matches:
        known = "; ".join(" > ".join(s.path[1:] or s.path) for s in all_sections[:20]) or "none"
        raise UsageError(f"{where} has no section {shown!r}. It has: {known}.")
    lines = ", ".join(f"{' > '.join(s.path)} (line {s.line})" for s in matches[:8])
    raise UsageError(
        f"{where} has {len(matches)} sections {shown!r}: {lines}. Give more of the path, joined by ' > '."
    )


def _fold(text: str) -> str:
    return re.sub(r"[\s#*_`]+", " ", text).strip().casefold()
