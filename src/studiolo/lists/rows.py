"""Entries that are rows of a table: their cells, found by what the columns are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from studiolo.errors import ListError
from studiolo.keys import find_mention

from .blocks import Block
from .columns import Role, columns_of
from .document import Document
from .edits import Edit, apply_edits, line_at
from .elements import State
from .entry import Entry
from .forms import LOOKED_AT, counted, less_and_less, ranked, reads_as
from .learning import learn
from .links import Run, find_links
from .sections import Section
from .states import READ, READING, TO_READ, state_of_cell
from .style import Item, destination, escape
from .template import SHAPE_URL, Template
from .words import plain_with_links, plain_words


# where there is no column of the one, the other is read and written for it
_INSTEAD: dict[Role, Role] = {"year": "date", "notes": "about"}
_NUMBERS = ("", "#", "no", "nr", "num", "number", "id", "index", "序号", "编号", "№")
_TITLED = ("title", "name", "url", None)  # roles of columns, or none, that a title may stand in
_MEASURED = re.compile(rf"\W*\d*\.\d{{1,3}}\W*\({SHAPE_URL}\)\W*")  # a figure that links its source
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
    read = [(row, entry) for row in reversed(rows) if (entry := doc.entry_at(row))]
    mention = find_mention(item.url)
    paper = mention is not None and mention.key.names_paper
    alike = [one for one in read if one[1].key and (one[1].key.names_paper or not paper)]
    if not alike and not any(entry.key for _, entry in read):
        alike = read
    cells = [_learnt_cells(doc, row, entry) for row, entry in alike[:LOOKED_AT]]
    last = [_learnt_cells(doc, row, entry) for row, entry in read[:4]] if alike else []
    linked = [{i: form for i, form in row.items() if "url" not in form.roles} for row in cells]
    for form in (cells, linked, []):
        for said in less_and_less(item):
            values, roles = _values(doc, table, form, said, last if form else (), cells)
            line = _as_row(data, table, values)
            text = head + (b"" if head.endswith(b"\n") else doc.newline) + line + b"\n"
            if reads_as(Document(text).entries, said, roles):
                return line_at(doc, table.end, line)
    raise ListError(
        f"{item.title!r} would not read back as its own title in this table, so nothing was written. "
        "Add it by hand."
    )


_Cells = dict[int, Template]


def _learnt_cells(doc: Document, row: Block, entry: Entry) -> _Cells:
    """Return the forms of the cells of a row that say something of its work, by column."""
    definitions = doc.contents.definitions
    found = (
        (i, learn(doc.data[a:b], entry, whole=False, definitions=definitions))
        for i, (a, b) in enumerate(row.content)
    )
    return {
        i: form for i, form in found if form is not None and not _MEASURED.fullmatch(form.shape)
    }


def _values(
    doc: Document,
    table: Block,
    rows: Sequence[_Cells],
    item: Item,
    last: Sequence[_Cells],
    like: Sequence[_Cells],
) -> tuple[list[str], set[str]]:
    """Return the cells of a new row, and which of `item` they say.

    Args:
        rows: the forms of the cells of rows like it, the last first.
        last: those of the last rows whatever they are, which a number follows.
        like: those of rows like it, whether they are to be followed or not.
    """
    columns = _columns(doc, table)
    values, roles = _learnt_values(doc, table, rows, item, last)
    if not {"title", "url"} <= roles:
        values, roles = [""] * len(values), {"title", "url"}
        titled = _title_column(columns, len(values), like)
        values[titled] = f"[{escape(item.title)}]({destination(item.url)})"
    said: dict[Role, str] = {
        "name": escape(item.name or ""),
        "year": str(item.year or ""),
        "authors": escape(", ".join(item.authors)),
        "notes": "; ".join(_COMMENT.sub("&lt;", " ".join(note.split())) for note in item.notes),
    }
    for role, text in said.items():
        column = columns.get(role, columns.get(_INSTEAD.get(role, role), len(values)))
        if column < len(values) and not values[column] and role not in roles:
            if role == "year" and text and _says_otherwise(doc, table, column):
                continue
            values[column] = text
            roles.add(role)
    for column, value in enumerate(values):
        if not value:
            values[column] = _filler(doc, table, column, column == columns.get("state"))
    return values, roles


def _learnt_values(
    doc: Document, table: Block, rows: Sequence[_Cells], item: Item, last: Sequence[_Cells]
) -> tuple[list[str], set[str]]:
    """Return the cells of a new row as far as other rows show how to write them, and which of `item` they say."""
    headings = _headings(doc, table)
    meant = {column: role for role, column in _columns(doc, table).items()}
    values, roles = [""] * len(headings), set[str]()
    found = Counter((role, column) for row in rows for column in row for role in row[column].roles)
    most = {role: max(n for (one, _), n in found.items() if one == role) for role, _ in found}
    linked = Counter(column for row in rows for column in row if "url" in row[column].roles)
    for column in sorted(range(len(values)), key=lambda column: (-linked[column], column)):
        templates = [
            row[column]
            for row in rows
            if column in row and ("title" not in row[column].roles or meant.get(column) in _TITLED)
        ]
        own = [x for x in templates if all(found[r, column] * 2 >= most[r] for r in x.roles)]
        templates = own or templates
        if not templates:
            continue
        best = ranked(templates, item)[0]
        above = [row[column] for row in last if column in row]
        if best.roles == ("number",) and not _counts(above, headings[column]):
            continue  # stars, pages: no number of the row
        fresh = _fresh(best, meant.get(column), roles, item)
        if fresh == {"venue"} or (len(templates) * 2 >= len(rows) and fresh):
            values[column] = counted(best.write(item), above)
            roles |= fresh
    return values, roles


def _fresh(form: Template, meant: Role | None, roles: set[str], item: Item) -> set[str]:
    """Return what a cell in this form, in a column that is `meant` for a role, says beside `roles`."""
    if form.roles == ("name",) and meant == "name" and item.name:
        return {"name"}  # it may be in the link as well
    if form.roles == ("year",) and meant in ("year", "date", "venue"):
        return {"year"}  # whatever else has it
    fresh: set[str] = {role for role in form.roles if role not in roles}
    if "url" in form.roles and not fresh - {"venue"} and "title" not in form.roles:
        return {"url"}  # a second link to the same paper
    return fresh


def _title_column(columns: Mapping[Role, int], width: int, like: Sequence[_Cells]) -> int:
    """Return where a title goes that no row shows how to write: its column, else where most rows have it."""
    others = Counter(
        column
        for row in like
        for column, form in row.items()
        if "title" in form.roles and column not in columns.values()
    )
    if "title" not in columns and others:
        return others.most_common(1)[0][0]
    unnamed = next((i for i in range(width) if i not in columns.values()), 0)
    return columns.get("title", columns.get("name", unnamed))


def _says_otherwise(doc: Document, table: Block, column: int) -> bool:
    """Whether most of the last cells of a column that have a figure have no year in four digits: 09/27, 25.04.10."""
    cells = [
        text
        for row in table.children[1:][-LOOKED_AT:]
        if column < len(row.content)
        and re.search(
            r"\d", text := doc.data[slice(*row.content[column])].decode("utf-8", "replace")
        )
    ]
    return sum(bool(re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)) for text in cells) * 2 < len(
        cells
    )


def _counts(templates: Sequence[Template], heading: str) -> bool:
    """Whether the numbers of a column, the last first, number the rows."""
    numbers = [template.number or 0 for template in templates[:4]]
    by_one = all(one - other == 1 for one, other in pairwise(numbers))
    return by_one and (len(numbers) > 2 or heading.strip(" .") in _NUMBERS)


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


def annotate_row(
    doc: Document, entry: Entry, row: Block, notes: Sequence[str], *, below: bool = False
) -> tuple[Edit, ...]:
    """Return the edits that write notes into the column of notes; where there is none and `below`, below the table.

    Raises:
        ListError: there is none, and they may not go below; or they would not read back.
    """
    found = cell_of(doc, row, "notes", "about")
    if found is None:
        if below and row.parent is not None:
            return (_below_table(doc, row.parent, entry, notes),)
        raise ListError(
            f"{entry.title!r} (line {entry.line}) is a row of a table that has no column for notes."
        )
    start, end, _ = found
    words = "; ".join(_COMMENT.sub("&lt;", note) for note in notes)
    cell = (words + "\\" * (words.endswith("\\"))).replace("|", "\\|").encode()
    edit = Edit(end, b"", b"; " + cell) if start < end else fill(doc, start, end, cell)
    assert row.parent is not None
    table = row.parent
    read = _in_table(apply_edits(doc.data[: table.end], [edit]), table, row)
    before = _in_table(doc.data[: table.end], table, row)
    said = plain_words(words.encode()) if not find_links(words.encode(), {}) else ""
    heard = (
        []
        if read is None
        else [note.text for note in read.notes] + [q.text for q in read.questions]
    )
    if (
        read is None
        or before is None
        or (read.title, read.key) != (entry.title, before.key)  # more words make a link another's
        or not any(text.endswith(said) for text in heard)
    ):
        raise ListError(
            f"This note would not read back in the row of {entry.title!r} (line {entry.line}), so nothing was "
            "written. Write it by hand."
        )
    return (edit,)


def _in_table(data: bytes, table: Block, row: Block) -> Entry | None:
    """Return what a row says, read in its table alone."""
    entries = Document(data[table.start :]).entries
    return next((e for e in entries if e.span[0] == row.start - table.start), None)


def _below_table(doc: Document, table: Block, entry: Entry, notes: Sequence[str]) -> Edit:
    """Return the edit that writes notes as a paragraph of its own below a table: `Title: a note; another`."""
    newline = doc.newline
    text = escape(entry.title).encode() + b": " + "; ".join(notes).encode()
    data, at = doc.data, table.end
    lead = b"" if data[at - 1 : at] == b"\n" else newline
    last = not data[at:].strip()
    apart = data.startswith((b"\n", b"\r\n"), at)
    return Edit(at, b"", lead + newline + text + newline + (b"" if last or apart else newline))


def move_row(
    doc: Document, entry: Entry, row: Block, place: Section, *, below: bool | None = None
) -> tuple[Edit, ...]:
    """Return the edits that move a row below the last of the section's table, its cells in the columns of that.

    Args:
        below: what to do with cells for which that table has no column: write them below it, or leave them out.
            None refuses.

    Raises:
        ListError: the section has no table, or none that has a column for everything; or the row would read otherwise.
    """
    data = doc.data
    source, target = row.parent, place.table
    if target is source:
        return ()
    if target is None or source is None:
        raise ListError(
            f"{entry.title!r} (line {entry.line}) is a row of a table, and {str(place)!r} has no table. "
            "Move it by hand."
        )
    cut = Edit(row.start, data[row.start : row.end], b"")
    if _headings(doc, source) == _headings(doc, target):
        text = data[row.start : row.end].rstrip(b"\r\n")
        return (cut, line_at(doc, target.end, text))
    values, left = _moved_cells(doc, row, source, target)
    if left and below is None:
        raise ListError(
            f"{entry.title!r} (line {entry.line}) is a row of a table, and {str(place)!r} has no table "
            f"with the same columns: there is none for {' and '.join(left)}. Move it by hand."
        )
    line = _as_row(data, target, values)
    head = data[target.start : target.children[1].start if target.children[1:] else target.end]
    text = head + (b"" if head.endswith(b"\n") else doc.newline) + line + b"\n"
    now = Document(text).entries
    if not now or (now[-1].title, now[-1].key) != (entry.title, entry.key):
        raise ListError(
            f"{entry.title!r} (line {entry.line}) is a row of a table, and {str(place)!r} has no table "
            "with the same columns. Move it by hand."
        )
    added = line_at(doc, target.end, line)
    if not (left and below):
        return (cut, added)
    note = _below_table(doc, target, entry, left)
    return (
        cut,
        Edit(
            added.start,
            b"",
            added.new + note.new.removeprefix(doc.newline * (not added.new.endswith(b"\n"))),
        ),
    )


def notes_left(item: Item, edits: Sequence[Edit]) -> tuple[str, ...]:
    """Return the notes of an item that `edits` do not write, because its table has no column for them."""
    written = b"".join(edit.new for edit in edits).decode().replace("\\", "")
    plain = ((note, " ".join(note.split()).replace("<!--", "&lt;!--")) for note in item.notes)
    return tuple(note for note, words in plain if words.replace("\\", "") not in written)


def left_out(doc: Document, entry: Entry, place: Section) -> tuple[str, ...]:
    """Return the cells of a row, each as `Heading: words`, for which the table of a section has no column."""
    row = doc.block_of(entry)
    if row.kind != "row" or row.parent is None or place.table is None or place.table is row.parent:
        return ()
    return tuple(_moved_cells(doc, row, row.parent, place.table)[1])


def _moved_cells(
    doc: Document, row: Block, source: Block, target: Block
) -> tuple[list[str], list[str]]:
    """Return the cells of a row in the columns of another table, and what that has no column for."""
    texts = [doc.data[a:b].decode("utf-8", "replace").replace("\\|", "|") for a, b in row.content]
    headings, wanted = _headings(doc, source), _headings(doc, target)
    roles = {column: role for role, column in _columns(doc, source).items()}
    columns = _columns(doc, target)
    values = [""] * len(wanted)
    left: list[str] = []
    for i, text in enumerate(texts):
        if not text or _NOTHING.fullmatch(text):
            continue
        role = roles.get(i)
        to = (
            wanted.index(headings[i])
            if headings[i] in wanted
            else columns.get(role, -1)
            if role
            else -1
        )
        if to >= 0 and not values[to]:
            values[to] = text
        elif not (headings[i].strip(" .") in _NUMBERS and text.strip("[]().").isdigit()):
            shown = _shown_headings(doc, source)[i]
            left.append(f"{shown}: {text}")
    for column, value in enumerate(values):
        if not value:
            shows_state = column == columns.get("state")
            values[column] = _filler(doc, target, column, shows_state=shows_state)
    return values, left


def _shown_headings(doc: Document, table: Block) -> list[str]:
    return [plain_words(doc.data[a:b]) for a, b in table.children[0].content]


def _headings(doc: Document, table: Block) -> list[str]:
    return [heading.casefold() for heading in _shown_headings(doc, table)]


def mark_row(doc: Document, row: Block, state: State) -> tuple[Edit, ...] | None:
    """Return the edits that make a cell show `state`, as other rows do, or None where no column shows states."""
    found = cell_of(doc, row, "state")
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
    return (fill(doc, start, end, new),)


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


def cell_of(doc: Document, row: Block, *alike: Role) -> tuple[int, int, int] | None:
    """Return (start, end, column) of the cell of `row` in the first of the roles `alike` that its table has."""
    assert row.parent is not None
    columns = _columns(doc, row.parent)
    column = next((columns[role] for role in alike if role in columns), len(row.content))
    return (*row.content[column], column) if column < len(row.content) else None


def fill(doc: Document, start: int, end: int, new: bytes) -> Edit:
    """Return the edit that puts `new` into a cell; an empty one keeps its width where that is enough."""
    data = doc.data
    if start < end or not new:
        return Edit(start, data[start:end], new)
    left = max(data.rfind(b"|", 0, start), data.rfind(b"\n", 0, start)) + 1
    spaces = data[left:start]
    room = len(spaces) - 1 - len(new.decode("utf-8", "replace"))
    return Edit(left, spaces, b" " + new + b" " * max(1, room))
