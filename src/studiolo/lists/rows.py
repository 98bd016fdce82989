"""Entries that are rows of a table: their cells, found by what the columns are called."""

from __future__ import annotations

import re
from collections import Counter

from studiolo.errors import ListError

from .blocks import Block
from .columns import Role, columns_of
from .document import Document
from .edits import Edit, line_at
from .entry import Entry, State
from .links import Run, find_links
from .sections import Section
from .states import READ, READING, TO_READ, state_of_cell
from .style import Item, destination, escape
from .words import plain_with_links


# where there is no column of the one, the other is read and written for it
_INSTEAD: dict[Role, Role] = {"year": "date", "notes": "about"}


def insert_row(doc: Document, item: Item, table: Block) -> Edit:
    """Return the edit that adds a row, the values in the columns that are called after them."""
    data = doc.data
    like = table.children[-1]
    columns = _columns(doc, table)
    width = len(table.children[0].content)
    unnamed = [i for i in range(width) if i not in columns.values()]
    titled = columns.get("title", columns.get("name", (unnamed or [0])[0]))
    said: dict[Role, str] = {
        "name": escape(item.name or ""),
        "year": str(item.year or ""),
        "authors": escape(", ".join(item.authors)),
        "notes": "; ".join(" ".join(note.split()) for note in item.notes),
    }
    values = [""] * width
    for role, text in said.items():
        column = columns.get(role, columns.get(_INSTEAD.get(role, role)))
        if column is not None:
            values[column] = text.replace("|", "\\|")
    values[titled] = f"[{escape(item.title)}]({destination(item.url)})".replace("|", "\\|")
    line = data[like.start : like.end].strip()
    opened = line.startswith(b"|") or not values[0]  # an empty cell at an end needs a bar to be one
    closed = line.endswith(b"|") or not values[-1]
    tight = b"| " not in line and b" |" not in line
    text = ("|" if tight else " | ").join(values)
    space = "" if tight else " "
    text = (f"|{space}" if opened else "") + text + (f"{space}|" if closed else "")
    indent = re.match(rb"[ \t]*", data[like.start : like.end])
    return line_at(doc, table.end, (indent[0] if indent else b"") + text.encode())


def annotate_row(doc: Document, entry: Entry, row: Block, words: str) -> tuple[Edit, ...]:
    """Return the edits that write `words` into the column of notes.

    Raises:
        ListError: there is none.
    """
    found = _cell(doc, row, "notes", "about")
    if found is None:
        raise ListError(
            f"{entry.title!r} (line {entry.line}) is a row of a table that has no column for notes."
        )
    start, end, _ = found
    cell = words.replace("|", "\\|").encode()
    return (Edit(end, b"", b"; " + cell) if start < end else _fill(doc, start, end, cell),)


def move_row(doc: Document, entry: Entry, row: Block, place: Section) -> tuple[Edit, ...]:
    """Return the edits that move a row, as it is, below the last of the section's table.

    Raises:
        ListError: the section has no table with the same columns.
    """
    data = doc.data
    source, target = row.parent, place.table
    if target is source:
        return ()
    if (
        target is None
        or source is None
        or [data[a:b].lower() for a, b in target.children[0].content]
        != [data[a:b].lower() for a, b in source.children[0].content]
    ):
        raise ListError(
            f"{entry.title!r} (line {entry.line}) is a row of a table, and {str(place)!r} has no table "
            "with the same columns. Move it by hand."
        )
    text = data[row.start : row.end].rstrip(b"\r\n")
    return (Edit(row.start, data[row.start : row.end], b""), line_at(doc, target.end, text))


def mark_row(doc: Document, row: Block, state: State) -> tuple[Edit, ...] | None:
    """Return the edits that make a cell show `state`, as other rows do, or None where no column shows states."""
    found = _cell(doc, row, "state")
    if found is None or row.parent is None:
        return None
    start, end, column = found
    shown = Counter(
        text
        for other in row.parent.children[1:]
        if column < len(other.content)
        and state_of_cell(
            text := doc.data[slice(*other.content[column])].decode("utf-8", "replace")
        )
        == state
    )
    default = {READ: "✅", READING: "⏳", TO_READ: ""}[state]
    new = (shown.most_common(1)[0][0] if shown else default).encode()
    return (_fill(doc, start, end, new),)


def _columns(doc: Document, table: Block) -> dict[Role, int]:
    """Return the columns of a table as they are read."""
    cells = [Run(doc.data, [cell]).data for cell in table.children[0].content]
    definitions = doc.contents.definitions
    return columns_of([plain_with_links(cell, find_links(cell, definitions)) for cell in cells])


def _cell(doc: Document, row: Block, *alike: Role) -> tuple[int, int, int] | None:
    """Return (start, end, column) of the cell of `row` in the first of the roles `alike` that its table has."""
    assert row.parent is not None
    columns = _columns(doc, row.parent)
    column = next((columns[role] for role in alike if role in columns), len(row.content))
    return (*row.content[column], column) if column < len(row.content) else None


def _fill(doc: Document, start: int, end: int, new: bytes) -> Edit:
    """Return the edit that puts `new` into a cell; an empty one keeps its width where that is enough."""
    data = doc.data
    if start < end or not new:
        return Edit(start, data[start:end], new)
    left = max(data.rfind(b"|", 0, start), data.rfind(b"\n", 0, start)) + 1
    spaces = data[left:start]
    room = len(spaces) - 1 - len(new.decode("utf-8", "replace"))
    return Edit(left, spaces, b" " + new + b" " * max(1, room))
