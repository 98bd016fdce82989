"""What can be done to a list, each as exact edits: insert, annotate, move.

Every function returns edits of the document it was given and changes nothing; `studiolo.lists.edits.edited`
makes and checks them, `studiolo.files` writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studiolo.errors import ListError

from .blocks import Block
from .document import Document, find_section
from .edits import Edit, line_at
from .entry import Entry
from .rows import annotate_row, insert_row, move_row
from .sections import Section
from .states import BOX
from .style import Item, Style, head_of, learn


SectionName = str | tuple[str, ...] | Section


def insert(doc: Document, item: Item, section: SectionName) -> tuple[Edit, ...]:
    """Return the edits that put `item` at the end of `section`, written as its neighbours are.

    Raises:
        UsageError: there is no such section, or more than one.
    """
    place = find_section(doc, section)
    if not place.items and place.table is not None:
        return (insert_row(doc, item, place.table),)
    sibling = place.items[-1] if place.items else _any_item(doc)
    style = _style(doc, place.items, item) or _style(doc, doc.item_blocks, item)
    text = (style or Style()).write(item)
    prefix = _prefix(doc, place.items, sibling)
    newline = doc.newline.decode()
    lines = [prefix + text]
    indent = re.match(r"[ \t]*", prefix)
    child = (indent[0] if indent else "") + (_child_prefix(doc, sibling) if sibling else "  * ")
    lines += [child + " ".join(note.split()) for note in item.notes]
    return (_put(doc, place, newline.join(lines).encode()),)


def annotate(doc: Document, entry: Entry, text: str) -> tuple[Edit, ...]:
    """Return the edits that write `text` below `entry`: a nested item, or into a table's column of notes.

    Raises:
        ListError: the entry is a row of a table without such a column, or stands in a quotation.
    """
    words = " ".join(text.split())
    block = doc.block_of(entry)
    if block.kind == "row":
        return annotate_row(doc, entry, block, words)
    refuse_quoted(doc, entry, block)
    nested = [child for child in block.children if child.kind == "item"]
    data = doc.data
    if nested and data[nested[-1].start : nested[-1].marker_at].strip() == b"":
        prefix = data[nested[-1].start : nested[-1].text_at].decode()
        if nested[-1].marker[:-1].isdigit():
            prefix = prefix.replace(
                nested[-1].marker[:-1].decode(), str(int(nested[-1].marker[:-1]) + 1)
            )
    else:
        indent = data[block.start : block.marker_at].decode()
        prefix = indent + _child_prefix(doc, block)
    return (line_at(doc, block.end, (prefix + words).encode()),)


def move(doc: Document, entry: Entry, section: SectionName) -> tuple[Edit, ...]:
    """Return the edits that move `entry`, its bytes as they are, to the end of `section`.

    Raises:
        UsageError: there is no such section, or more than one.
        ListError: the entry is a row and the section has no table of the same columns.
    """
    place = find_section(doc, section)
    block = doc.block_of(entry)
    if block.kind == "row":
        return move_row(doc, entry, block, place)
    refuse_quoted(doc, entry, block)
    if block in place.items and place.items[-1] is block:
        return ()
    return (*cut(doc, block), _put(doc, place, own_text(doc, block)))


def own_text(doc: Document, block: Block) -> bytes:
    """Return the lines of an item without its own indent and without a final newline."""
    data = doc.data
    text = data[block.start : block.end].rstrip(b"\r\n")
    indent = data[block.start : block.marker_at]
    if not indent:
        return text
    lines = text.split(b"\n")
    return b"\n".join(
        line[len(indent) :] if line.startswith(indent) else line.lstrip(b" \t") for line in lines
    )


def cut(doc: Document, block: Block) -> tuple[Edit, ...]:
    """Return the edits that take an item out, with the blank lines that set it apart from the next."""
    data = doc.data
    start, end = block.start, block.end
    after = re.compile(rb"(?:[ \t]*\r?\n)*").match(data, end)
    stop = after.end() if after else end
    before = data[:start]
    opens = start == 0 or re.search(rb"(?:^|\n)[ \t]*\r?\n$", before[-200:]) is not None
    if opens and stop > end and stop < len(data):
        end = stop
    elif opens and stop >= len(data):
        lead = re.search(rb"\n((?:[ \t]*\r?\n)+)$", before[-200:])
        start -= len(lead[1]) if lead else 0
    return (Edit(start, data[start:end], b""),)


def refuse_quoted(doc: Document, entry: Entry, block: Block) -> None:
    """Raise ListError where an entry is no item, or stands behind marks that a new line would need too."""
    if block.kind != "item":
        raise ListError(
            f"{entry.title!r} (line {entry.line}) is a paragraph or HTML, not an item of a list, so it is not edited there."
        )
    if block.inside("quote") or doc.data[block.start : block.marker_at].strip():
        raise ListError(
            f"{entry.title!r} (line {entry.line}) stands in a quotation or behind another marker on its line. "
            "Edit it by hand."
        )


def _any_item(doc: Document) -> Block | None:
    return next(
        (block for block in doc.item_blocks if block.kind == "item" and not block.inside("item")),
        None,
    )


def _style(doc: Document, items: Sequence[Block], item: Item) -> Style | None:
    """Return the style among those of `items` that says most of `item`; the nearest to the end of equal ones."""
    best: Style | None = None
    for block in reversed(items[-40:]):
        entry = doc.entry_at(block) if block.kind == "item" else None
        style = learn(doc.data, entry, block) if entry else None
        if style is not None and (best is None or style.says(item) > best.says(item)):
            best = style
    return best


def _prefix(doc: Document, siblings: list[Block], sibling: Block | None) -> str:
    """Return indent, marker, spaces and an empty check box as `siblings` have them."""
    if sibling is None:
        return "* "
    data = doc.data
    prefix = data[sibling.start : sibling.text_at].decode()
    if sibling.children == []:
        prefix = prefix.rstrip() + " "
    number = sibling.marker[:-1]
    if number.isdigit() and siblings:
        before = siblings[-2].marker[:-1] if len(siblings) > 1 else b""
        step = 0 if before == number else 1
        prefix = prefix.replace(number.decode(), str(int(number) + step), 1)
    head = head_of(sibling)
    if head is not None and BOX.match(data, head.content[0][0]):
        prefix += "[ ] "
    return prefix


def _child_prefix(doc: Document, parent: Block) -> str:
    """Return indent (from the parent's own), marker and space of a nested item, as the list has them."""
    data = doc.data
    for block in doc.item_blocks:
        for child in block.children[:8]:
            if child.kind != "item" or child.marker[:-1].isdigit() or child.line == block.line:
                continue
            own = data[block.start : block.marker_at]
            prefix = data[child.start : child.text_at]
            if block.width == parent.width and prefix.startswith(own) and not own.strip():
                return prefix[len(own) :].decode()
            break
    own_columns = len(data[parent.start : parent.marker_at].expandtabs(4))
    marker = parent.marker.decode() if not parent.marker[:-1].isdigit() else "-"
    width = parent.width - (0 if own_columns >= parent.width else own_columns)
    if parent.parent is not None and parent.parent.kind == "item":
        width = parent.width
    return " " * max(width, 2) + marker + " "


def _put(doc: Document, place: Section, text: bytes) -> Edit:
    """Return the edit that puts an item's text at the end of a section."""
    data, newline = doc.data, doc.newline
    items = place.items
    if items:
        last = items[-1]
        between = data[items[-2].end : last.start] if len(items) > 1 else b""
        return line_at(doc, last.end, text, gap=b"" if between.strip() else between)
    at = place.end
    if at > 0 and data[at - 1 : at] != b"\n":
        return Edit(at, b"", newline * 2 + text)
    set_apart = not data[at:].strip() or data.startswith((b"\n", b"\r\n"), at)
    return Edit(at, b"", newline + text + newline + (b"" if set_apart else newline))
