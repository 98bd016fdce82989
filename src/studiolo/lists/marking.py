"""How a list is made to show what was read: by a box, a cell, a mark, or another heading."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from studiolo.errors import ListError

from .blocks import Block
from .document import Document
from .edits import Edit
from .elements import State
from .entry import Entry
from .operations import cut, move, moved_text, refuse_quoted
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

    Raises:
        ListError: the list cannot show it: the entry stands in a quotation, or below a heading that says otherwise.
    """
    if entry.state == state:
        return ()
    block = doc.block_of(entry)
    if block.kind == "row":
        return mark_row(doc, block, state)
    if block.kind != "item":
        return None
    head = head_of(block)
    if head is not None and (box := BOX.match(doc.data, head.content[0][0])):
        return (Edit(box.start(1), box[1], STATE_BOXES[state]),)
    if head is not None and (entry.state_by == "mark" or _shows_marks(doc)):
        return _mark_emoji(doc, entry, block, head, state)
    if head is not None and entry.state_by == "keyword":
        line = doc.data[slice(*head.content[0])]
        word = KEYWORD_IN.search(line)
        return (
            (Edit(head.content[0][0] + word.start(), word[0], KEYWORDS[state]),) if word else None
        )
    if entry.state_by == "section":
        return _mark_section(doc, entry, block, state)
    return None


def _shows_marks(doc: Document) -> bool:
    """Whether works of a list carry marks; a picture in what is not a work, such as a list of features, is none."""
    return any(entry.state_by == "mark" and entry.key is not None for entry in doc.entries)


_MARKS = tuple(mark.encode() for mark in (*READ_MARKS, *READING_MARKS))


def _mark_emoji(
    doc: Document, entry: Entry, block: Block, head: Block, state: State
) -> tuple[Edit, ...] | None:
    used = Counter(
        mark
        for other in doc.entries
        if other.state_by == "mark"
        for mark in _MARKS
        if mark in other.text.encode()
    )
    wanted = {READ: READ_MARKS, READING: READING_MARKS, TO_READ: ()}[state]
    fallback = wanted[0].encode() if wanted else b""
    mark = next((m for m, _ in used.most_common() if m.decode() in wanted), fallback)
    for edit in _places_of_mark(doc, head, mark, own=entry.state_by == "mark"):
        if _shown(doc, block, edit) in ((state,) if mark else (state, None)):
            return (edit,)
    return () if state == TO_READ and entry.state_by != "mark" else None


def _places_of_mark(doc: Document, head: Block, mark: bytes, *, own: bool) -> Iterator[Edit]:
    """Yield the edits that may set a mark: in the place of the item's own, else where the others have theirs."""
    data = doc.data
    start, end = head.content[0][0], head.content[-1][1]
    if own:
        found = list(re.finditer(b"|".join(_MARKS), data[start:end]))
        for match in (*found[:1], *found[:0:-1]):
            at, old = start + match.start(), match[0]
            if mark:
                yield Edit(at, old, mark)
            elif data.startswith(b" ", at + len(old)):
                yield Edit(at, old + b" ", b"")
            else:
                lead = b" " if data[at - 1 : at] == b" " and at > start else b""
                yield Edit(at - len(lead), lead + old, b"")
        return
    if not mark:
        return
    heads = [h for e in doc.entries if e.state_by == "mark" and (h := head_of(doc.block_of(e)))]
    leading = sum(data[h.content[0][0] : h.content[0][1]].startswith(_MARKS) for h in heads)
    first = Edit(start, b"", mark + b" ")
    last = Edit(start + len(data[start:end].rstrip()), b"", b" " + mark)
    yield from (first, last) if leading * 2 >= len(heads) else (last, first)


