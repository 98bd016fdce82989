"""What can be done to a list, each as exact edits: insert, annotate, move, mark.

Every function returns edits of the document it was given and changes nothing; `studiolo.lists.edits.edited`
makes and checks them, `studiolo.files` writes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from studiolo.errors import ListError

from .blocks import Block
from .document import Document
from .edits import Edit
from .entry import Entry
from .sections import Section, find_section, sections
from .states import (
    BOX,
    READ,
    READ_MARKS,
    READING,
    READING_MARKS,
    STATE_BOXES,
    TO_READ,
    is_state_column,
    state_of_cell,
    state_of_heading,
)
from .style import Item, Style, escape, head_of, learn


SectionName = str | tuple[str, ...]


def insert(doc: Document, item: Item, section: SectionName) -> tuple[Edit, ...]:
    """Return the edits that put `item` at the end of `section`, written as its neighbours are.

    Raises:
        UsageError: there is no such section, or more than one.
    """
    place = find_section(doc, section)
    if not place.items and place.table is not None:
        return (_insert_row(doc, item, place.table),)
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
        found = _cell(
            doc,
            block,
            lambda heading: (
                re.fullmatch(r"(?i)notes?|comments?|remarks?|thoughts?", heading) is not None
            ),
        )
        if found is None:
            raise ListError(
                f"{entry.title!r} (line {entry.line}) is a row of a table without a column of notes."
            )
        start, end, _ = found
        cell = words.replace("|", "\\|").encode()
        if start < end:
            return (Edit(end, b"", b"; " + cell),)
        return (_fill(doc, start, end, cell),)
    _refuse_quoted(doc, entry, block)
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
    return (_line_at(doc, block.end, (prefix + words).encode()),)


def move(doc: Document, entry: Entry, section: SectionName) -> tuple[Edit, ...]:
    """Return the edits that move `entry`, its bytes as they are, to the end of `section`.

    Raises:
        UsageError: there is no such section, or more than one.
        ListError: the entry is a row and the section has no table of the same columns.
    """
    place = find_section(doc, section)
    block = doc.block_of(entry)
    if block.kind == "row":
        return _move_row(doc, entry, block, place)
    _refuse_quoted(doc, entry, block)
    if block in place.items and place.items[-1] is block:
        return ()
    return (*_cut(doc, block), _put(doc, place, _own_text(doc, block)))


def mark(doc: Document, entry: Entry, state: str) -> tuple[Edit, ...] | None:
    """Return the edits that make the list show `state` for `entry`, or None where it shows no states.

    A check box is ticked, a cell of a column "Read?" filled, a mark such as ✅ set as other entries carry
    it, and below a heading such as "# To Review" the entry moves to the same place below "# Read", which is
    made if there is none yet. Whatever shows the state already is left alone.
    """
    if entry.state == state:
        return ()
    block = doc.block_of(entry)
    if block.kind == "row":
        return _mark_cell(doc, block, state)
    head = head_of(block)
    if head is not None and (box := BOX.match(doc.data, head.content[0][0])):
        return (Edit(box.start(1), box[1], STATE_BOXES[state]),)
    if any(e.state_by == "mark" for e in doc.entries) and head is not None:
        return _mark_emoji(doc, head, state)
    if any(state_of_heading(text) for text in entry.section):
        return _mark_section(doc, entry, block, state)
    return None


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


def _own_text(doc: Document, block: Block) -> bytes:
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


def _line_at(doc: Document, at: int, line: bytes) -> Edit:
    """Return the edit that puts `line` as a line of its own at `at`, the end of a line."""
    if at > 0 and doc.data[at - 1 : at] != b"\n":
        return Edit(at, b"", doc.newline + line)
    return Edit(at, b"", line + doc.newline)


def _put(doc: Document, place: Section, text: bytes) -> Edit:
    """Return the edit that puts an item's text at the end of a section."""
    data, newline = doc.data, doc.newline
    items = place.items
    if items:
        last = items[-1]
        gap = b""
        if len(items) > 1 and not data[items[-2].end : last.start].strip():
            gap = data[items[-2].end : last.start]
        edit = _line_at(doc, last.end, text)
        if edit.new.startswith(newline) and edit.new != text + newline:
            return Edit(last.end, b"", newline + gap + text)
        return Edit(last.end, b"", gap + edit.new)
    kept = [block for block in place.blocks if block.kind != "comment"]
    at = kept[-1].end if kept else place.body
    if at > 0 and data[at - 1 : at] != b"\n":
        return Edit(at, b"", newline * 2 + text)
    after = (
        b""
        if not data[at:].strip()
        or data[at : at + 2] in (b"\r\n", newline)
        or data[at : at + 1] == b"\n"
        else newline
    )
    return Edit(at, b"", newline + text + newline + after)


