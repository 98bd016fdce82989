"""What can be done to a list, each as exact edits: insert, annotate, move.

Every function returns edits of the document it was given and changes nothing; `studiolo.lists.edits.edited`
makes and checks them, `studiolo.files` writes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from studiolo.errors import ListError

from .blocks import Block
from .document import Document, find_section
from .edits import Edit, line_at, said_by
from .entry import Entry
from .forms import reads_as, written
from .links import Run, find_links
from .rows import annotate_row, insert_row, move_row
from .sections import Section
from .states import BOX
from .style import Item, address, escape_start, head_of, note_lines
from .texts import Text


SectionName = str | tuple[str, ...] | Section


def insert(doc: Document, item: Item, section: SectionName) -> tuple[Edit, ...]:
    """Return the edits that put `item` at the end of `section`, written as its neighbours are.

    Raises:
        UsageError: there is no such section, or more than one.
        ListError: written so it would not read back as itself.
    """
    place = find_section(doc, section)
    item = replace(item, url=address(item.url))
    table = place.table
    if table is not None and len(table.children) > len(place.items):
        return (insert_row(doc, item, table),)
    sibling = place.items[-1] if place.items else _any_item(doc)
    prefix = _prefix(doc, place.items, sibling)
    text = _written(doc, place, item, prefix)
    child = _child_prefix(doc, sibling) if sibling else "  * "
    indent = _indent(child)
    lacking = _width(prefix) - len(indent.expandtabs(4))  # behind a longer number
    child = _indent(prefix) + indent + " " * lacking + child.removeprefix(indent)
    notes = [escape_start(" ".join(note.split())) for note in item.notes]
    lines = "\n".join([prefix + text, *(child + note for note in notes)])
    bare, entry = (Document(f"{text}\n".encode()).entries[0] for text in (prefix + text, lines))
    if not _only_noted(bare, entry, notes):
        raise ListError(
            f"The notes on {item.title!r} would not read back, so nothing was written. Add it without them, "
            "and write them by hand."
        )
    return (_put(doc, place, lines.replace("\n", doc.newline.decode()).encode()),)


def _written(doc: Document, place: Section, item: Item, prefix: str) -> str:
    """Return the text of `item` in the form of most of its neighbours in which it reads back as itself.

    Raises:
        ListError: there is none.
    """
    habits = doc.entries[0].habits if doc.entries else None
    for text, said, roles in written(doc, place.items, item, _width(prefix)):
        text = text.replace("\n", "\n" + _indent(prefix))
        if reads_as(Document(f"{prefix}{text}\n".encode(), habits=habits).entries, said, roles):
            return text
    raise ListError(
        f"{item.title!r} would not read back as its own title in this list, so nothing was written. Add it by hand, or give it another title."
    )


def annotate(doc: Document, entry: Entry, text: str, *, below: bool = False) -> tuple[Edit, ...]:
    """Return the edits that write `text` below `entry`: nested items, or into a table's column of notes.

    Paragraphs and items of the text are one note each. What would begin a block is escaped.

    Args:
        below: write the note on a row whose table has no column of notes below the table.

    Raises:
        ListError: the entry is a row of a table without such a column, or stands in a quotation; or the note would not
            read back.
    """
    notes = [escape_start(note) for note in note_lines(text)]
    block = doc.block_of(entry)
    if block.kind == "row":
        return annotate_row(doc, entry, block, notes, below=below)
    refuse_quoted(doc, entry, block)
    nested = [child for child in block.children if child.kind == "item"]
    data = doc.data
    if nested and data[nested[-1].start : nested[-1].marker_at].strip() == b"":
        prefix = data[nested[-1].start : nested[-1].text_at].decode()
        number = nested[-1].marker[:-1]
        if number.isdigit():
            same = len(nested) > 1 and nested[-2].marker == nested[-1].marker
            step = 0 if same else 1
            prefixes = [
                prefix.replace(number.decode(), str(int(number) + step * (i + 1)), 1)
                for i in range(len(notes))
            ]
        else:
            prefixes = [prefix] * len(notes)
    else:
        indent = data[block.start : block.marker_at].decode()
        prefixes = [indent + _child_prefix(doc, block)] * len(notes)
    lines = [(prefix + note).encode() for prefix, note in zip(prefixes, notes, strict=True)]
    edit = line_at(doc, block.end, doc.newline.join(lines))
    _refuse_unread(doc, entry, block, edit, notes)
    return (edit,)


def _refuse_unread(
    doc: Document, entry: Entry, block: Block, edit: Edit, notes: Sequence[str]
) -> None:
    """Raise ListError unless the notes that an edit writes below an entry are read there."""
    top = block
    while top.parent is not None and top.parent.kind != "document":
        top = top.parent
    text = doc.data[top.start : edit.start] + edit.new + doc.data[edit.start : top.end]
    at = block.start - top.start
    now = next((e for e in Document(text).entries if e.span[0] == at), None)
    if now is None or not _only_noted(entry, now, notes):
        raise ListError(
            f"This note would not read back below {entry.title!r} (line {entry.line}), so nothing was written. "
            "Write it by hand."
        )


def _only_noted(before: Entry, now: Entry, notes: Sequence[str]) -> bool:
    """Whether notes are read below an entry and change nothing else, unless they say so: `Year: 2017`."""
    told = any(re.match(r"\w+\s?[:：]", note) for note in notes)
    same = (before.title, before.name) == (now.title, now.name)
    facts = (before.authors, before.year) == (now.authors, now.year)
    return same and (facts or told) and all(_is_said(note, now) for note in notes)


def _is_said(note: str, entry: Entry) -> bool:
    """Whether a line of Markdown is read as a note of an entry, a question, an answer, or as links alone."""
    data = note.encode()
    text = Text(Run(data, [(0, len(data))]), find_links(data, {}), 1)
    words = text.words()
    asked = [said for q in entry.questions for said in (q.text, q.answer) if said]
    return (
        any(words == said.text for said in entry.notes)
        or any(words.endswith(said) for said in asked)
        or (text.only_links() and {p.url for p in text.pieces} <= {x.url for x in entry.links})
    )


def move(
    doc: Document, entry: Entry, section: SectionName, *, below: bool | None = None
) -> tuple[Edit, ...]:
    """Return the edits that move `entry` to the end of `section`, with everything nested in it.

    Its words stay as they are; indent, marker and number become those of its new neighbours. The numbers of the items
    that it leaves stay as well, since others may name them. A row goes into the columns of the section's table.

    Args:
        below: what to do with the cells of a row that the section's table has no column for: write them below the table,
            or leave them out. None refuses.

    Raises:
        UsageError: there is no such section, or more than one.
        ListError: the entry is a row and the section has no table for it; or it would read otherwise there.
    """
    place = find_section(doc, section)
    block = doc.block_of(entry)
    if block.kind == "row":
        return move_row(doc, entry, block, place, below=below)
    refuse_quoted(doc, entry, block)
    if block in place.items and place.items[-1] is block:
        return ()
    items = [item for item in place.items if item is not block]
    return (*cut(doc, block), _put(doc, place, moved_text(doc, entry, block, items)))


def moved_text(doc: Document, entry: Entry, block: Block, items: list[Block]) -> bytes:
    """Return the lines of an item as they stand behind `items`, without a final newline.

    Raises:
        ListError: the item would read otherwise there.
    """
    data = doc.data
    text = _without_indent(doc, block)
    old = data[block.marker_at : block.text_at]
    if items:
        new = _prefix(doc, items, items[-1], boxed=False).encode()
    elif block.marker[:-1].isdigit():
        new = old.replace(block.marker[:-1], b"1", 1)
    else:
        new = old
    if not block.children:
        return new.rstrip() + text[len(block.marker) :]
    first, *rest = text.split(b"\n")
    width, wider = len(new.expandtabs(4)), len(new.expandtabs(4)) - len(old.expandtabs(4))
    depths = [len(re.match(rb"[ \t]*", line.expandtabs(4))[0]) for line in rest if line.strip()]  # type: ignore[index]
    if depths and not width <= min(depths) < width + 4:
        rest = [_shifted(line, wider) for line in rest]
    moved = b"\n".join([new + first[len(old) :], *rest])
    alone = Document(moved + b"\n").entries
    if not alone or said_by(alone[0]) != said_by(entry):
        raise ListError(
            f"{entry.title!r} (line {entry.line}) would read otherwise there, so nothing was written. "
            "Move it by hand."
        )
    return moved


def _shifted(line: bytes, columns: int) -> bytes:
    if not line.strip():
        return line
    if columns > 0:
        return b" " * columns + line
    spaces = len(line) - len(line.lstrip(b" "))
    return line[min(spaces, -columns) :]


def _without_indent(doc: Document, block: Block) -> bytes:
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
    """Raise ListError where an entry is not an item, or stands behind marks that a new line would need too."""
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
    blocks = (block for block in doc.item_blocks if block.kind == "item")
    return next((block for block in blocks if not block.inside("item")), None)


def _indent(prefix: str) -> str:
    return prefix[: len(prefix) - len(prefix.lstrip())]


def _width(prefix: str) -> int:
    """Return how many columns a marker and its blanks take; a tab leads to the next fourth."""
    return len(prefix.removesuffix("[ ] ").expandtabs(4)) - len(_indent(prefix).expandtabs(4))


def _prefix(
    doc: Document, siblings: list[Block], sibling: Block | None, *, boxed: bool = True
) -> str:
    """Return indent, marker, spaces and an empty check box as `siblings` have them."""
    if sibling is None:
        return "* "
    data = doc.data
    prefix = data[sibling.start : sibling.text_at].decode()
    if sibling.children == []:
        prefix = prefix.rstrip() + " "
    number = sibling.marker[:-1]
    if number.isdigit() and siblings:
        prefix = prefix.replace(number.decode(), str(_next_number(data, siblings)), 1)
    head = head_of(sibling)
    if boxed and head is not None and BOX.match(data, head.content[0][0]):
        prefix += "[ ] "
    return prefix


def _next_number(data: bytes, siblings: list[Block]) -> int:
    """Return the number behind the last of some numbered items: the next, or the same where all have one."""
    last = int(siblings[-1].marker[:-1])
    if len(siblings) < 2 or not siblings[-2].marker[:-1].isdigit():
        return last + 1
    if data[siblings[-2].end : siblings[-1].start].strip():
        return last + 1  # another list
    step = last - int(siblings[-2].marker[:-1])
    return max(last + (step if step in (-1, 0) else 1), 0)


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
        if _would_run_on(doc, items[-1]):
            text += newline
        return line_at(doc, items[-1].end, text, gap=newline * _gap(data, items))
    at = place.end
    if at > 0 and data[at - 1 : at] != b"\n":
        return Edit(at, b"", newline * 2 + text)
    set_apart = not data[at:].strip() or data.startswith((b"\n", b"\r\n"), at)
    return Edit(at, b"", newline + text + newline + (b"" if set_apart else newline))


def _would_run_on(doc: Document, item: Block) -> bool:
    """Whether the line behind an item, which is not of it, would be of a new item in between: `- ` and a paragraph."""
    block = item
    while block.parent is not None:
        behind = next((b for b in block.parent.children if b.start >= item.end), None)
        if behind is not None:
            return behind.start == item.end and (
                behind.kind in ("paragraph", "table", "html", "code", "definition")
                or (behind.kind == "heading" and not doc.data.startswith(b"#", behind.start))
            )
        block = block.parent
    return False


def _gap(data: bytes, items: Sequence[Block]) -> int:
    """Return how many blank lines stand between most of the last items; of two alike the fewer."""
    gaps = Counter(
        between.count(b"\n")
        for one, other in pairwise(items[-20:])
        if not (between := data[one.end : other.start]).strip()
    )
    return min(gaps, key=lambda lines: (-gaps[lines], lines)) if gaps else 0
