"""Changes from the page: each is shown as the exact bytes that it changes, confirmed by a POST, and can be taken back.

Nothing here decides what a change is: `library.desk` does, for pages as for commands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from studiolo.errors import StudioloError, UsageError
from studiolo.library import (
    Listed,
    called,
    desk,
    diff_of_edges,
    diff_of_kept,
    plan_undo,
    sections_of,
    tag,
    tags_of,
)
from studiolo.lists import STATES, State

from . import finding, inbox, relating
from .guard import FIELD
from .proposed import Fields, Proposed, Verb, make, tried, typed_tags
from .room import go, local, page, room_of, says
from .shelf import Moment


OURS = frozenset({FIELD, "seen", "back", "did"})  # fields of a form that are none of the verb's
LONGEST = 20_000  # letters of a field


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
        related=diff_of_edges(plan.relating) if plan else [],
        file=moment.library.relative(plan.path) if plan and plan.path else "",
    )  # fmt: skip


# What can be changed of an entry.


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
    add = typed_tags(fields.get("add", ""))
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
        "said": [edge for edge, _ in made.related],
    }
    return Proposed(f"Take back: {made.what}", replace(plan, keeping=()), undoing=made, about={**about, "kept": keeping})  # fmt: skip


VERBS: dict[str, Verb] = {
    "state": _state,
    "note": _note,
    "tag": _tag,
    "move": _move,
    "remove": _remove,
    "undo": _undo,
    "add": inbox.add,
    "pass": inbox.pass_over,
    "take": inbox.take,
    "refuse": finding.refuse,
    "same": relating.same,
    "apart": relating.apart,
}
