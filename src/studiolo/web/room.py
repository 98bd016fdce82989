"""What every page of one running server shares, and how a page is answered."""

from __future__ import annotations

import hashlib
import posixpath
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import jinja2
import python_multipart  # noqa: F401  (starlette reads forms with it: what is missing is said at the start)
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from studiolo.errors import StudioloError
from studiolo.keys import Key
from studiolo.library import Library, load_changes, title_of_page
from studiolo.report import feed_link, figure_script_version, shared_css, templates

from .exporting import export_links
from .guard import COOKIE, FIELD, Seal
from .measuring import Measuring
from .shelf import Moment, Shelf


HERE = Path(__file__).parent
MOST_FIELDS, MOST_FILES = 4_000, 40
KEPT_BYTES = 24_000_000  # of pages that were drawn
FIGURES = (
    "figures.js"  # the script of live figures: a file of its own, since it takes seconds to make
)
FRAGMENT = "x-fragment"  # a header: the script wants the middle of the page alone


@cache
def static_files() -> dict[str, tuple[str, bytes]]:
    """Return the files that pages load, by name: media type and content."""
    css = shared_css() + (HERE / "static" / "web.css").read_text()
    return {
        "studiolo.css": ("text/css; charset=utf-8", css.encode()),
        "studiolo.js": ("text/javascript; charset=utf-8", (HERE / "static" / "web.js").read_bytes()),
        "icon.svg": ("image/svg+xml", (HERE / "static" / "icon.svg").read_bytes()),
    }  # fmt: skip


@cache
def static_address(name: str) -> str:
    """Return the address of a file, which changes with its content."""
    digest = hashlib.sha256(static_files()[name][1]).hexdigest()[:12]
    return f"/static/{digest}/{name}"


def figures_address() -> str:
    """Return the address of the script of live figures."""
    return f"/static/{figure_script_version()}/{FIGURES}"


def address(path: str, /, **query: object) -> str:
    """Return an address on this server; what is None or empty is left out of the query."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        if isinstance(value, Key) or not isinstance(value, list | tuple):
            value = [value]
        pairs += [(name.rstrip("_"), str(one)) for one in value if one not in (None, "", False)]
    text = quote(path, safe="/:@!$&'()*+,;=~")
    return f"{text}?{urlencode(pairs)}" if pairs else text


def environment() -> jinja2.Environment:
    """Return the templates of the room, over those of the report."""
    found = templates(HERE / "templates")
    found.filters["coded"] = coded
    found.filters["bare"] = lambda key: str(key).removeprefix("url:https://")  # as people read it
    found.globals |= {
        "address": address,
        "static": static_address,
        "feed_link": feed_link,
        "figures_address": figures_address,
        "list_name": list_name,
        "page_address": page_address,
    }
    return found


def coded(text: str) -> Markup:
    """Return a sentence as HTML, with what stands in it between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(Markup.escape(text))))


def page_address(name: str, link: str) -> str:
    """Return the address of what a list links within its library: `../topics/a.md` of `lists/b.md`."""
    path, _, fragment = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(path)))
    return address(f"/list/{target}") + (f"#{quote(fragment)}" if fragment else "")


def list_name(moment: Moment, name: str) -> str:
    """Return what to call a list or page: its first heading where that is a title, else its file."""
    return title_of_page(moment.documents[name], name)


PageName = tuple[str, str, bool]  # what the moment shows, the address, whether the middle alone


@dataclass
class Room:
    """One running server: the shelf, its seal, and pages that were drawn a moment ago."""

    shelf: Shelf
    seal: Seal = field(default_factory=Seal)
    looking: threading.Lock = field(default_factory=threading.Lock)  # held while services are asked
    _drawn: dict[PageName, bytes] = field(default_factory=dict)
    _kept_bytes: int = 0
    _drawing: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def measuring(self) -> Measuring:
        """What is being measured."""
        return Measuring(self.shelf.folder)

    def drawn(self, name: PageName) -> bytes | None:
        """Return a page that was drawn before."""
        return self._drawn.get(name)

    def keep(self, name: PageName, body: bytes) -> None:
        """Keep a page for the next reader; the oldest go where they are too many."""
        with self._drawing:
            self._kept_bytes += len(body) - len(self._drawn.pop(name, b""))
            self._drawn[name] = body
            while self._kept_bytes > KEPT_BYTES:
                oldest = next(iter(self._drawn))
                self._kept_bytes -= len(self._drawn.pop(oldest))


