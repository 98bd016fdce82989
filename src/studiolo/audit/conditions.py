"""Conditions under which a change is not accepted: `class_loss > 2 points at q < 0.05`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import AuditError
from .result import Audit, Parts


What = Literal["class_loss", "group_loss", "accuracy_loss", "flips"]
FORM = re.compile(
    r"\s*(?P<what>\w+)\s*>\s*(?P<points>\d+(?:\.\d*)?|\.\d+)\s*(?:points?|pp|%)?"
    r"(?:\s+at\s+(?P<error>[pq])\s*<=?\s*(?P<level>\d+(?:\.\d*)?|\.\d+))?\s*"
)
KINDS: tuple[What, ...] = ("class_loss", "group_loss", "accuracy_loss", "flips")


@dataclass(frozen=True, slots=True)
class Condition:
    """A loss that is too much.

    Attributes:
        what: `class_loss`, `group_loss`: of any class or group, beyond the loss of the accuracy; `accuracy_loss`; `flips`.
        points: percentage points.
        level: that q (of a class or group) or p (of the accuracy) stays below; None: whatever it is.
        text: as it was written.
    """

    what: What
    points: float
    level: float | None
    text: str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition.

        Raises:
            AuditError: it does not have the form; says which.
        """
        match = FORM.fullmatch(text)
        if match is None or match["what"] not in KINDS:
            raise AuditError(
                f"{text!r} is not a condition. Write, for example, 'class_loss > 2 points at q < 0.05'; before '>' "
                f"stands one of {', '.join(KINDS)}."
            )
        what: What = match["what"]
        if match["level"] and what == "flips":
            raise AuditError(
                f"{text!r}: flips have no test; leave out 'at {match['error']} < ...'."
            )
        if match["level"] and (match["error"] == "p") != (what == "accuracy_loss"):
            raise AuditError(
                f"{text!r}: accuracy_loss is one test and has p; class_loss and group_loss are many and have q."
            )
        level = float(match["level"]) if match["level"] else None
        return cls(what, float(match["points"]), level, text.strip())

    def failures(self, audit: Audit) -> list[str]:
        """Return a sentence for everything that is too much; none: the condition is not met.

        Raises:
            AuditError: the audit cannot tell, as there are no labels or no groups; a condition never passes unseen.
        """
        if self.what == "flips":
            share = 100 * audit.flips.share
            return [f"{share:.2f} % of the answers flipped"] if share > self.points else []
        if self.what == "accuracy_loss":
            found = audit.accuracy
            if found is None:
                raise AuditError(f"{self.text!r} needs right answers: give labels.")
            loss = -100 * found.change
            met = loss > self.points and (self.level is None or found.p < self.level)
            return [f"the accuracy lost {loss:.2f} points (p = {found.p:.2g})"] if met else []
        families: list[tuple[str, Parts]] = (
            [("class", audit.classes)]
            if self.what == "class_loss" and audit.classes is not None
            else list(audit.groups.items())
            if self.what == "group_loss"
            else []
        )
        if not families or not audit.known:
            needed = "labels" if self.what == "class_loss" or not audit.known else "groups"
            raise AuditError(f"{self.text!r} cannot be judged: give {needed}.")
        return [line for name, parts in families for line in self._too_much(name, parts)]

    def _too_much(self, name: str, parts: Parts) -> list[str]:
        loss = -100 * parts.relative
        with np.errstate(invalid="ignore"):
            met = loss > self.points
            if self.level is not None:
                met &= parts.q < self.level
        return [
            f"{name} {parts.names[i]} lost {loss[i]:.2f} points more than all (q = {parts.q[i]:.2g})"
            for i in np.flatnonzero(met)
        ]
