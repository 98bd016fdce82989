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
from typing import TYPE_CHECKING

from studiolo.errors import ListError

from .blocks import Block


if TYPE_CHECKING:
    from .document import Document
    from .edits import Edit

_MARK = re.compile(rb"<!--[ \t]*(/?)studiolo:([a-z]{1,40})((?:[ \t]+[a-z]+=[\w,-]*)*)[ \t]*-->\s*")
_MAYBE = b"studiolo:"


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
    if _MAYBE not in data:
        return
    opened: dict[str, tuple[Block, Mapping[str, str]]] = {}
    for block, closes, name, options in _marks(data, root):
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


def outside_parts(doc: Document) -> bytes:
    """Return the bytes of a document without its parts: what a person wrote."""
    from .blocks import scan

    out, at = [], 0
    for part in parts_in(doc.data, scan(doc.data)) if _MAYBE in doc.data else ():
        out.append(doc.data[at : part.start])
        at = part.end
    return b"".join((*out, doc.data[at:]))


def part_of(doc: Document, name: str) -> Part | None:
    """Return the part of a document called `name`, None where it has none.

    Raises:
        ListError: it has several, or one that is not closed; says where.
    """
    from .blocks import scan

    root = scan(doc.data)
    found = [part for part in parts_in(doc.data, root) if part.name == name]
    closed = {part.line for part in found}
    where = doc.path or "The page"
    for block, closes, called, _ in _marks(doc.data, root):
        if called == name and not closes and block.line not in closed:
            raise ListError(
                f"{where}:{block.line} opens a part that nothing closes, so it is not written. Put this line where it "
                f"ends: <!-- /studiolo:{name} -->"
            )
    if len(found) > 1:
        lines = ", ".join(str(part.line) for part in found)
        raise ListError(
            f"{where} has {len(found)} parts for the same thing (lines {lines}). Delete all but one, marks included."
        )
    return found[0] if found else None


def write_part(
    doc: Document, name: str, text: str, options: Mapping[str, str] | None = None
) -> tuple[Edit, ...]:
    """Return the edits that make `text` the words of a part; where there is no such part, it is put at the end.

    Args:
        text: lines; blank lines are put around them.
        options: what the first mark is to say.

    Raises:
        ListError: as `part_of`; or the page ends in something that is not closed, such as a fence.
    """
    from .edits import Edit

    newline = doc.newline.decode()
    part = part_of(doc, name)
    said = "".join(f" {key}={value}" for key, value in (options or {}).items() if value)
    opening = f"<!-- studiolo:{name}{said} -->".encode()
    inner = f"\n{text.strip()}\n\n" if text.strip() else "\n"
    between = inner.replace("\n", newline).encode()
    if part is not None:
        edits = []
        if dict(part.options) != {k: v for k, v in (options or {}).items() if v}:
            old = doc.data[part.start : part.inner[0]]
            edits.append(Edit(part.start, old, opening + doc.newline))
        old = doc.data[slice(*part.inner)]
        if old != between:
            edits.append(Edit(part.inner[0], old, between))
        return tuple(edits)
    closing = f"<!-- /studiolo:{name} -->".encode()
    lines = opening + doc.newline + between + closing + doc.newline
    data = doc.data
    if data.endswith((b"\n\n", b"\n\r\n")) or not data:
        gap = b""
    else:
        gap = doc.newline if data.endswith(b"\n") else doc.newline * 2
    return (Edit(len(data), b"", gap + lines),)


def _marks(data: bytes, root: Block) -> Iterator[tuple[Block, bool, str, Mapping[str, str]]]:
    """Yield the marks among the outermost blocks: whether each closes, its name and its options."""
    for block in root.children:
        if block.kind == "comment" and (
            match := _MARK.fullmatch(data, block.content[0][0], block.end)
        ):
            words = (word.partition("=") for word in match[3].decode().split())
            yield block, bool(match[1]), match[2].decode(), {key: value for key, _, value in words}
