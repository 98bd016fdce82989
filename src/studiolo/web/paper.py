"""A page for one paper: what is known, what the lists say, every mention, what was measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from studiolo.claims import Paper
from studiolo.errors import PaperError, UsageError
from studiolo.keys import Key, address_of, find_key
from studiolo.library import (
    Line,
    Pending,
    Reference,
    references_in_document,
    references_in_inbox,
)
from studiolo.lists import Document, Entry
from studiolo.report import (
    PaperView,
    Shown,
    View,
    can_draw,
    draw_figures,
    json_for_html,
    live_specs,
    now,
)
from studiolo.runs import code_of, is_readers_own, plan_next, this_environment, this_machine

from .exporting import exported, wanted_format
from .measuring import BUDGETS
from .room import address, go, kept_page, page, room_of
from .shelf import Moment


LOOK_EVERY_S = 0.25  # at a run that goes on


@dataclass(frozen=True, slots=True)
class Place:
    """Where a paper stands on a list, or is mentioned.

    Attributes:
        e: what pages call the entry.
    """

    name: str
    entry: Entry
    line: Line
    e: str


def show_entry(request: Request) -> Response:
    """Show an entry that a page points at: one with a key on the page of its paper."""
    moment = room_of(request).shelf.moment()
    listed = moment.listed(request.query_params.get("e", ""))
    if listed.entry.key is not None:
        return RedirectResponse(address(f"/paper/{listed.entry.key}"), 302)
    assert listed.document.path is not None
    name = moment.library.relative(listed.document.path)
    number = listed.document.entries.index(listed.entry)
    return _draw(request, moment, None, [_place(moment, name, number)])


def show_paper(request: Request) -> Response:
    """Show what there is about a key."""
    moment = room_of(request).shelf.moment()
    key = find_key(request.path_params["key"])
    if wanted_format(request):
        works = _works(moment, key)
        return exported(request, moment, works, str(key))
    paper = paper_of(moment, key)
    if paper is not None and room_of(request).measuring.of(paper.slug):
        return _draw(
            request, moment, key, _places(moment, key)
        )  # it changes while nothing on the disk does
    return kept_page(request, moment, lambda: _draw(request, moment, key, _places(moment, key)))


def _place(moment: Moment, name: str, number: int) -> Place:
    line = moment.lines(name)[number]
    return Place(name, line.entry, line, moment.address_of(name, line.entry))


def _places(moment: Moment, key: Key) -> list[Place]:
    found = {p: None for k in moment.sayings.keys(key) for p in moment.places.own.get(k, ())}
    return [_place(moment, *place) for place in found]


def _works(moment: Moment, key: Key) -> list[Reference]:
    """Return a paper as the lists have it, else the inbox, else what services say."""
    for place in _places(moment, key):
        every = references_in_document(moment.document(place.name), place.name, moment.sayings)
        return [one for one in every if one.place == f"{place.name}:{place.entry.line}"]
    keys = moment.sayings.keys(key)
    if found := [one for one in references_in_inbox(moment.waiting) if one.key in keys]:
        return found
    facts = next((f for k in keys if (f := moment.sayings.facts.get(k)) and f.title), None)
    if facts is None:
        raise UsageError(f"Nothing in this library is about {key}.")
    return [
        Reference(key, address_of(key), facts.title, facts.authors, facts.year, keys=tuple(keys))
    ]


def _mentions(moment: Moment, key: Key) -> list[Place]:
    keys = moment.sayings.keys(key)
    found = {p: None for k in keys for p in moment.places.mentioned.get(k, ())}
    return [_place(moment, *place) for place in found]


def paper_of(moment: Moment, key: Key) -> Paper | None:
    """Return the paper that can run of a key, or of any key of its work."""
    keys = set(map(str, moment.sayings.keys(key)))
    return next((p for p in moment.papers[0] if keys & {p.key, *p.also}), None)


def _draw(request: Request, moment: Moment, key: Key | None, places: list[Place]) -> Response:
    every = [k for place in places for k in place.entry.keys] if key is None else []
    keys = list(dict.fromkeys([*(moment.sayings.keys(key) if key else ()), *every]))
    facts = next((f for k in keys if (f := moment.sayings.facts.get(k)) and f.title), None)
    kept = next((moment.sayings.kept[k] for k in keys if k in moment.sayings.kept), None)
    pending = moment.waiting.find(str(key)) if key and not places else None
    paper, problem = (paper_of(moment, key) if key else None), ""
    figures: list[Shown] = []
    specs = Markup("")
    measured: PaperView | None = None
    if paper is not None:
        try:
            measured = moment.paper_view(paper)
            figures, specs = moment.shelf.kept(
                ("figures", paper.slug), measured, lambda: _figures(measured)
            )
        except PaperError as error:
            problem = str(error)
    titles = (
        *(place.entry.title for place in places),
        facts.title if facts else "",
        kept.title if kept else "",
        paper.title if paper else "",
        pending.title if pending else "",
    )
    view = _view(moment, places, measured)
    return page(
        request,
        "paper.page.html.j2",
        moment=moment,
        key=key,
        title=next(filter(None, titles), str(key)),
        known=bool(places or facts or kept or paper or pending),
        places=places,
        mentions=_mentions(moment, key) if key else [],
        facts=facts,
        kept=kept,
        pending=pending,
        people=_people(places, facts.authors if facts else (), kept.authors if kept else (), pending)
        or (paper.authors if paper else ()),
        year=next(filter(None, (*(p.line.year for p in places), facts and facts.year, kept and kept.year, paper and paper.year)), None),
        abstract=(facts and facts.abstract) or (kept and kept.abstract) or "",
        link=_link(key, places),
        others=[k for k in keys if k != key],
        related=moment.sayings.works.edges_of(key) if key else [],
        paper=measured,
        slug=paper.slug if paper else "",
        problem=problem,
        own_code=paper is not None and is_readers_own(paper),
        figures={paper.slug: figures} if paper else {},
        job=room_of(request).measuring.of(paper.slug) if paper else None,
        drawable=can_draw(),
        machine_names=measured.machine_names if measured else {},
        view=view,
        bare=True,
        specs=specs,
        split=True,
    )  # fmt: skip


def _figures(paper: PaperView) -> tuple[list[Shown], Markup]:
    """Return the figures of a paper, and what live ones are drawn from as JSON; empty where none is."""
    figures = draw_figures(paper)
    specs = live_specs({paper.paper.slug: figures})
    return figures, json_for_html(specs) if specs else Markup("")


def _people(
    places: list[Place], known: tuple[str, ...], kept: tuple[str, ...], pending: Pending | None
) -> tuple[str, ...]:
    return (
        known
        or next((p.entry.authors for p in places if p.entry.authors), ())
        or kept
        or (pending.given.authors if pending else ())
    )


def _link(key: Key | None, places: list[Place]) -> str:
    """Return where the paper itself can be read."""
    urls = [link.url.strip() for place in places for link in place.entry.links if link.mention]
    if key is not None and (found := address_of(key)).startswith(("http://", "https://")):
        return found
    return next((url for url in urls if url.startswith(("http://", "https://"))), "")


def _view(moment: Moment, places: list[Place], measured: PaperView | None) -> View:
    """Return the view that the templates of the report read: of a list with the paper, else of an empty one."""
    for place in places:
        if place.name in moment.lists:
            return moment.view(place.name)
    papers = {measured.paper.slug: measured} if measured else {}
    empty = View(Document(b""), moment.library.folder, [], moment.sayings.kept, {}, [], this_machine(), this_environment(), now())  # fmt: skip
    return replace(empty, papers=papers)


def _runnable(moment: Moment, slug: str) -> tuple[Paper, Path]:
    """Return a paper that can run, and a list that it stands on.

    Raises:
        UsageError: there is no such paper, or it is on no list.
    """
    paper = next((one for one in moment.papers[0] if one.slug == slug), None)
    if paper is None:
        raise UsageError(f"There is no paper folder {slug!r}.")
    for place in _places(moment, Key.parse(paper.key)):
        if place.name in moment.lists and (path := moment.document(place.name).path):
            return paper, path
    raise UsageError(
        f"{paper.title} is on no list of this library. Put it on one, then measure it."
    )


def ask_to_measure(request: Request) -> Response:
    """Show what would run, whose code it is, and for how long, before anything does."""
    moment = room_of(request).shelf.moment()
    return _ask(request, moment, request.path_params["slug"])


def _ask(
    request: Request, moment: Moment, slug: str, *, status: int = 200, why: str = ""
) -> Response:
    paper, path = _runnable(moment, slug)
    view = moment.paper_view(paper)
    rest = plan_next({slug: [view.evidence, *view.reference]})
    return page(
        request, "measure.page.html.j2", status=status, moment=moment, paper=paper, why=why,
        seeds=len(rest.seeds), cost_s=rest.cost_s, own_code=is_readers_own(paper), digest=code_of(paper.folder).digest,
        folder=str(paper.folder.resolve()), file=moment.library.relative(path), budgets=BUDGETS,
    )  # fmt: skip


def measure(request: Request, form: FormData) -> Response:
    """Begin to measure. Code that came with the library runs only in the form that the reader agreed to."""
    room, slug = room_of(request), request.path_params["slug"]
    moment = room.shelf.moment(fresh=True)
    paper, path = _runnable(moment, slug)
    if is_readers_own(paper) and form.get("agreed") != code_of(paper.folder).digest:
        why = "This code came with the library, and runs as you. Look at it, and agree first."
        return _ask(request, moment, slug, status=409, why=why)
    budget = str(form.get("budget", ""))
    if budget not in BUDGETS:
        raise UsageError(
            f"{budget!r} is not a time limit. Choose one of: {', '.join(filter(None, BUDGETS))}."
        )
    room.measuring.start(slug, path, budget)
    return go(f"/paper/{paper.key}")


def stop(request: Request, form: FormData) -> Response:
    """Stop measuring: seeds in flight are finished; the second time they are killed."""
    room, slug = room_of(request), request.path_params["slug"]
    job = room.measuring.of(slug)
    if job is None:
        raise UsageError(f"{slug!r} is not being measured.")
    if job.running:
        job.stop()
    paper, _ = _runnable(room.shelf.moment(), slug)
    return go(f"/paper/{paper.key}")


async def events(request: Request) -> Response:
    """Tell a page how a run goes, until its end, as server-sent events."""
    job = room_of(request).measuring.of(request.path_params["slug"])
    if job is None:
        raise UsageError(f"{request.path_params['slug']!r} is not being measured.")

    async def tell() -> AsyncIterator[str]:
        told = -1
        while True:
            running, version = job.running, job.version
            if version != told:
                told = version
                yield f"event: progress\ndata: {json.dumps(job.progress())}\n\n"
            if not running:
                yield "event: end\ndata: {}\n\n"
                return
            await asyncio.sleep(LOOK_EVERY_S)

    return StreamingResponse(
        tell(), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )
