"""The sections of a list: a heading, and what stands directly below it. Headings in items and quotations begin none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from studiolo.errors import UsageError

from .blocks import Block
from .elements import State
from .states import state_of_section


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A heading and its own blocks, up to the next heading of any level.

    Attributes:
        path: the texts of the headings above it and its own; () for what stands before the first heading.
        above: the section that it is a part of.
        level: of its heading, 0 before the first.
        blocks: the blocks directly below it, its heading excepted.
        start: where its heading begins.
        body: where the first byte behind its heading is.
        line: of its heading.
    """

    path: tuple[str, ...]
    above: Section | None = field(repr=False)
    level: int
    blocks: tuple[Block, ...] = field(repr=False)
    start: int
    body: int
    line: int

    def __str__(self) -> str:
        return " > ".join(self.path)

    @property
    def items(self) -> list[Block]:
        """Its top-level items."""
        return [block for block in self.blocks if block.kind == "item"]

    @property
    def table(self) -> Block | None:
        """Its last table."""
        return next((block for block in reversed(self.blocks) if block.kind == "table"), None)

    @property
    def end(self) -> int:
        """Where its last block ends, comments at the very end excepted."""
        kept = [block for block in self.blocks if block.kind != "comment"]
        return kept[-1].end if kept else self.body


def sections(root: Block, text_of: Callable[[Block], str]) -> Iterator[Section]:
    """Yield the sections of the document `root` in the order of the file; `text_of` is asked once for each heading."""
    heading: Block | None = None
    open_sections: list[Section] = []
    blocks: list[Block] = []

    def section() -> Section:
        if heading is None:
            return Section((), None, 0, tuple(blocks), 0, 0, 1)
        while open_sections and open_sections[-1].level >= heading.level:
            open_sections.pop()
        above = open_sections[-1] if open_sections else None
        path = (*(above.path if above else ()), text_of(heading))
        place = (heading.start, heading.end, heading.line)
        open_sections.append(Section(path, above, heading.level, tuple(blocks), *place))
        return open_sections[-1]

    for block in root.children:
        if block.kind == "heading":
            if heading is not None or blocks:
                yield section()
            heading, blocks = block, []
        else:
            blocks.append(block)
    if heading is not None or blocks:
        yield section()


def find(
    every: Sequence[Section],
    name: str | tuple[str, ...] | Section,
    where: object,
    *,
    prefer: State | None = None,
) -> Section:
    """Return the one of `every` section that `name` means; `where` is what an error calls the list.

    A name is a heading's text, or the end of a path, `To Review > Transformers`. A section of the list before an edit
    means the only one of its path, or of several the one that stands at the same place.

    Args:
        prefer: of several below headings such as "# To Review" and "# Read", the one where this state is shown.

    Raises:
        UsageError: there is none or more than one; names those there are.
    """
    named = [section for section in every if section.path]
    if isinstance(name, Section):
        alike = [s for s in every if s.path == name.path]
        same = [s for s in alike if s.start == name.start] or alike
        if len(same) == 1:
            return same[0]
        raise UsageError(
            f"{where} has no section {str(name)!r} at line {name.line} any more. Read the list again."
        )
    wanted = tuple(map(_fold, name if isinstance(name, tuple) else name.split(" > ")))
    matches = [s for s in named if tuple(map(_fold, s.path))[-len(wanted) :] == wanted]
    exact = [s for s in matches if len(s.path) == len(wanted)]
    matches = exact if len(exact) == 1 else matches
    if len(matches) > 1 and prefer:
        states = {section: state_of_section(section.path) for section in matches}
        shown_there = [s for s in matches if states[s] == prefer]
        matches = shown_there or [s for s in matches if states[s] is None] or matches
    if len(matches) == 1:
        return matches[0]
    shown = name if isinstance(name, str) else " > ".join(name)
    if not matches:
        known = "; ".join(" > ".join(s.path[1:] or s.path) for s in named[:20]) or "none"
        raise UsageError(f"{where} has no section {shown!r}. It has: {known}.")
    lines = ", ".join(f"{s} (line {s.line})" for s in matches[:8])
    raise UsageError(
        f"{where} has {len(matches)} sections {shown!r}: {lines}. "
        + (
            "Give more of the path, joined by ' > '."
            if len({s.path for s in matches}) > 1
            else "They have one path: rename one, or write into it by hand."
        )
    )


def _fold(text: str) -> str:
    return re.sub(r"[\s#*_`]+", " ", text).strip().casefold()
