"""Every view as a file: what it shows, in each format of `studiolo export`, and as a feed. `format=` in its address asks for one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from studiolo.errors import UsageError
from studiolo.garden import Event, to_atom
from studiolo.keys import Key
from studiolo.library import FORMATS, Reference, load_cite_keys, with_cite_keys

from .shelf import Moment


if TYPE_CHECKING:
    from studiolo.index import Hit, Suggestion

FEED = "atom"
KINDS: Mapping[str, tuple[str, str, str]] = {  # format: its name, media type, end of a file's name
    "markdown": ("Markdown", "text/markdown", "md"),
    "bibtex": ("BibTeX", "application/x-bibtex", "bib"),
    "ris": ("RIS", "application/x-research-info-systems", "ris"),
    "csl": ("CSL", "application/json", "csl.json"),
    "csv": ("CSV", "text/csv", "csv"),
    "json": ("JSON", "application/json", "json"),
    "html": ("bookmarks", "text/html", "html"),
    FEED: ("feed", "application/atom+xml", "xml"),
}

_OF_A_PAGE = frozenset(
    {"page", "did", "format", "back"}
)  # fields of an address that mean no other works


def export_links(request: Request) -> list[tuple[str, str]]:
    """Return name and address of every format of the view that an address shows."""
    path = request.scope["raw_path"].decode("ascii", "replace")
    asked = request.query_params.multi_items()
    kept = [(name, value) for name, value in asked if value and name not in _OF_A_PAGE]
    return [
        (name, f"{path}?{urlencode([*kept, ('format', form)])}")
        for form, (name, _, _) in KINDS.items()
    ]


def wanted_format(request: Request) -> str:
    """Return the format that an address asks for; empty where it asks for a page.

    Raises:
        UsageError: there is none of that name.
    """
    form = request.query_params.get("format", "")
    if form and form not in KINDS:
        raise UsageError(f"There is no format {form!r}. There are: {', '.join(KINDS)}.")
    return form


def exported(
    request: Request,
    moment: Moment,
    works: Sequence[Reference],
    title: str,
    kind: str = "",
    file: str = "",
) -> Response:
    """Return works as the file that an address asks for; the reader's notes only with `notes=1`.

    Args:
        title: what the view is called.
        kind: what is said of each work in a feed; its reading state where this is empty.
        file: a file's name without its end; the title where this is empty.
    """
    form = wanted_format(request)
    meant, notes = moment.sayings.vocabulary.all_meant, request.query_params.get("notes")
    works = [
        replace(work, tags=meant(work.tags), notes=work.notes if notes else ()) for work in works
    ]
    _, media, ending = KINDS[form]
    if form == FEED:
        events = (_event(work, kind) for work in works)
        text = to_atom(moment.library, events, url=str(request.url), title=title)
    else:
        text = FORMATS[form](with_cite_keys(works, load_cite_keys(moment.library)))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file or title).strip(".-")[:80] or "studiolo"
    return Response(
        text.encode("utf-8", "replace"),
        media_type=media,
        headers={"content-disposition": f'attachment; filename="{name}.{ending}"'},
    )


def _event(work: Reference, kind: str) -> Event:
    people = ", ".join(work.authors)
    said = " ".join(filter(None, (people, f"({work.year})" if work.year else "")))
    at = work.saved_at or (f"{work.year:04}-01-01" if work.year else "")
    return Event(kind or work.state or "listed", at, work.title, work.url, said, str(work.key or work.url))  # fmt: skip


def references_of(found: Iterable[Hit | Suggestion]) -> list[Reference]:
    """Return what was found or suggested as works."""
    works = []
    for one in found:
        key = None
        with suppress(UsageError):
            key = Key.parse(one.key)
        year = int(one.date[:4]) if one.date[:4].isdecimal() else None
        works.append(Reference(key, one.url, one.title or one.key, one.authors, year, keys=(key,) if key else (), place=one.place))  # fmt: skip
    return works
