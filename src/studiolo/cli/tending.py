"""Commands by which a library tends itself: contents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import counted, say
from .diff import show_pages
from .options import LibraryOption


if TYPE_CHECKING:
    from studiolo.library import Library, Tending

app = typer.Typer()
PANEL = "Tend"


@app.command(rich_help_panel=PANEL)
def contents(
    write: Annotated[
        bool, typer.Option("--write", help="Write it; `studiolo undo` takes all of it back.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether it is up to date; exit code 1 if not.")
    ] = False,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="BY",
            help="changed, title, words, entries, read or questions; it is kept in the first mark.",
        ),
    ] = "",
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Put the marks at the end of pages of yours that have none."
        ),
    ] = False,
    library: LibraryOption = None,
) -> None:
    """Keep the contents of a library: a table of its lists, topics and notes in README.md, and a page for each tag.

    The table says when a person last changed each page, how many entries it has and how many are read, open questions, claims
    that hold, words and tags. The day is that of git: a rename, new tags, another title or a commit by a program is not a
    change. `tags/TAG.md` lists the pages and entries of a tag, `topics/README.md` the topics. All of it stands between two
    marks, `<!-- studiolo:contents -->` and `<!-- /studiolo:contents -->`: put them where you want it. No other byte is
    touched. Without --write it only shows what would change.

    \b
    Examples:
      studiolo contents
      studiolo contents --write --sort title
      studiolo contents --check
    """
    from studiolo.errors import UsageError
    from studiolo.library import Library, carry_out, load_catalogue, plan_contents

    if write and check:
        raise UsageError("--write changes pages, --check does not. Give one of them.")
    home = Library.find(library)
    catalogue = load_catalogue(home, _claims(home))
    tending = plan_contents(home, catalogue, sort=sort, into_unmarked=yes)
    if check:
        _say_whether_fresh(home, tending)
        return
    if tending.unmarked and write and _may_mark(home, tending.unmarked):
        tending = plan_contents(home, catalogue, sort=sort, into_unmarked=True)
    if tending.unmarked:
        say(
            f"{_names(home, tending.unmarked)}: without marks, so left as they are. To put them at the end: studiolo contents --write --yes"
        )
    if tending.plan is None:
        if not tending.unmarked:
            say("The contents are up to date.")
        return
    show_pages(home, tending.plan.pages)
    changed = counted(len(tending.plan.pages), "page")
    if write:
        carry_out(home, tending.plan)
        say(f"{changed} written. Take it back: studiolo undo")
    else:
        say(f"Nothing was written. To write {changed}: studiolo contents --write")


def _claims(home: Library) -> dict[str, tuple[int, int]]:
    """Return how many claims hold, by list; a library where nothing was measured needs no report for that."""
    if not (home.state / "results").is_dir():
        return {}
    from studiolo.report import claims_that_hold

    return claims_that_hold(home)


def _may_mark(home: Library, pages: list[Path]) -> bool:
    """Ask whether pages that a person wrote get the marks, where somebody sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return typer.confirm(
        f"{_names(home, pages)}: put the marks and what belongs between them at the end?"
    )


def _names(home: Library, pages: list[Path]) -> str:
    names = ", ".join(home.relative(path) for path in pages[:6])
    return f"{names} and {len(pages) - 6} more" if len(pages) > 6 else names


def _say_whether_fresh(home: Library, tending: Tending) -> None:
    pages = [page.path for page in tending.plan.pages] if tending.plan else []
    readme = [path for path in tending.unmarked if path.parent == home.folder]
    if not pages and not readme:
        say("The contents are up to date.")
        return
    for path in readme:
        say(f"{home.relative(path)} has no contents.")
    for path in pages:
        say(f"{home.relative(path)} is not up to date.")
    say(f"To write them: studiolo contents --write{' --yes' if readme else ''}")
    raise typer.Exit(1)
