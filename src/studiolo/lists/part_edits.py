"""The parts that Studiolo writes in a page: found, written, and left out; see `parts`."""

from __future__ import annotations

from collections.abc import Mapping

from studiolo.errors import ListError

from .document import Document
from .edits import Edit
from .parts import MAYBE, Part, marks, parts_in
from .scanner import scan


def outside_parts(doc: Document) -> bytes:
    """Return the bytes of a document without its parts: what a person wrote."""
    out, at = [], 0
    for part in parts_in(doc.data, scan(doc.data)) if MAYBE in doc.data else ():
        out.append(doc.data[at : part.start])
        at = part.end
    return b"".join((*out, doc.data[at:]))


def part_of(doc: Document, name: str) -> Part | None:
    """Return the part of a document called `name`, None where it has none.

    Raises:
        ListError: it has several, or one that is not closed; says where.
    """
    root = scan(doc.data)
    found = [part for part in parts_in(doc.data, root) if part.name == name]
    closed = {part.line for part in found}
    where = doc.path or "The page"
    for block, closes, called, _ in marks(doc.data, root):
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
