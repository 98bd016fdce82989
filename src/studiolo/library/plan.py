"""A plan: what an action would change. Nothing of it is written until `history.carry_out`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from studiolo.lists import Document, Edit
from studiolo.sources import SavedItem

from .edges import Edge
from .reading import Kept


class Naming(NamedTuple):
    """The cite key that a reader chose for a work, and the one it had before, or ''."""

    work: str
    name: str
    before: str


@dataclass(frozen=True, slots=True)
class Page:
    """A file that a plan writes whole.

    Attributes:
        before: what it holds; None where it is made.
        after: what it is to hold; None where it is taken away.
    """

    path: Path
    before: bytes | None
    after: bytes | None

    def diff(self, context: int = 2) -> list[str]:
        """Return the lines of a unified diff, without file names."""
        return _diff(self.before or b"", self.after or b"", context)


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that was checked and not made yet.

    Attributes:
        what: in words, for the reader who wants to take it back: `note on FNet`.
        before, after: the list, where the plan changes one.
        edits: what makes the one from the other.
        keeping: what is kept beside the lists in the same step.
        passing: names of pending things that are passed over.
        collecting: saved things that the library of the list does not have yet: what their sources gave goes with them.
        refusing: keys that the reader says no to.
        relating: what the reader says of two keys.
        naming: cite keys that the reader chose.
        reason: why it goes where it goes, one sentence; empty where the reader said so.
        section: the headings it goes under.
        done: what to say to the reader once it is made.
        pages: further files that are written in the same step.
    """

    what: str
    before: Document | None = None
    after: Document | None = None
    edits: tuple[Edit, ...] = ()
    keeping: tuple[Kept, ...] = ()
    passing: tuple[str, ...] = ()
    refusing: tuple[str, ...] = ()
    collecting: tuple[SavedItem, ...] = ()
    relating: tuple[Edge, ...] = ()
    naming: tuple[Naming, ...] = ()
    reason: str = ""
    section: tuple[str, ...] = ()
    done: str = ""
    pages: tuple[Page, ...] = ()

    @property
    def path(self) -> Path | None:
        """The list that is written, if one is."""
        return self.before.path if self.before is not None and self.edits else None

    def diff(self, context: int = 2) -> list[str]:
        """Return the lines of a unified diff of the list, without its file names."""
        old, new = (document.data if document else b"" for document in (self.before, self.after))
        return _diff(old, new, context)


def _diff(old: bytes, new: bytes, context: int) -> list[str]:
    before, after = (data.decode("utf-8", "replace").splitlines() for data in (old, new))
    return list(difflib.unified_diff(before, after, lineterm="", n=context))[2:]


def joined(first: Plan, second: Plan) -> Plan:
    """Return two plans as one that is made, and taken back, as a whole; `second` begins where `first` ends."""
    before, after = first.before, second.after if second.edits else first.after
    assert before is not None
    assert after is not None
    edit = difference(before.data, after.data)
    return replace(
        second,
        what=first.what or second.what,
        before=before,
        after=after,
        edits=(edit,) if edit else (),
        keeping=(*first.keeping, *second.keeping),
        passing=(*first.passing, *second.passing),
        section=first.section or second.section,
        reason=first.reason or second.reason,
    )


def difference(old: bytes, new: bytes) -> Edit | None:
    """Return the one edit that makes `new` of `old`, by whole lines where that can be; None where they are equal."""
    if old == new:
        return None
    first = _num_alike(old, new)
    line = old.rfind(b"\n", 0, first) + 1
    grown = len(new) - len(old)
    if grown > 0 and old[line:] == new[line + grown :]:
        return Edit(line, b"", new[line : line + grown])
    common = _num_alike(old[first:], new[first:], at_end=True)
    return Edit(first, old[first : len(old) - common], new[first : len(new) - common])


def _num_alike(old: bytes, new: bytes, *, at_end: bool = False) -> int:
    """Return how many bytes at the beginning of both, or at their end, are the same; by halves, as bytes compare fast."""
    least, most = 0, min(len(old), len(new))
    while least < most:
        count = (least + most + 1) // 2
        if at_end:
            same = old[len(old) - count :] == new[len(new) - count :]
        else:
            same = old[:count] == new[:count]
        least, most = (count, most) if same else (least, count - 1)
    return least
