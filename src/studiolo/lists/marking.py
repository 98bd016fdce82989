"""How a list is made to show what was read: by a box, a cell, a mark, or another heading."""

from __future__ import annotations

import re
from collections import Counter

from .blocks import Block
from .document import Document
from .edits import Edit
from .entry import Entry, State
from .operations import cut, move, own_text, refuse_quoted
from .rows import mark_row
from .sections import Section
from .states import (
    BOX,
    KEYWORD_IN,
    KEYWORDS,
    READ,
    READ_MARKS,
    READING,
    READING_MARKS,
    STATE_BOXES,
    TO_READ,
    state_of_heading,
)
from .style import head_of


def mark(doc: Document, entry: Entry, state: State) -> tuple[Edit, ...] | None:
    """Return the edits that make the list show `state` for `entry`, or None where it shows no states.

    A check box is ticked, a cell of a column "Read?" filled, a mark such as ✅ set as other entries carry
    it, and below a heading such as "# To Review" the entry moves to the same place below "# Read", which is
    made if there is none yet. Whatever shows the state already is left alone.
    """
    if entry.state == state:
        return ()
    block = doc.block_of(entry)
    if block.kind == "row":
        return mark_row(doc, block, state)
    head = head_of(block)
    if head is not None and (box := BOX.match(doc.data, head.content[0][0])):
        return (Edit(box.start(1), box[1], STATE_BOXES[state]),)
    if any(e.state_by == "mark" for e in doc.entries) and head is not None:
        return _mark_emoji(doc, head, state)
    if head is not None and entry.state_by == "keyword":
        line = doc.data[slice(*head.content[0])]
        word = KEYWORD_IN.search(line)
        return (
            (Edit(head.content[0][0] + word.start(), word[0], KEYWORDS[state]),) if word else None
        )
    if block.kind == "item" and any(state_of_heading(text) for text in entry.section):
        return _mark_section(doc, entry, block, state)
    return None


def _mark_emoji(doc: Document, head: Block, state: State) -> tuple[Edit, ...]:
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


def _mark_section(
    doc: Document, entry: Entry, block: Block, state: State
) -> tuple[Edit, ...] | None:
    refuse_quoted(doc, entry, block)
    home = doc.section_of(entry)
    rest: list[
        Section
    ] = []  # the sections between the one that shows the state and the entry, outermost first
    while home.above is not None and not state_of_heading(home.path[-1]):
        rest.insert(0, home)
        home = home.above
    roots = [
        section
        for section in doc.sections
        if section.path
        and section.above is home.above
        and state_of_heading(section.path[-1]) == state
    ]
    if not roots and state != READ:
        return None
    texts = [*([] if roots else ["Read"]), *(section.path[-1] for section in rest)]
    levels = [*([] if roots else [home.level]), *(section.level for section in rest)]
    have = roots[0] if roots else None
    while have is not None and texts and (below := _below(doc, have, texts[0])):
        have, texts, levels = below, texts[1:], levels[1:]
    if have is not None and not texts:
        return move(doc, entry, have)
    if roots and roots[0].items and not any(s.above is roots[0] for s in doc.sections):
        return move(doc, entry, roots[0])  # the reader keeps what was read in one flat list
    headings = [_heading(doc, home, *one) for one in zip(texts, levels, strict=True)]
    newline = doc.newline
    text = (newline * 2).join([*headings, own_text(doc, block)])
    at = _extent(doc, have or home)
    data = doc.data
    if at > 0 and data[at - 1 : at] != b"\n":
        new = newline * 2 + text
    else:
        new = newline + text + newline
        if data[at:].strip() and not re.match(rb"[ \t]*\r?\n", data[at:]):
            new += newline
    if block.start < at <= block.end:
        return _in_place(doc, block, new)
    return (*cut(doc, block), Edit(at, b"", new))


def _below(doc: Document, outer: Section, text: str) -> Section | None:
    return next((s for s in doc.sections if s.above is outer and s.path[-1] == text), None)


def _in_place(doc: Document, block: Block, new: bytes) -> tuple[Edit, ...]:
    """Replace an item that is the last thing of its section by the headings and itself."""
    if doc.data[: block.start].endswith((b"\n\n", b"\n\r\n")):
        new = new.lstrip(b"\r\n")
    return (Edit(block.start, doc.data[block.start : block.end], new),)


def _heading(doc: Document, like: Section, text: str, level: int) -> bytes:
    if doc.data[like.start : like.body].lstrip(b" ").startswith(b"#") or level > 2:
        return b"#" * max(level, 1) + b" " + text.encode()
    return text.encode() + doc.newline + (b"=" if level == 1 else b"-") * max(len(text), 3)


def _extent(doc: Document, outer: Section) -> int:
    """Return where the last thing below `outer` ends."""
    every = doc.sections
    last = outer
    for section in every[every.index(outer) + 1 :]:
        if section.level <= outer.level:
            break
        last = section
    return last.end
