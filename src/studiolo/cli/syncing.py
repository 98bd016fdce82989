"""The command that collects again from every place that was collected from: sync."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import SourceError, StudioloError

from .capturing import IssuesRead
from .collecting import github_api, progress
from .console import counted, say
from .options import PANEL, LibraryOption, Offline, make_client


if TYPE_CHECKING:
    from studiolo.library import Collected, Inbox, Library, Place
    from studiolo.sources import Reading

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def sync(
    only: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE|FILE", help="Only these; default: all of them."),
    ] = None,
    library: LibraryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only count what is new; write nothing.")
    ] = False,
    forget: Annotated[
        str,
        typer.Option(
            "--forget",
            metavar="SOURCE|FILE",
            help="Never read this place again; what came from it stays.",
        ),
    ] = "",
    offline: Offline = False,
) -> None:
    """Collect again from every place that you collected from; only what is new is taken in.

    Each `studiolo collect` is remembered: files and folders by their path, stars by the login,
    issues by the repository, feeds by the address. A place that cannot be read
    does not keep the others; the exit code is then 1.

    \b
    Examples:
      studiolo sync --dry-run
      studiolo sync
      studiolo sync github-stars
      studiolo sync --forget exports/bookmarks.html
    """
    from studiolo.library import Inbox, Library, forget_place, load_places

    home = Library.find(library)
    if forget:
        say(f"Forgotten: {forget_place(home, forget)}. What came from there stays in the inbox.")
        return
    places = load_places(home)
    if not places:
        say(
            "Nothing was collected from a place that can be read again. Start with: studiolo collect --help"
        )
        return
    chosen = _named(places, only or [])
    inbox = Inbox(home)
    new = failed = 0
    for place in chosen:
        try:
            counts = _collect_again(home, inbox, place, dry_run=dry_run, offline=offline)
        except StudioloError as problem:
            failed += 1
            say(f"{place}: ", str(problem), style="red")
            continue
        new += counts.new
        say(
            f"{place}: read {counts.read:,} = new {counts.new:,} + known {counts.known:,} + skipped {counts.num_skipped:,}"
        )
    broken = f"; {failed:,} of them could not be read" if failed else ""
    say(
        f"{counted(len(chosen), 'source')}, {counted(new, 'new thing') if new else 'nothing new'}{broken}."
    )
    if dry_run:
        say("Nothing was written (--dry-run).")
    elif new:
        say("Next: studiolo inbox")
    if failed:
        raise typer.Exit(1)


def _named(places: list[Place], words: list[str]) -> list[Place]:
    """Return the places that words name, by source or by where they are; without words all of them."""
    from studiolo.errors import UsageError

    names = [{place.source, place.where, str(place)} for place in places]
    for word in words:
        if not any(word in name for name in names):
            raise UsageError(
                f"Nothing was collected from {word!r}. There are: {'; '.join(map(str, places))}."
            )
    return [
        place for place, name in zip(places, names, strict=True) if not words or name & {*words}
    ]


def _collect_again(
    home: Library, inbox: Inbox, place: Place, *, dry_run: bool, offline: bool
) -> Collected:
    of = place.where if place.how == "login" else ""
    with _reading(home, inbox, place, offline=offline) as reading:
        return inbox.collect(reading, source=place.source, of=of, dry_run=dry_run)


@contextmanager
def _reading(home: Library, inbox: Inbox, place: Place, *, offline: bool) -> Iterator[Reading]:
    """Give what a place holds now.

    Raises:
        SourceError: it is not there any more, or no source of this Studiolo reads it.
    """
    from studiolo.sources import SOURCES

    source = SOURCES.get(place.source)
    if source is None:
        raise SourceError(
            f"This Studiolo has no source {place.source!r}. Forget it: studiolo sync --forget '{place}'"
        )
    if place.how == "file":
        path = place.path(home)
        if not path.exists():
            raise SourceError(
                f"{path} is not there any more. Forget it: studiolo sync --forget '{place}'"
            )
        with progress(path, place.source) as on_bytes:
            yield source.load(path, on_bytes=on_bytes, **place.options)
        return
    if place.how == "section":
        yield source.fetch(place.where)
        return
    with make_client(home, offline=offline) as client:
        if place.how == "repository":
            yield IssuesRead(client, place.where, place.options).reading
            return
        if place.how == "page":
            more = github_api() if place.source == "table" else {}
            yield source.fetch(client, place.where, **more)
            return
        yield source.fetch(
            client,
            place.where,
            token=os.environ.get("GITHUB_TOKEN", ""),
            is_known=inbox.knows,
            everything=not inbox.was_read_to_the_end(place.source, place.where),
            with_lists=bool(place.options.get("lists")),
            **github_api(),
        )
