"""A plan: what an action would change. Nothing of it is written until `history.carry_out`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from studiolo.lists import Document, Edit

from .reading import Kept


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that was checked and not made yet.

    Attributes:
        what: in words, for the reader who wants to take it back: `note on FNet`.
        before, after: the list, where the plan changes one.
        edits: what makes the one from the other.
        keeping: what is kept beside the lists in the same step.
        passing: names of pending things that are passed over.
        refusing: keys that the reader says no to.
        reason: why it goes where it goes, one sentence; empty where the reader said so.
        section: the headings it goes under.
        done: what to say to the reader once it is made.
    """

    what: str
    before: Document | None = None
    after: Document | None = None
    edits: tuple[Edit, ...] = ()
    keeping: tuple[Kept, ...] = ()
    passing: tuple[str, ...] = ()
    refusing: tuple[str, ...] = ()
    reason: str = ""
    section: tuple[str, ...] = ()
    done: str = ""

    @property
    def path(self) -> Path | None:
        """The list that is written, if one is."""
        return self.before.path if self.before is not None and self.edits else None

    def diff(self, context: int = 2) -> list[str]:
        """Return the lines of a unified diff of the list, without its file names."""
        old, new = (
            document.data.decode("utf-8", "replace").splitlines() if document else []
            for document in (self.before, self.after)
        )
        return list(difflib.unified_diff(old, new, lineterm="", n=context))[2:]
