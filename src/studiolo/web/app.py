"""The app: every address, and what answers it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studiolo.errors import StudioloError, UsageError
from studiolo.report import can_draw, figure_script

from . import changing, collecting, finding, inbox, listing, looking, paper
from .guard import Guard
from .room import FIGURES, Room, posted, room_for, room_of, says, sorry, static_files
from .shelf import Gone


_log = logging.getLogger("studiolo")

ROUTES = [
    Route("/", listing.first),
    Route("/list/{name:path}", listing.show_list),
    Route("/entry", paper.show_entry),
    Route("/paper/{key:path}", paper.show_paper),
    Route("/measure/{slug}", paper.ask_to_measure, methods=["GET"]),
    Route("/measure/{slug}", posted(paper.measure), methods=["POST"]),
    Route("/measure/{slug}/stop", posted(paper.stop), methods=["POST"]),
    Route("/measure/{slug}/events", paper.events),
    Route("/find", finding.find),
    Route("/suggest", finding.suggest),
    Route("/inbox", inbox.show_inbox),
    Route("/inbox/{name:path}", inbox.show_pending),
    Route("/collect", collecting.show, methods=["GET"]),
    Route("/collect", posted(collecting.collect), methods=["POST"]),
    Route("/save", collecting.ask_to_save, methods=["GET"]),
    Route("/save", posted(collecting.save), methods=["POST"]),
    Route("/lookup", looking.ask_to_look, methods=["GET"]),
    Route("/lookup", posted(looking.look), methods=["POST"]),
    Route("/change/{verb}", changing.show, methods=["GET"]),
    Route("/change/{verb}", posted(changing.change), methods=["POST"]),
]


def make_app(library: Path) -> Starlette:
    """Return the app of the library in a folder.

    Raises:
        UsageError: there is no such folder.
    """
    return app_of(room_for(library))


def app_of(room: Room) -> Starlette:
    """Return the app of a room."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(room.measuring.end)

    app = Starlette(
        routes=[Route("/static/{digest}/{name}", _static), Route("/now", _now), *ROUTES],
        middleware=[Middleware(Guard, seal=room.seal)],
        exception_handlers={
            StudioloError: _sorry,
            HTTPException: _no_page,
            500: _fault,
        },
        lifespan=lifespan,
    )
    app.state.room = room
    return app


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name == FIGURES and can_draw():
        kind, content = "text/javascript; charset=utf-8", await run_in_threadpool(_figures)
    elif (found := static_files().get(name)) is not None:
        kind, content = found
    else:
        raise HTTPException(404)
    return Response(
        content, media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"}
    )


@cache
def _figures() -> bytes:
    return figure_script().encode()


def _now(request: Request) -> Response:
    """Tell the script which moment it is, so that a page can follow what an editor writes."""
    moment = room_of(request).shelf.moment()
    return JSONResponse({"stamp": moment.stamp, "waiting": moment.num_waiting})


async def _sorry(request: Request, error: Exception) -> Response:
    assert isinstance(error, StudioloError)
    status = 409 if isinstance(error, Gone) else 404 if isinstance(error, UsageError) else 500
    return await run_in_threadpool(sorry, request, status, says(error))


async def _no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await run_in_threadpool(sorry, request, 404, f"Nothing is at {request.url.path}.")
    return await run_in_threadpool(sorry, request, error.status_code, error.detail)


async def _fault(request: Request, error: Exception) -> Response:
    """Say that something is wrong in Studiolo itself; what, is in the log and not on the page."""
    _log.error("%s %s: %r", request.method, request.url.path, error)
    return Response(
        "Something went wrong in Studiolo. Your lists are as they were; what happened is in the terminal.\n",
        500, media_type="text/plain",
    )  # fmt: skip
