"""The list: in file order, filtered, page by page, and exported as it is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from studiolo.errors import UsageError
from studiolo.library import (
    Filter,
    Reference,
    choices,
    load_cite_keys,
    read_filter,
    references_in_document,
    with_cite_keys,
)
from studiolo.lists import Document

from .exporting import exported, wanted_format
from .parts import Part, chosen_parts, outline_of, page_of, pages_of, parts_of, prose
from .room import address, kept_page, list_name, page, room_of
from .shelf import Moment


FILTERS = ("words", "state", "tag", "year", "source", "has", "section")


def first(request: Request) -> Response:
    """Go to the main list; where there is none, say how to begin."""
    moment = room_of(request).shelf.moment()
    names = moment.lists or moment.pages
    if names:
        did = request.query_params.get("did")
        return RedirectResponse(address(f"/list/{names[0]}", did=did), 302)
    return page(request, "empty.html.j2", moment=moment)


def show_list(request: Request) -> Response:
    """Show a list, or a page that is none."""
    moment = room_of(request).shelf.moment()
    name = request.path_params["name"]
    document = moment.document(name)
    if wanted_format(request):
        works = _works(moment, name, filter_of(request))
        title, file = list_name(moment, name), PurePosixPath(name).stem
        return exported(request, moment, works, title, file=file)
    return kept_page(request, moment, lambda: _draw(request, moment, name, document))


def _draw(request: Request, moment: Moment, name: str, document: Document) -> Response:
    if name not in moment.lists:
        text = document.data.decode("utf-8", "replace")
        return page(
            request, "page.html.j2", moment=moment, name=name, title=list_name(moment, name),
            prose=prose(text), tags=document.tags,
        )  # fmt: skip
    lines, view = moment.lines(name), moment.view(name)
    wanted = filter_of(request)
    parts = _parts(moment, name, wanted)
    number, pages = number_of(request), pages_of(parts)
    if number > pages:
        raise UsageError(f"This list has {pages} pages, so there is no page {number}.")
    here = [part for part in parts if page_of(part, pages) == number]
    return page(
        request,
        "list.page.html.j2",
        moment=moment,
        name=name,
        title=list_name(moment, name),
        document=document,
        view=view,
        machine_names=view.machine_names,
        parts=here,
        continued=here[0].line.entry.section if number > 1 and here[0].line else (),
        count=sum(part.line is not None for part in parts),
        total=len(lines),
        outline=outline_of(parts),
        top=min((part.section.level for part in parts if part.section), default=1),
        number=number,
        pages=pages,
        choices=moment.shelf.kept(("choices", name), (lines,), lambda: choices(lines)),
        asked={key: request.query_params.get(key, "") for key in FILTERS},
        filtered=bool(wanted),
        query=kept_query(request),
    )


def _parts(moment: Moment, name: str, wanted: Filter) -> list[Part]:
    document, lines = moment.document(name), moment.lines(name)
    if not wanted:
        return moment.shelf.kept(
            ("parts", name), (document, lines), lambda: parts_of(document, lines)
        )
    shown = [number for number, line in enumerate(lines) if wanted.takes(line)]
    return chosen_parts(document, lines, shown)


def filter_of(request: Request) -> Filter:
    """Return the filter in an address.

    Raises:
        UsageError: it means nothing; says what it could.
    """
    asked = request.query_params
    return read_filter(
        words=asked.get("words", ""),
        state=asked.get("state", ""),
        tags=asked.getlist("tag"),
        year=asked.get("year", ""),
        source=asked.get("source", ""),
        has=asked.getlist("has"),
        section=asked.get("section", ""),
        vocabulary=room_of(request).shelf.moment().sayings.vocabulary,
    )


def kept_query(request: Request) -> dict[str, Any]:
    """Return the filter in an address as it was given, for further addresses of the same view."""
    asked = request.query_params
    return {key: asked.getlist(key) for key in FILTERS if asked.get(key)}


def number_of(request: Request) -> int:
    """Return the number of the page that is asked for.

    Raises:
        UsageError: it is not a number.
    """
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) == int(text)):
        raise UsageError(f"{text!r} is not the number of a page.")
    return int(text)


def _works(moment: Moment, name: str, wanted: Filter) -> list[Reference]:
    """Return the entries of a view that have an address; what a bibliography calls them is the same in every view."""
    every = references_in_document(moment.document(name), name, moment.sayings)
    lines = {f"{name}:{ln.entry.line}": ln for ln in moment.lines(name) if wanted.takes(ln)}
    return [
        replace(one, saved_at=one.saved_at or lines[one.place].since)
        for one in with_cite_keys(every, load_cite_keys(moment.library))
        if one.place in lines
    ]
