"""A change that was asked for and not made yet, and how it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import ImmutableMultiDict

from studiolo.errors import StudioloError
from studiolo.library import Change, Library, Plan, carry_out, undo

from .room import says
from .shelf import Gone, Moment, Shelf


Fields = ImmutableMultiDict[str, Any]


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a reader asked for, as far as it is decided.

    Attributes:
        title: what it is, as a heading.
        plan: what it would change; None where something is missing, or nothing would change.
        why: one sentence where there is no plan.
        undoing: the change that is taken back, where that is what the plan does.
        about: values for the form of the verb.
        wrong: whether it was refused; `why` says why.
    """

    title: str
    plan: Plan | None = None
    why: str = ""
    undoing: Change | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    wrong: bool = False

    @property
    def digest(self) -> str:
        """Differs where another change would be made, or to another list."""
        if self.plan is None:
            return ""
        plan, hasher = self.plan, hashlib.sha256()
        for document in (plan.before, plan.after):
            hasher.update(document.data if document else b"")
            hasher.update(str(document.path if document else "").encode("utf-8", "surrogateescape"))
        beside = (plan.keeping, plan.passing, plan.refusing, plan.collecting, plan.relating)
        told = (self.undoing.id if self.undoing else "", plan.what, beside)
        hasher.update(repr(told).encode("utf-8", "surrogateescape"))
        return hasher.hexdigest()[:24]


Verb = Callable[[Moment, Fields], Proposed]


def tried(
    title: str,
    make: Callable[[], Plan | None],
    about: Mapping[str, Any] | None = None,
    nothing: str = "",
) -> Proposed:
    """Return what `make` plans; where it is refused, why, with the form as it is.

    Args:
        nothing: what to say where nothing would change.
    """
    try:
        plan = make()
    except Gone:
        raise
    except StudioloError as error:
        return Proposed(title, why=says(error), about=about or {}, wrong=True)
    return Proposed(title, plan, "" if plan else nothing, about=about or {})


def make(shelf: Shelf, moment: Moment, proposed: Proposed) -> Change:
    """Make what was proposed, and look at the library again.

    Raises:
        StaleEdit: a list was changed a moment ago; nothing is written.
        FileError: a file cannot be written.
    """
    assert proposed.plan is not None
    library = Library(moment.library.folder)
    if proposed.undoing is not None:
        made = undo(library, proposed.undoing)
    else:
        made = carry_out(library, proposed.plan)
    if proposed.plan.after is not None:
        shelf.adopt(proposed.plan.after)
    shelf.moment(fresh=True)
    return made


def typed_tags(text: str) -> tuple[str, ...]:
    """Return the tags that somebody typed, each once: with commas, so that `machine learning` is one, else with blanks."""
    apart = text.split(",") if "," in text else text.split()
    words = (" ".join(word.split()).lstrip("#") for word in apart)
    return tuple(dict.fromkeys(filter(None, words)))
