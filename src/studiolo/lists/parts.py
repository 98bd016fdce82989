"""The parts of a page that Studiolo writes: between two comments, each a line of its own.

```markdown
<!-- studiolo:contents sort=changed -->
… written anew each time …
<!-- /studiolo:contents -->
```

What stands between them is never read as the reader's words: no entry, no tag, no question. What stands outside of them
is never written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .blocks import Block


_MARK = re.compile(rb"<!--[ \t]*(/?)studiolo:([a-z]{1,40})((?:[ \t]+[a-z]+=[\w,-]*)*)[ \t]*-->\s*")
MAYBE = b"studiolo:"
PART_NEXT = re.compile(rb"\s*<!--[ \t]*studiolo:[a-z]")  # behind a heading, whose part is not read


@dataclass(frozen=True, slots=True)
class Part:
    """A part that Studiolo writes; byte ranges.

    Attributes:
        name: what it is: contents, tag, topic or topics.
        options: what its first mark says, such as `sort=changed`.
        start, end: with both marks, whole lines.
        inner: what lies between the marks.
        line: of its first mark, counted from 1.
    """

    name: str
    options: Mapping[str, str]
    start: int
    end: int
    inner: tuple[int, int]
    line: int


def parts_in(data: bytes, root: Block) -> Iterator[Part]:
    """Yield the closed parts of a document in order; marks in code, lists and quotations are words.

    A mark that nothing closes begins no part, and the reader's text behind it stays the reader's.
    """
    if MAYBE not in data:
        return
    opened: dict[str, tuple[Block, Mapping[str, str]]] = {}
    for block, closes, name, options in marks(data, root):
        if not closes:
            opened[name] = (block, options)
        elif name in opened:
            first, said = opened[name]
            opened.clear()  # a part holds no other
            yield Part(name, said, first.start, block.end, (first.end, block.start), first.line)


def without_parts(data: bytes, root: Block) -> Block:
    """Take the blocks of all parts out of a tree of blocks, and return it."""
    spans = [(part.start, part.end) for part in parts_in(data, root)]
    if spans:
        root.children = [
            block
            for block in root.children
            if not any(start <= block.start < end for start, end in spans)
        ]
    return root


def marks(data: bytes, root: Block) -> Iterator[tuple[Block, bool, str, Mapping[str, str]]]:
    """Yield the marks among the outermost blocks: whether each closes, its name and its options."""
    for block in root.children:
        if block.kind == "comment" and (
            match := _MARK.fullmatch(data, block.content[0][0], block.end)
        ):
            words = (word.partition("=") for word in match[3].decode().split())
            yield block, bool(match[1]), match[2].decode(), {key: value for key, _, value in words}