def _cut(doc: Document, block: Block) -> tuple[Edit, ...]:
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


def _refuse_quoted(doc: Document, entry: Entry, block: Block) -> None:
    if block.inside("quote") or doc.data[block.start : block.marker_at].strip():
        raise ListError(
            f"{entry.title!r} (line {entry.line}) stands in a quotation or behind another marker on its line. "
            "Edit it by hand."
        )


def _mark_emoji(doc: Document, head: Block, state: str) -> tuple[Edit, ...]:
    data = doc.data
    start, end = head.content[0]
    line = data[start:end]
    marks = [m.encode() for m in (*READ_MARKS, *READING_MARKS)]
    used = Counter(
        m
        for entry in doc.entries
        if entry.state_by == "mark"
        for m in marks
        if m in entry.text.encode()
    )
    wanted = {READ: READ_MARKS, READING: READING_MARKS, TO_READ: ()}[state]
    mark_bytes = next(
        (m for m, _ in used.most_common() if m.decode() in wanted),
        wanted[0].encode() if wanted else b"",
    )
    found = next((m for m in marks if m in line), None)
    if found is not None:
        at = start + line.index(found)
        if mark_bytes:
            return (Edit(at, found, mark_bytes),)
        if data[at + len(found) : at + len(found) + 1] == b" ":
            return (Edit(at, found + b" ", b""),)
        lead = b" " if data[at - 1 : at] == b" " and at > start else b""
        return (Edit(at - len(lead), lead + found, b""),)
    if not mark_bytes:
        return ()
    heads = [h for e in doc.entries if e.state_by == "mark" and (h := head_of(doc.block_of(e)))]
    leading = sum(data[h.content[0][0] : h.content[0][1]].startswith(tuple(marks)) for h in heads)
    if leading * 2 >= len(heads):
        return (Edit(start, b"", mark_bytes + b" "),)
    return (Edit(start + len(line.rstrip()), b"", b" " + mark_bytes),)


def _mark_section(doc: Document, entry: Entry, block: Block, state: str) -> tuple[Edit, ...] | None:
    _refuse_quoted(doc, entry, block)
    depth = max(i for i, text in enumerate(entry.section) if state_of_heading(text))
    all_sections = sections(doc)
    home = next(s for s in all_sections if s.path == entry.section[: depth + 1])
    stem, rest = entry.section[:depth], entry.section[depth + 1 :]
    targets = [
        s
        for s in all_sections
        if s.path[:-1] == stem and s.path and state_of_heading(s.path[-1]) == state
    ]
    if not targets and state != READ:
        return None
    root = targets[0].path if targets else (*stem, "Read")
    wanted = (*root, *rest)
    known = {s.path: s for s in all_sections}
    if wanted in known:
        return move(doc, entry, wanted)
    if targets and targets[0].items and not any(s.path[:-1] == root for s in all_sections):
        return move(doc, entry, root)  # the reader keeps what was read in one flat list
    have = next(
        (wanted[:i] for i in range(len(wanted), len(root) - 1, -1) if wanted[:i] in known), None
    )
    levels = {s.path: s.level for s in all_sections}
    newline = doc.newline
    lines: list[bytes] = []
    for i in range(len(have) if have else depth, len(wanted)):
        level = levels.get(entry.section[: i + 1], home.level + i - depth)
        lines.append(_heading(doc, home, wanted[i], level))
    text = (newline * 2).join([*lines, _own_text(doc, block)])
    outer = known[have] if have else home
    at = _extent(doc, all_sections, outer)
    data = doc.data
    if at > 0 and data[at - 1 : at] != b"\n":
        new = newline * 2 + text
    else:
        new = newline + text + newline
        if data[at:].strip() and not re.match(rb"[ \t]*\r?\n", data[at:]):
            new += newline
    if block.start < at <= block.end:
        return _in_place(doc, block, new)
    return (*_cut(doc, block), Edit(at, b"", new))


