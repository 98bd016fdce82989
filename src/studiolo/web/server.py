"""Running the app on this machine alone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from studiolo.errors import StudioloError, UsageError

from .app import make_app
from .room import Room


HOST = "127.0.0.1"
PORT = 8420
KEEP_ALIVE_S = (
    75  # longer than one thinks between pages, so that no connection is closed as it is used again
)


def serve(library: Path, port: int, started: Callable[[str], None]) -> None:
    """Serve a library until Ctrl-C or a termination signal.

    Args:
        port: on 127.0.0.1; 0 for any that is free.
        started: is called with the address, once pages are answered there.

    Raises:
        UsageError: there is no such folder; or the port is taken.
    """
    app = make_app(library)
    with _listening(port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=2, timeout_keep_alive=KEEP_ALIVE_S, limit_concurrency=1_000,
        )  # fmt: skip
        server = uvicorn.Server(config)
        threading.Thread(
            target=_tell, args=(server, address, started, app.state.room), daemon=True
        ).start()
        with contextlib.suppress(KeyboardInterrupt):  # which is how one ends it
            server.run(sockets=[listener])


def _tell(server: uvicorn.Server, address: str, started: Callable[[str], None], room: Room) -> None:
    waiting = threading.Event()
    while not server.started and not server.should_exit:
        waiting.wait(0.02)
    if server.started:
        started(address)
        warm(room)


def warm(room: Room) -> None:
    """Read what the first page needs, and then what a filter by words does, so that nobody waits for it."""
    with contextlib.suppress(StudioloError):  # the page itself says what is wrong
        moment = room.shelf.moment()
        for name in moment.lists[:1]:
            lines = moment.lines(name)
            moment.view(name)
            for line in lines:
                _ = line.words
        _ = moment.num_waiting


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"Port {port} cannot be used: {reason}. Give another one with --port, or --port 0 for any that is free."
        ) from error
    return listener
