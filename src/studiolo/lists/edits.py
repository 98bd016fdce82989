"""Exact edits: replace these bytes, at this place, by those, and nothing else.

An edit knows the bytes that it expects to replace. If they are not there any more it is refused, so that
nothing that somebody wrote in the meantime is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studiolo.errors import ListError, StaleEdit

from .document import Document
from .entry import Entry


_MERGE = [re.compile(form, re.MULTILINE) for form in (rb"^<{7} ", rb"^={7}\r?$", rb"^>{7} ")]


def merged_at(data: bytes) -> int:
    """Return the line at which both sides of a merge begin that git could not make, 0 where there is none."""
    first = at = -1
    for form in _MERGE:
        found = form.search(data, at + 1)
        if found is None:
            return 0
        at = found.start()
        first = at if first < 0 else first
    return data.count(b"\n", 0, first) + 1


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `old`, which lies at `start`, by `new`; byte offsets of the document before all edits."""

    start: int
    old: bytes
    new: bytes

    @property
    def end(self) -> int:
        """Where the old bytes end."""
        return self.start + len(self.old)


def apply_edits(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return `data` with all `edits` made; insertions at one place keep their order.

    Raises:
        StaleEdit: the expected bytes are not there; says where, what was expected and what is there.
        ListError: two edits overlap.
    """
    out: list[bytes] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise ListError(
                f"Two edits overlap at byte {edit.start}. Make them one after the other."
            )
        found = data[edit.start : edit.end]
        if found != edit.old or edit.start > len(data):
            line = data.count(b"\n", 0, edit.start) + 1
            raise StaleEdit(
                f"Line {line} no longer reads {_shown(edit.old)} but {_shown(found)}. "
                "Nothing was changed: read the list again."
            )
        out += (data[at : edit.start], edit.new)
        at = edit.end
    out.append(data[at:])
    return b"".join(out)


def inverse(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Return the edits that undo `edits` in the document they made."""
    undone: list[Edit] = []
    shift = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        undone.append(Edit(edit.start + shift, edit.new, edit.old))
        shift += len(edit.new) - len(edit.old)
    return tuple(undone)


def edited(
    doc: Document, edits: Sequence[Edit], *, touched: Sequence[Entry] = (), added: int = 0
) -> Document:
    """Return `doc` with `edits` made, read again and compared: only `touched` entries may have changed.

    Args:
        touched: entries of `doc` that the edits are meant to change. Their titles stay, and what is nested in them says
            the same as before, if perhaps in another section.
        added: how many entries the edits are meant to add.

    Raises:
        ListError: the list is not UTF-8 or in the middle of a merge, or the edits would change other entries too; nothing is written.
        StaleEdit: as `apply_edits`.
    """
    if not doc.writable:
        raise ListError(
            f"{doc.path or 'The list'} is not UTF-8, so Studiolo can only show it. Convert it, for example with "
            "`iconv -f latin1 -t utf-8`, and try again."
        )
    if edits and (line := merged_at(doc.data)):
        raise ListError(
            f"{doc.path or 'The list'} has both sides of a merge that git could not make (line {line}). Keep what you "
            "want of the two, delete the lines that begin with <<<<<<<, ======= and >>>>>>>, and try again."
        )
    new = Document(apply_edits(doc.data, edits), doc.path)
    spans = [entry.span for entry in touched]
    nested = [e for e in doc.entries if any(a < e.span[0] and e.span[1] <= b for a, b in spans)]
    apart = {*spans, *(entry.span for entry in nested)}
    left, rest = _unlike([entry for entry in doc.entries if entry.span not in apart], new.entries)
    missing = _lost(_looks, left, rest)
    if added >= 0:
        missing = missing or _lost(said_by, nested, rest)  # they move along
        missing = missing or _lost(_title, touched, rest)
    if missing or len(new.entries) != len(doc.entries) + added or not new.writable:
        title = next(iter(missing))[0] if missing else None
        raise ListError(
            "This edit would change more than it should"
            + (f" (the entry {title!r})" if title else "")
            + ", so nothing was written. Make it by hand."
        )
    return new


def line_at(doc: Document, at: int, line: bytes, *, gap: bytes = b"") -> Edit:
    """Return the edit that puts `line` as a line of its own at `at`, the end of a line, with the blank lines `gap` before it."""
    if at > 0 and doc.data[at - 1 : at] != b"\n":
        return Edit(at, b"", doc.newline + gap + line)
    return Edit(at, b"", gap + line + doc.newline)


def _unlike(before: Sequence[Entry], after: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the entries of each that the other has none like made of the same: nearly all are, and need not be read for it."""
    alike: dict[tuple[object, ...], list[Entry]] = {}
    for entry in after:
        alike.setdefault(entry.made_of(), []).append(entry)
    left = []
    for entry in before:
        if same := alike.get(entry.made_of()):
            same.pop().name_as(entry)
        else:
            left.append(entry)
    return left, [entry for some in alike.values() for entry in some]


def _lost(
    seen: Callable[[Entry], tuple[object, ...]], before: Sequence[Entry], after: Sequence[Entry]
) -> Counter[tuple[object, ...]]:
    """Return what is seen of `before` and not of `after`."""
    if not before:
        return Counter()
    return Counter(map(seen, before)) - Counter(map(seen, after))


def _looks(entry: Entry) -> tuple[object, ...]:
    """Return what must stay as it is when another entry is edited."""
    return (*said_by(entry), entry.section, entry.state)


def _title(entry: Entry) -> tuple[object, ...]:
    return (entry.title,)


def said_by(entry: Entry) -> tuple[object, ...]:
    """Return what an entry says, wherever it stands."""
    return (
        entry.title,
        entry.name,
        entry.authors,
        entry.year,
        entry.keys,
        tuple(link.url for link in entry.links),
        tuple(note.text for note in entry.notes),
        tuple((question.text, question.answer) for question in entry.questions),
        entry.tags,
    )


def _shown(data: bytes) -> str:
    text = data[:60].decode("utf-8", "replace")
    return repr(text + ("…" if len(data) > 60 else ""))
