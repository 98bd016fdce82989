"""The inbox: what was collected and is on no list yet, each thing with where it would go, why, and the exact change."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from studiolo.errors import UsageError
from studiolo.keys import address_of, find_mention
from studiolo.library import (
    Draft,
    Edge,
    Pending,
    Plan,
    Proposal,
    desk,
    plan_draft,
    references_in_inbox,
    sections_of,
)
from studiolo.lists import STATES, Document

from .exporting import exported, wanted_format
from .listing import number_of
from .proposed import Fields, Proposed, tried, typed_tags
from .room import address, page, room_of
from .shelf import Moment


PAGE = 50
MOST_AT_ONCE = 100
_MOST_LINKS = 4


def show_inbox(request: Request) -> Response:
    """Show what waits, newest first."""
    moment = room_of(request).shelf.moment()
    asked = request.query_params
    source, tag, everything = asked.get("source", ""), asked.get("tag", ""), bool(asked.get("all"))
    words = asked.get("words", "").split()
    vocabulary = moment.sayings.vocabulary
    has_tag = vocabulary.having([tag] if tag else [])
    every = moment.waiting.pending
    wanted = [
        one
        for one in every
        if (everything or one.is_paper)
        and (not source or source in one.sources)
        and has_tag(one.tags)
        and one.says(words, vocabulary)
    ]
    if wanted_format(request):
        names = {one.name for one in wanted}
        works = [w for w in references_in_inbox(moment.waiting) if str(w.key) in names]
        return exported(request, moment, works, "Inbox", "saved")
    number, pages = number_of(request), max(1, -(-len(wanted) // PAGE))
    here = wanted[(number - 1) * PAGE : number * PAGE]
    return page(
        request,
        "inbox.html.j2",
        moment=moment,
        things=here,
        untitled=[
            one.key
            for one in here
            if one.key and one.key.names_paper and one.key.kind != "url" and not one.has_title
        ],
        facts=moment.waiting.facts,
        links_of=links_of,
        count=len(wanted),
        others=sum(not one.is_paper for one in every),
        sources=Counter(name for one in every for name in one.sources).most_common(),
        tags=Counter(name for one in every for name in vocabulary.all_meant(one.tags)).most_common(
            60
        ),
        asked={"source": source, "tag": tag, "all": everything, "words": asked.get("words", "")},
        query={name: asked.get(name) for name in ("source", "tag", "all", "words")},
        number=number,
        pages=pages,
    )


def links_of(pending: Pending) -> list[tuple[str, str]]:
    """Return what a thing is and what was saved about it, each as what to call its address and the address itself."""
    own = [item.url for item in pending.own]
    found = dict.fromkeys(item.url for item in pending.items)
    if pending.key and not own:
        found = {address_of(pending.key): None, **found}
    elif own:
        found = {own[0]: None, **{url: None for url in found if url not in own}}
    return [
        (str(mention.key) if mention and str(mention.key) != pending.title else "open", url)
        for url in found
        if url.startswith(("http://", "https://"))
        for mention in [find_mention(url)]
    ][:_MOST_LINKS]


def show_pending(request: Request) -> Response:
    """Go to where one thing is decided about."""
    return RedirectResponse(address("/change/add", key=request.path_params["name"]), 302)


def _document(moment: Moment, name: str) -> Document:
    """Return the list that something goes to: the one that was named, else the main one.

    Raises:
        UsageError: there is none.
    """
    if not name:
        names = moment.lists
        if not names:
            raise UsageError("There is no list to put it on. Create one with: studiolo init")
        name = names[0]
    return moment.document(name)


def add(moment: Moment, fields: Fields) -> Proposed:
    """Propose to put a thing on a list: where it fits best, or where the reader says."""
    title = fields.get("title", "").strip()
    pending = desk.thing_to_add(moment.waiting, fields.get("key", ""), title=title)
    if pending.is_typed and title:
        pending.title = title
    document = _document(moment, fields.get("list", ""))
    draft = _draft(pending, fields)
    proposals = desk.proposals(moment.waiting, draft.applied(pending), document)
    about = {
        "pending": pending,
        "facts": moment.waiting.facts.get(pending.key) if pending.key else None,
        "guesses": _guesses(moment, pending),
        "places": [" > ".join(section.path) for section in sections_of(document)],
        "proposals": [(" > ".join(_path(p)), p.reason) for p in proposals[:4] if not p.below],
        "states": STATES,
        "lists": moment.lists,
        "title": draft.title or pending.title,
        "tags": ", ".join(draft.tags if draft.tags is not None else pending.tags),
        "note": draft.note if draft.note is not None else "\n".join(pending.notes),
    }

    def plan() -> Plan:
        if draft.section:
            place = Proposal(draft.section, "", 1.0)
        elif proposals:
            place = proposals[0]
        elif draft.new_section:
            place = Proposal((), "", 1.0)
        else:
            raise UsageError(desk.no_headings(document))
        return plan_draft(moment.library, moment.waiting, pending, document, place, draft)

    return tried(f"Put it on {PurePosixPath(str(document.path)).name}", plan, about)


def _path(proposal: Proposal) -> tuple[str, ...]:
    section = proposal.section
    return section if isinstance(section, tuple) else section.path


def _guesses(moment: Moment, pending: Pending) -> list[Edge]:
    edges = moment.waiting.works.edges_of(pending.key) if pending.key else []
    return [edge for edge in edges if edge.grade == "maybe"]


def _draft(pending: Pending, fields: Fields) -> Draft:
    """Return what the reader changed of a thing in the form; a field that is not there changes nothing."""
    state = next((one for one in STATES if one == fields.get("state")), None)
    section = tuple(part for part in fields.get("section", "").split(" > ") if part)
    tags = note = None
    if "tags" in fields:
        is_same = fields["tags"].strip() == ", ".join(pending.tags)
        given = pending.tags if is_same else typed_tags(fields["tags"])
        tags = given if given != pending.tags else None
    if "note" in fields:
        text = fields["note"].replace("\r\n", "\n").strip()
        note = text if text != "\n".join(pending.notes).strip() else None
    title = fields.get("title", "").strip()
    return Draft(
        pending.name,
        title=title if title and title != pending.title else None,
        tags=tags,
        note=note,
        state=state,
        section=section or None,
        new_section=fields.get("new_section", "").strip(),
    )


def _waiting(moment: Moment, fields: Fields) -> list[Pending]:
    """Return the things that are selected.

    Raises:
        UsageError: none is, or one does not wait any more, or they are too many at once.
    """
    names = list(dict.fromkeys(fields.getlist("name")))
    if not names:
        raise UsageError("Nothing is selected. Tick what you mean, and try again.")
    if len(names) > MOST_AT_ONCE:
        raise UsageError(f"{len(names)} are selected. Take at most {MOST_AT_ONCE} at once.")
    there = {one.name: one for one in moment.waiting.pending}
    if gone := [name for name in names if name not in there]:
        raise UsageError(f"{gone[0]} is not in the inbox any more.")
    return [there[name] for name in names]


def pass_over(moment: Moment, fields: Fields) -> Proposed:
    """Propose never to show things again."""
    things = _waiting(moment, fields)
    what = things[0].title if len(things) == 1 else f"{len(things)} things"
    return tried(f"Pass over {what}", lambda: desk.pass_over(*things))


def take(moment: Moment, fields: Fields) -> Proposed:
    """Propose to put several things on a list, each where it fits best, as one change that is taken back as a whole."""
    things = _waiting(moment, fields)
    document = _document(moment, fields.get("list", ""))
    told: list[tuple[str, str, str]] = []

    def plan() -> Plan:
        whole, steps = desk.put_all(moment.library, moment.waiting, things, document)
        told.extend(
            (one.title, " › ".join(step.section), step.reason)
            for one, step in zip(things, steps, strict=True)
        )
        return whole

    title = f"Put {len(things)} on {PurePosixPath(str(document.path)).name}"
    return tried(title, plan, {"told": told})
