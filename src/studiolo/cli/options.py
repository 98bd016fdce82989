"""What several commands share: options, the library and list that are meant, the client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import UsageError
from studiolo.files import kind_at

from .console import say


if TYPE_CHECKING:
    from studiolo.library import Library, Pending, Waiting
    from studiolo.net import Client

PANEL = "Collect"

_LIBRARY = "The library; default: the nearest folder with .studiolo/, else this one."
LibraryOption = Annotated[
    Path | None, typer.Option("--library", "-l", metavar="DIR", help=_LIBRARY)
]
LongLibraryOption = Annotated[Path | None, typer.Option("--library", metavar="DIR", help=_LIBRARY)]
Offline = Annotated[
    bool, typer.Option("--offline", help="Ask no server; answer only from the cache.")
]

ListOption = Annotated[
    str | None,
    typer.Option(
        "--list",
        metavar="LIST",
        help="The list, by its path or name; default: the one that has the section, or the main list.",
    ),
]
TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", "-t", help="Only what has this tag; repeatable, all must be there."),
]
ListPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="[LIST]",
        help="A Markdown list: its path or its name; default: the main list.",
        show_default=False,
    ),
]
ListWord = Annotated[
    str,
    typer.Argument(
        metavar="LIST", help="A Markdown list: its path or its name; default: the main list."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def list_path(library: Library, word: str | None) -> Path | None:
    """Return the list that `--list` means, None where it is not given."""
    from studiolo.library import find_list

    return find_list(library, word) if word else None


@contextmanager
def in_turn(library: Path | None, path: str | None = None) -> Iterator[None]:
    """Keep other commands from changing a library while this one reads it, decides and writes; they wait.

    Args:
        library: as the reader names it.
        path: the list that is named, which may lie in another one.
    """
    from studiolo.files import turn
    from studiolo.library import Library, find_list

    home = Library.find(library)
    if path and library is None:
        home = Library.find(near=find_list(home, path))
    with turn(home.folder):
        yield


def from_source(waiting: Waiting, source: str) -> list[Pending]:
    """Return what waits of one source, or all of it.

    Raises:
        UsageError: nothing waits of that source; names those there are.
    """
    found = [one for one in waiting.pending if not source or source in one.sources]
    if source and not found and waiting.pending:
        there = sorted({name for one in waiting.pending for name in one.sources})
        raise UsageError(f"Nothing in the inbox is from {source!r}. There is: {', '.join(there)}.")
    return found


def named_list(path: Path | None, chosen: Path | None) -> Path:
    """Return the list that an argument means, be it a path or a name; the main list where it is left out."""
    from studiolo.library import Library, find_list

    if path is None:
        return find_list(Library.find(chosen))
    if kind_at(path) or (chosen is not None and kind_at(chosen) != "folder"):
        return path
    return find_list(Library.find(chosen), str(path))


def home_of(path: Path, chosen: Path | None) -> Path:
    """Return the library that keeps what is measured for the list at `path`: the chosen one, else the list's own.

    Nothing is written into a folder that is meant to be read only; then the current folder, where it is another one, keeps
    it, and it is said.
    """
    from studiolo.library import Library

    if chosen is not None and kind_at(chosen) != "folder":
        return chosen  # it is made where something is written
    root = Library.find(chosen, near=path).folder
    may_write = kind_at(root / ".studiolo") or not kind_at(root) or root.stat().st_mode & 0o222
    if may_write or root.samefile(Path.cwd()):
        return root
    say(f"{root} is read only; records and report go to {Path.cwd() / '.studiolo'}.", to_err=True)
    return Path.cwd()


def make_client(library: Library, *, offline: bool = False) -> Client:
    """Return the polite client of a library, which says on standard error when it waits."""
    from studiolo.net import Cache, Client

    return Client(
        Cache(library.cache),
        offline=offline,
        contact=os.environ.get("STUDIOLO_CONTACT", ""),
        on_wait=lambda host, wait_s, why: say(
            f"{host}: {why}; waiting {wait_s:.0f} s.", to_err=True
        ),
    )
