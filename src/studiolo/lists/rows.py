"""Entries that are rows of a table: their cells, found by what the columns are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from studiolo.errors import ListError

from .blocks import Block
from .columns import Role, columns_of
from .document import Document
from .edits import Edit, line_at
from .entry import Entry, State
from .forms import LOOKED_AT, counted, less_and_less, ranked, reads_as
from .links import Run, find_links
from .sections import Section
from .states import READ, READING, TO_READ, state_of_cell
from .style import Item, destination, escape
from .template import Template, learn
from .words import plain_with_links


# where there is no column of the one, the other is read and written for it
_INSTEAD: dict[Role, Role] = {"year": "date", "notes": "about"}
_TITLED = ("title", "name", "url", None)  # roles of columns, or none, that a title may stand in
_NOTHING = re.compile(r"[-–—✗✘❌?]+|n/?a|none|无|tb[ad]", re.IGNORECASE)
_COMMENT = re.compile(r"(?<!\\)<(?=!--)")


def insert_row(doc: Document, item: Item, table: Block) -> Edit:
    """Return the edit that adds a row: each value in the column that its neighbours have it in, in their form.

    Raises:
        ListError: written so it would not read back as itself.
    """
    data = doc.data
    rows = table.children[1:]
    head = data[table.start : rows[0].start if rows else table.end]
    cells = [
        _learnt_cells(data, row, entry)
        for row in reversed(rows[-LOOKED_AT:])
        if (entry := doc.entry_at(row))
    ]
    for form in (cells, []):
        for said in less_and_less(item):
            values, roles = _values(doc, table, form, said)
            line = _as_row(data, table, values)
            text = head + (b"" if head.endswith(b"\n") else doc.newline) + line + b"\n"
            if reads_as(Document(text).entries, said, roles):
                return line_at(doc, table.end, line)
    raise ListError(
        f"{item.title!r} would not read back as its own title in this table, so nothing was written. "
        "Add it by hand."
    )


_Cells = dict[int, Template]


def _learnt_cells(data: bytes, row: Block, entry: Entry) -> _Cells:
    """Return the forms of the cells of a row that say something of its work, by column."""
    found = ((i, learn(data[a:b], entry, whole=False)) for i, (a, b) in enumerate(row.content))
    return {i: template for i, template in found if template is not None}


def _values(
    doc: Document, table: Block, rows: Sequence[_Cells], item: Item
) -> tuple[list[str], set[str]]:
    """Return the cells of a new row, and which of `item` they say."""
    columns = _columns(doc, table)
    width = len(table.children[0].content)
    values = [""] * width
    roles: set[str] = set()
    said: dict[Role, str] = {
        "name": escape(item.name or ""),
        "year": str(item.year or ""),
        "authors": escape(", ".join(item.authors)),
        "notes": "; ".join(_COMMENT.sub("&lt;", " ".join(note.split())) for note in item.notes),
    }
    meant = {column: role for role, column in columns.items()}
    linked = [column for row in rows for column in row if "url" in row[column].roles]
    order = sorted(range(width), key=lambda column: (-linked.count(column), column))
    for column in order:
        templates = [
            row[column]
            for row in rows
            if column in row and ("title" not in row[column].roles or meant.get(column) in _TITLED)
        ]
        if not templates:
            continue
        best = ranked(templates, item)[0]
        fresh = {role for role in best.roles if role not in roles}
        if fresh == {"venue"} or (len(templates) * 2 >= len(rows) and fresh):
            values[column] = counted(best.write(item), templates)
            roles |= fresh
    if not {"title", "url"} <= roles:
        values, roles = [""] * width, set()
        unnamed = [i for i in range(width) if i not in columns.values()]
        titled = columns.get("title", columns.get("name", (unnamed or [0])[0]))
        values[titled] = f"[{escape(item.title)}]({destination(item.url)})"
        roles |= {"title", "url"}
    for role, text in said.items():
        column = columns.get(role, columns.get(_INSTEAD.get(role, role), width))
        if column < width and not values[column] and role not in roles:
            values[column] = text
            roles.add(role)
    state = columns.get("state")
    for column in range(width):
        if not values[column]:
            values[column] = _filler(doc, table, column, column == state)
    return values, roles


def _filler(doc: Document, table: Block, column: int, shows_state: bool) -> str:
    """Return what the rows of a table have where they say nothing: a dash, `no`, or nothing."""
    cells = [
        doc.data[slice(*row.content[column])].decode("utf-8", "replace")
        for row in table.children[1:]
        if column < len(row.content)
    ]
    nothing = [
        cell
        for cell in cells
        if (state_of_cell(cell) == TO_READ if shows_state else _NOTHING.fullmatch(cell))
    ]
    return Counter(nothing).most_common(1)[0][0] if nothing else ""


def _as_row(data: bytes, table: Block, values: Sequence[str]) -> bytes:
    """Return a line with the cells `values`, with bars, spaces and widths as the row above has them."""
    like = table.children[-1]
    line = data[like.start : like.end].strip()
    cells = [value.replace("\n", "<br>").replace("|", "\\|") for value in values]
    opened = line.startswith(b"|") or not cells[0]  # an empty cell at an end needs a bar to be one
    closed = (line.endswith(b"|") and not line.endswith(b"\\|")) or not cells[-1]
    tight = b"| " not in line and b" |" not in line
    space = "" if tight else " "
    widths = _widths(data, table)
    text = "|".join(
        f"{space}{cell}{space}".ljust(width) for cell, width in zip(cells, widths, strict=True)
    )
    text = ("|" if opened else "") + (text if opened else text.lstrip()) + ("|" if closed else "")
    indent = re.match(rb"[ \t]*", data[like.start : like.end])
    return (indent[0] if indent else b"") + (text if closed else text.rstrip()).encode()


def _widths(data: bytes, table: Block) -> list[int]:
    """Return the width of each column of a table that is drawn in straight columns, else zeros."""
    width = len(table.children[0].content)
    rows = []
    for row in table.children[-3:]:
        line = data[row.start : row.end].decode("utf-8", "replace").strip()
        pieces = [
            len(piece) for piece in re.split(r"(?<!\\)\|", line.removeprefix("|").removesuffix("|"))
        ]
        rows.append(pieces)
    straight = len(rows) > 2 and all(row == rows[0] for row in rows) and len(rows[0]) == width
    return rows[0] if straight else [0] * width


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
    default = {READ: _opposite(doc, row.parent, column), READING: "⏳", TO_READ: ""}[state]
    new = (shown.most_common(1)[0][0] if shown else default).encode()
    return (_fill(doc, start, end, new),)


_OPPOSITES = {
    "no": "yes", "No": "Yes", "NO": "YES", "n": "y", "N": "Y", "unread": "read", "Unread": "Read", "false": "true",
    "False": "True", "0": "1", "[ ]": "[x]", "todo": "done", "Todo": "Done", "TODO": "DONE", "0%": "100%",
}  # fmt: skip


def _opposite(doc: Document, table: Block, column: int) -> str:
    """Return what says `read` in a column in which nothing is read yet: the opposite of what it has, else ✅."""
    return _OPPOSITES.get(_filler(doc, table, column, shows_state=True), "✅")


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
