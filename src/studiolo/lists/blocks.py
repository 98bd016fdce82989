"""One block of a Markdown file: a heading, an item, a table, a fence, as byte ranges. `scanner.py` finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Block:
    """One block of a document; ranges are byte offsets, lines count from 1.

    Attributes:
        kind: document, quote, item, heading, paragraph, table, row, fence, code, html, comment, rule,
            definition or front.
        start, end: the whole lines it covers, last newline included, trailing blank lines excluded.
        content: the byte ranges of its text, one per line, without container prefixes and newlines (for a
            row, one per cell).
        level: of a heading, 1 to 6.
        marker: of an item, its marker: `*`, `-`, `+`, `3.`, `3)`.
        text_at: of an item, where its text begins; the width of its indent lies before the marker.
        marker_at: of an item, where its marker begins.
    """

    kind: str
    start: int
    end: int
    line: int
    parent: Block | None = None
    children: list[Block] = field(default_factory=list)
    content: list[tuple[int, int]] = field(default_factory=list)
    level: int = 0
    marker: bytes = b""
    marker_at: int = 0
    text_at: int = 0
    width: int = 0  # columns that a line must be indented by to belong to this item
    label: bytes = b""  # of a definition
    target: bytes = b""

    def walk(self) -> Iterator[Block]:
        """Yield this block and all blocks inside it, in the order of the file."""
        stack = [self]
        while stack:
            block = stack.pop()
            yield block
            stack.extend(reversed(block.children))

    def inside(self, kind: str) -> bool:
        """Whether an ancestor is of `kind`."""
        parent = self.parent
        while parent is not None:
            if parent.kind == kind:
                return True
            parent = parent.parent
        return False
