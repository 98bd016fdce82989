"""Changes from the page: each is shown as the exact bytes that it changes, confirmed by a POST, and can be taken back.

Nothing here decides what a change is: `library.desk` does, for pages as for commands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from starlette.datastructures import FormData, ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import Response

from studiolo.errors import StudioloError, UsageError
from studiolo.library import (
    Change,
    Library,
    Listed,
    Plan,
    called,
    carry_out,
    desk,
    diff_of_kept,
    plan_undo,
    sections_of,
    tag,
    tags_of,
    undo,
)
from studiolo.lists import STATES, State

from .guard import FIELD
from .room import go, local, page, room_of, says
from .shelf import Gone, Moment, Shelf


Fields = ImmutableMultiDict[str, Any]
OURS = frozenset({FIELD, "seen", "back", "did"})  # fields of a form that are none of the verb's
LONGEST = 20_000  # letters of a field


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


def show(request: Request) -> Response:
    """Show a change before it is made, or the form that says what it would be."""
    verb = _verb(request.path_params["verb"])
    moment = room_of(request).shelf.moment(fresh=True)
    back = local(
        request.query_params.get("back")
        or request.headers.get("referer", "").partition(request.url.netloc)[2]
    )
    return _shown(request, moment, request.query_params, verb, back)  # fmt: skip


def change(request: Request, form: FormData) -> Response:
    """Make a change that was shown, if it still is the one that was; else show what it is now."""
    name = request.path_params["verb"]
    verb, shelf, back = _verb(name), room_of(request).shelf, local(str(form.get("back", "")))
    with shelf.writing:
        moment = shelf.moment(fresh=True)
        proposed = _proposed(verb, moment, form)
        if proposed.plan is None or proposed.digest != form.get("seen"):
            why = "The library was changed since this was shown. Nothing was written yet: this is the change now."
            return _shown(request, moment, form, verb, back, status=409, why=why)
        made = make(shelf, moment, proposed)
    return go(_after(back, name, moment), did=made.id if proposed.undoing is None else None)


def _after(back: str, name: str, moment: Moment) -> str:
    """Return where to go: back, unless the entry that the page was about is gone."""
    return "/" if name == "remove" and not back.startswith(("/list/", "/find")) else back


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


def _verb(name: str) -> Verb:
    if name not in VERBS:
        raise UsageError(f"There is no change {name!r}.")
    return VERBS[name]


def _proposed(verb: Verb, moment: Moment, fields: Fields) -> Proposed:
    for name, value in fields.multi_items():
        if not isinstance(value, str) or len(value) > LONGEST:
            raise UsageError(
                f"The field {name[:40]!r} is longer than {LONGEST:,} letters, or a file."
            )
    return verb(moment, fields)


def _shown(
    request: Request, moment: Moment, fields: Fields, verb: Verb, back: str, *, status: int = 200, why: str = ""
) -> Response:  # fmt: skip
    proposed = _proposed(verb, moment, fields)
    status = 422 if proposed.wrong and status == 200 else status
    plan = proposed.plan
    return page(
        request,
        "change.html.j2",
        status=status,
        moment=moment,
        proposed=proposed,
        verb=request.path_params["verb"],
        fields=[(n, v) for n, v in fields.multi_items() if n not in OURS],
        ask=lambda name: fields.get(name, ""),
        asked_all=fields.getlist,
        back=back,
        warning=why,
        diff=plan.diff() if plan else [],
        beside=diff_of_kept(moment.library.folder, plan.keeping) if plan else [],
        file=moment.library.relative(plan.path) if plan and plan.path else "",
    )  # fmt: skip


# What can be changed of an entry.


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


def _listed(moment: Moment, fields: Fields) -> Listed:
    return moment.listed(fields.get("e", ""))


def _state(moment: Moment, fields: Fields) -> Proposed:
    listed = _listed(moment, fields)
    title, to, about = f"Mark {called(listed.entry)}", fields.get("to", ""), {"states": STATES}
    if not to:
        return Proposed(title, about=about)
    state = cast(State, to)  # the desk refuses what is none
    return tried(f"{title} as {to}", lambda: desk.mark(moment.library, listed, state), about)


def _note(moment: Moment, fields: Fields) -> Proposed:
    listed = _listed(moment, fields)
    about = {"is_row": listed.document.block_of(listed.entry).kind == "row"}
    title, text, below = f"Note on {called(listed.entry)}", fields.get("text", ""), bool(fields.get("below"))  # fmt: skip
    if not text.strip():
        return Proposed(title, about=about)
    return tried(title, lambda: desk.note(moment.library, listed, text, below=below), about)


def _tag(moment: Moment, fields: Fields) -> Proposed:
    listed = _listed(moment, fields)
    title = f"Tags of {called(listed.entry)}"
    about = {"have": tags_of(listed.entry, moment.sayings.kept)}
    words = fields.get("add", "").replace(",", " ").split()
    add = [word.lstrip("#") for word in words if word.lstrip("#")]
    remove = [word for word in fields.getlist("remove") if word]
    if not add and not remove:
        return Proposed(title, about=about)
    nothing = "It has these tags already."
    return tried(title, lambda: tag(moment.library, listed, add, remove), about, nothing)


def _move(moment: Moment, fields: Fields) -> Proposed:
    listed = _listed(moment, fields)
    places = [" > ".join(section.path) for section in sections_of(listed.document)]
    now = " > ".join(listed.entry.section)
    about = {"places": [place for place in places if place != now]}
    title, section = f"Move {called(listed.entry)}", fields.get("section", "")
    if not section:
        return Proposed(title, about=about)
    below = bool(fields.get("below"))
    nothing = "It is already there."
    return tried(
        title, lambda: desk.move(moment.library, listed, section, below=below), about, nothing
    )


def _remove(moment: Moment, fields: Fields) -> Proposed:
    listed = _listed(moment, fields)
    title = f"Take {called(listed.entry)} off the list"
    return tried(title, lambda: desk.remove(moment.library, listed))


def _undo(moment: Moment, fields: Fields) -> Proposed:
    try:
        made, plan = plan_undo(moment.library)
    except StudioloError as error:
        return Proposed("Undo", why=says(error), wrong=True)
    keeping = tuple(one for one in made.kept_before.values() if one)
    about = {
        "at": made.at,
        "beside": sorted(map(str, made.kept_before)),
        "names": (*made.passed, *made.refused),
    }
    return Proposed(f"Take back: {made.what}", replace(plan, keeping=()), undoing=made, about={**about, "kept": keeping})  # fmt: skip


VERBS: dict[str, Verb] = {
    "state": _state,
    "note": _note,
    "tag": _tag,
    "move": _move,
    "remove": _remove,
    "undo": _undo,
}
