"""What the collecting commands share: options, the client, and text that is safe to print."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import err


if TYPE_CHECKING:
    from studiolo.keys import Key
    from studiolo.library import Library
    from studiolo.net import Client

PANEL = "Collect"

LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library",
        "-l",
        metavar="DIR",
        help="The library. Without it: the nearest folder with .studiolo/, else here.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no server; answer from the cache.")]

ListOption = Annotated[
    Path | None,
    typer.Option(
        "--list",
        metavar="FILE",
        help="The list. Without it: the one that has the section, or the largest in lists/.",
    ),
]


def key_from(text: str) -> Key:
    """Return the key that somebody typed; an address has one too."""
    from studiolo.keys import find_key

    return find_key(text)


def make_client(library: Library, *, offline: bool = False) -> Client:
    """Return the polite client of a library, which says on standard error when it waits."""
    from studiolo.net import Cache, Client

    def say(host: str, wait_s: float, why: str) -> None:
        err().print(f"{host}: {why}; waiting {wait_s:.0f} s.", markup=False)

    return Client(
        Cache(library.cache),
        offline=offline,
        contact=os.environ.get("STUDIOLO_CONTACT", ""),
        on_wait=say,
    )


def counted(number: int, word: str) -> str:
    """Return `1 paper`, `2,000 papers`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return text without the control characters by which a title could take over the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