def _shown(doc: Document, block: Block, edit: Edit) -> State | None:
    """Return the state that an item shows once an edit is made."""
    text = doc.data[block.start : edit.start] + edit.new + doc.data[edit.end : block.end]
    indent = len(doc.data[block.start : block.marker_at])
    entries = Document(text[indent:]).entries
    return entries[0].state if entries else None


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
        if (entry.state, state) == (TO_READ, READING):
            return None
        wanted = "To Read" if state == TO_READ else "Reading"
        raise ListError(
            f"{entry.title!r} (line {entry.line}) stands below {home.path[-1]!r}, and the list has no heading for what is "
            f"{state}. Write one, such as `# {wanted}`, and try again."
        )
    texts = [*([] if roots else ["Read"]), *(section.path[-1] for section in rest)]
    levels = [*([] if roots else [home.level]), *(section.level for section in rest)]
    have = roots[0] if roots else None
    while have is not None and texts and (below := _below(doc, have, texts[0])):
        have, texts, levels = below, texts[1:], levels[1:]
    if have is not None and not texts:
        return move(doc, entry, have)
    if roots and roots[0].items and not any(s.above is roots[0] for s in doc.sections):
        return move(doc, entry, roots[0])  # the reader keeps what was read in one flat list
    headings = [heading_like(doc, home, *one) for one in zip(texts, levels, strict=True)]
    newline = doc.newline
    text = (newline * 2).join([*headings, moved_text(doc, entry, block, [])])
    at = extent_of(doc, have or home)
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


def without_emptied(
    doc: Document, entry: Entry, edits: tuple[Edit, ...], made: Callable[[], Collection[bytes]]
) -> tuple[Edit, ...]:
    """Return the edits that move an entry, and take out with it the headings that it would leave with nothing below.

    Args:
        made: gives the headings that may go, as they are written; a person's never do.
    """
    block = doc.block_of(entry)
    gone = next(
        (edit for edit in edits if not edit.new and edit.start <= block.start < edit.end), None
    )
    home = doc.section_of(entry)
    if gone is None or not _holds_only(doc, home, block, []):
        return edits
    written, data, start = made(), doc.data, block.start
    top: Section | None = home
    inner: list[Section] = []
    while (
        top is not None
        and top.path
        and data[top.start : top.body].strip() in written
        and [section.path for section in doc.sections].count(top.path) == 1
        and _holds_only(doc, top, block, inner)
    ):
        start = top.start
        inner.append(top)
        top = top.above
    others = [edit for edit in edits if edit is not gone]
    if not inner or any(start < edit.end and edit.start < block.end for edit in others):
        return edits
    blank = re.search(rb"(?<=\n)\r?\n\Z", data[max(0, start - 3) : start])
    start -= len(blank[0]) if blank else 0  # it was written with them
    return (Edit(start, data[start : block.end], b""), *others)


def _holds_only(doc: Document, section: Section, block: Block, inner: Sequence[Section]) -> bool:
    """Whether nothing stands below a heading but one block and some sections; comments may stay behind."""
    blocks = [one for one in section.blocks if one.kind != "comment" and one is not block]
    return not blocks and all(one in inner for one in doc.sections if one.above is section)


def _below(doc: Document, outer: Section, text: str) -> Section | None:
    return next((s for s in doc.sections if s.above is outer and s.path[-1] == text), None)


def _in_place(doc: Document, block: Block, new: bytes) -> tuple[Edit, ...]:
    """Replace an item that is the last thing of its section by the headings and itself."""
    if doc.data[: block.start].endswith((b"\n\n", b"\n\r\n")):
        new = new.lstrip(b"\r\n")
    return (Edit(block.start, doc.data[block.start : block.end], new),)


def heading_like(doc: Document, like: Section, text: str, level: int) -> bytes:
    """Return a heading of a level, written as that of another section."""
    if doc.data[like.start : like.body].lstrip(b" ").startswith(b"#") or level > 2:
        return b"#" * max(level, 1) + b" " + text.encode()
    return text.encode() + doc.newline + (b"=" if level == 1 else b"-") * max(len(text), 3)


def extent_of(doc: Document, outer: Section) -> int:
    """Return where the last thing below `outer` ends."""
    every = doc.sections
    last = outer
    for section in every[every.index(outer) + 1 :]:
        if section.level <= outer.level:
            break
        last = section
    return last.end
