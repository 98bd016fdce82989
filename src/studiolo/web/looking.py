"""Asking public services what papers are called: said before anything is asked, and shown as the lines that were kept."""

from __future__ import annotations

import os

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from studiolo.errors import UsageError
from studiolo.keys import Key, find_key
from studiolo.library import Library, diff_of_facts, fetch_facts
from studiolo.net import Cache, Client

from .room import local, page, room_of


MOST_AT_ONCE = 100
TIMEOUT_S = 10.0  # of one request


def make_client(library: Library) -> Client:
    """Return the polite client of a library."""
    contact = os.environ.get("STUDIOLO_CONTACT", "")
    return Client(Cache(library.cache), contact=contact, timeout_s=TIMEOUT_S)


def ask_to_look(request: Request) -> Response:
    """Show what would be asked of whom; nothing is."""
    asked = request.query_params
    back = local(asked.get("back") or request.headers.get("referer", "").partition(request.url.netloc)[2])  # fmt: skip
    return page(
        request, "lookup.html.j2", keys=_keys(asked.getlist("key")), back=back, fetched=None
    )


def look(request: Request, form: FormData) -> Response:
    """Ask, and show what was kept. A look-up at a time: services are asked slowly."""
    room, back = room_of(request), local(str(form.get("back", "")))
    keys = _keys([str(one) for one in form.getlist("key")])
    if not room.looking.acquire(blocking=False):
        raise UsageError("Services are being asked something else. Try again when that has ended.")
    try:
        library = Library(room.shelf.folder)
        known = room.shelf.moment().sayings.facts
        with make_client(library) as client:
            fetched = fetch_facts(
                library, keys, client, known=known, refresh=bool(form.get("refresh"))
            )
    finally:
        room.looking.release()
    moment = room.shelf.moment(fresh=True)
    return page(
        request, "lookup.html.j2", moment=moment, keys=keys, back=back, fetched=fetched,
        diff=diff_of_facts(fetched), wrong=sorted({*fetched.failed.values(), *fetched.notes}),
    )  # fmt: skip


def _keys(words: list[str]) -> list[Key]:
    keys = list(dict.fromkeys(find_key(word) for word in words))
    if not keys:
        raise UsageError("No paper was named.")
    if len(keys) > MOST_AT_ONCE:
        raise UsageError(f"{len(keys)} are too many. Look up at most {MOST_AT_ONCE} at once; studiolo lookup asks for all.")  # fmt: skip
    for key in keys:
        if not key.names_paper or key.kind == "url":
            raise UsageError(f"No service is asked about {key}: it is not the id of a paper.")
    return keys