def room_of(request: Request) -> Room:
    """Return the room that a request came into."""
    room: Room = request.app.state.room
    return room


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    moment: Moment | None = None,
    **values: Any,
) -> Response:
    """Return a page: the whole of it, or its middle where the script asks for that."""
    room = room_of(request)
    moment = moment or room.shelf.moment()
    fragment = FRAGMENT in request.headers
    text = (
        environment()
        .get_template(template)
        .render(
            moment=moment,
            token=Markup('<input type="hidden" name="{}" value="{}">').format(
                FIELD, room.seal.token
            ),
            here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            path=request.url.path,
            fragment=fragment,
            done=_done(request, moment),
            exports=export_links(request),
            **values,
        )
    )
    return HTMLResponse(text, status)


def _done(request: Request, moment: Moment) -> str:
    """Return what the change was that led here, where it can still be taken back."""
    wanted = request.query_params.get("did", "")
    if not wanted:
        return ""
    changes = load_changes(moment.library)
    return changes[-1].what if changes and changes[-1].id == wanted else ""


def kept_page(request: Request, moment: Moment, draw: Callable[[], Response]) -> Response:
    """Return what `draw` draws, or what it drew for this address at this moment before; 304 where the browser has it."""
    room = room_of(request)
    if "did" in request.query_params:
        return draw()
    shown = moment.shown
    etag = f'"{shown}-{static_address("studiolo.css")[8:20]}-{room.seal.token[:8]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag})
    name = (
        shown,
        str(request.url.path) + "?" + request.url.query,
        FRAGMENT in request.headers,
    )
    body = room.drawn(name)
    if body is None:
        response = draw()
        if response.status_code != 200:
            return response
        body = bytes(response.body)
        room.keep(name, body)
    return HTMLResponse(body, headers={"etag": etag, "vary": FRAGMENT})


def posted(
    answer: Callable[[Request, FormData], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that takes a form of ours: one with the token, from a reader with the cookie."""

    async def endpoint(request: Request) -> Response:
        room = room_of(request)
        async with request.form(max_fields=MOST_FIELDS, max_files=MOST_FILES) as form:
            if not room.seal.fits(request.cookies.get(COOKIE), form.get(FIELD)):
                return await run_in_threadpool(
                    sorry, request, 403,
                    "This page is older than the server, so nothing was changed. Open it again and repeat what you did.",
                )  # fmt: skip
            return await run_in_threadpool(answer, request, form)

    return endpoint


def sorry(request: Request, status: int, why: str) -> Response:
    """Return a page that says why something was not done."""
    asked = bool(request.url.query)  # what was asked of a list is wrong, and the list is there
    whole = request.url.path if asked and request.url.path.startswith("/list/") else "/"
    is_gone = status == 404 and not asked
    return page(request, "sorry.html.j2", status=status, why=why, whole=whole, is_gone=is_gone)


def go(place: str, **query: object) -> Response:
    """Return the answer to a POST: look there now."""
    path, _, rest = place.partition("?")
    kept = "&".join(part for part in rest.split("&") if part and not part.startswith("did="))
    path, _, fragment = path.partition("#")
    more = urlencode([(k, str(v)) for k, v in query.items() if v not in (None, "")])
    query_text = "&".join(filter(None, (kept.partition("#")[0], more)))
    target = f"{path}?{query_text}" if query_text else path
    return RedirectResponse(f"{target}#{fragment}" if fragment else target, 303)


def local(place: str) -> str:
    """Return a place on this server that somebody wants to go back to; the first page where it is none."""
    fine = place.startswith("/") and not place.startswith(("//", "/\\")) and place.isprintable()
    return place if fine and "\\" not in place and len(place) < 4_000 else "/"


def room_for(folder: Path) -> Room:
    """Return a room for the library in a folder.

    Raises:
        UsageError: there is no such folder.
    """
    return Room(Shelf(Library.find(folder)))


def says(error: StudioloError) -> str:
    """Return an error as one line for a page."""
    return " ".join(str(error).split())