def _in_place(doc: Document, block: Block, new: bytes) -> tuple[Edit, ...]:
    """Replace an item that is the last thing of its section by the headings and itself."""
    if doc.data[: block.start].endswith((b"\n\n", b"\n\r\n")):
        new = new.lstrip(b"\r\n")
    return (Edit(block.start, doc.data[block.start : block.end], new),)


def _heading(doc: Document, like: Section, text: str, level: int) -> bytes:
    if doc.data[like.start : like.body].lstrip(b" ").startswith(b"#") or level > 2:
        return b"#" * max(level, 1) + b" " + text.encode()
    return text.encode() + doc.newline + (b"=" if level == 1 else b"-") * max(len(text), 3)


def _extent(doc: Document, all_sections: list[Section], outer: Section) -> int:
    """Return where the last thing below `outer` ends, comments at the very end excepted."""
    last = outer
    for section in all_sections[all_sections.index(outer) + 1 :]:
        if section.level <= outer.level:
            break
        last = section
    kept = [block for block in last.blocks if block.kind != "comment"]
    return kept[-1].end if kept else last.body


def _cell(doc: Document, row: Block, wanted: Callable[[str], bool]) -> tuple[int, int, int] | None:
    """Return (start, end, column) of the cell of `row` whose heading `wanted` accepts."""
    table = row.parent
    assert table is not None
    for i, (start, end) in enumerate(table.children[0].content):
        if wanted(doc.data[start:end].decode("utf-8", "replace").strip()) and i < len(row.content):
            return (*row.content[i], i)
    return None


def _mark_cell(doc: Document, row: Block, state: str) -> tuple[Edit, ...] | None:
    found = _cell(doc, row, is_state_column)
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


def _fill(doc: Document, start: int, end: int, new: bytes) -> Edit:
    """Return the edit that puts `new` into a cell; an empty one keeps its width where that is enough."""
    data = doc.data
    if start < end or not new:
        return Edit(start, data[start:end], new)
    left = max(data.rfind(b"|", 0, start), data.rfind(b"\n", 0, start)) + 1
    spaces = data[left:start]
    room = len(spaces) - 1 - len(new.decode("utf-8", "replace"))
    return Edit(left, spaces, b" " + new + b" " * max(1, room))


def _insert_row(doc: Document, item: Item, table: Block) -> Edit:
    """Return the edit that adds a row, the values in the columns that are called after them."""
    data = doc.data
    like = table.children[-1]
    headings = [
        data[a:b].decode("utf-8", "replace").strip().lower() for a, b in table.children[0].content
    ]
    link = Style().write(item).replace("|", "\\|")
    values: list[str] = []
    titled = next(
        (
            i
            for i, h in enumerate(headings)
            if re.fullmatch(r"(?:paper |work )?(?:title|paper|papers|work|article|name)s?", h)
        ),
        0,
    )
    for i, heading in enumerate(headings):
        if i == titled:
            values.append(link)
        elif re.fullmatch(r"year|date|published", heading):
            values.append(str(item.year or ""))
        elif re.fullmatch(r"authors?|by", heading):
            values.append(escape(", ".join(item.authors)).replace("|", "\\|"))
        elif re.fullmatch(r"notes?|comments?|remarks?", heading):
            values.append("; ".join(" ".join(n.split()) for n in item.notes).replace("|", "\\|"))
        else:
            values.append("")
    line = data[like.start : like.end].strip()
    opened, closed = line.startswith(b"|"), line.endswith(b"|")
    tight = b"| " not in line and b" |" not in line
    text = ("|" if tight else " | ").join(values)
    space = "" if tight else " "
    text = (f"|{space}" if opened else "") + text + (f"{space}|" if closed else "")
    indent = re.match(rb"[ \t]*", data[like.start : like.end])
    return _line_at(doc, table.end, (indent[0] if indent else b"") + text.encode())


def _move_row(doc: Document, entry: Entry, row: Block, place: Section) -> tuple[Edit, ...]:
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
            f"{entry.title!r} (line {entry.line}) is a row of a table, and {' > '.join(place.path)!r} has no table "
            "with the same columns. Move it by hand."
        )
    text = data[row.start : row.end].rstrip(b"\r\n")
    return (Edit(row.start, data[row.start : row.end], b""), _line_at(doc, target.end, text))
