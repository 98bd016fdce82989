"""Commands that decide about what was collected: inbox, add, undo, triage."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from .console import clean, counted, out, say, say_json
from .diff import show_diff
from .options import PANEL, LibraryOption, ListOption, Offline, make_client


if TYPE_CHECKING:
    from rich.table import Table

    from studiolo.library import Pending

app = typer.Typer()
Everything = Annotated[bool, typer.Option("--all", "-a", help="Pages that are not papers, too.")]


def _table(shown: list[Pending]) -> Table:
    """Return the inbox as lines; the name comes first and whole, so that it can be pasted into `studiolo add`."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    names = [clean(pending.name if pending.key else pending.name[:10]) for pending in shown]
    table.add_column(style="cyan", no_wrap=True, min_width=min(44, max(map(len, names), default=0)))
    table.add_column(style="dim", no_wrap=True, min_width=10)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for name, pending in zip(names, shown, strict=True):
        title = Text(clean(pending.title))
        where = f"about {pending.on_list}" if pending.on_list else "; ".join(pending.folders)
        if where:
            title.append(f"  {clean(where)}", style="dim")
        table.add_row(Text(name), Text(pending.saved_at[:10]), title)
    return table


@app.command(rich_help_panel=PANEL)
def inbox(
    search: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD...]", help="Only items with these words in title, note, folder or tag."
        ),
    ] = None,
    library: LibraryOption = None,
    source: Annotated[str, typer.Option("--source", help="Only items from this source.")] = "",
    everything: Everything = False,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many to show.")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """Show what was collected and is not on a list yet, newest first, one line per work.

    All links to the same paper are one line. Papers come first; other pages are only counted.

    \b
    Examples:
      studiolo inbox
      studiolo inbox attention --source github-stars
      studiolo inbox --all --json > inbox.json
    """
    from studiolo.library import Library, load_waiting

    inbox_now = load_waiting(Library.find(library))
    waiting = [
        pending
        for pending in inbox_now.pending
        if (not source or source in pending.sources) and _matches(pending, search or [])
    ]
    papers = [pending for pending in waiting if pending.is_paper]
    shown = waiting if everything else papers
    if as_json:
        say_json([_record(pending) for pending in shown])
        return
    if not inbox_now.pending:
        say("The inbox is empty. To fill it: studiolo collect --help")
        return
    out().print(_table(shown[:limit]), soft_wrap=False)
    others = len(waiting) - len(papers)
    say(
        f"{counted(len(papers), 'paper')} waiting, and {counted(others, 'other page')}",
        "" if everything or not others else " (--all)",
        f" ({len(shown) - limit:,} more: --limit)" if len(shown) > limit else "",
        ".",
    )
    if papers:
        say("Next: studiolo triage")


def _matches(pending: Pending, words: list[str]) -> bool:
    if not words:
        return True
    text = " ".join(
        (pending.name, pending.title, *pending.folders, *pending.tags, *pending.notes)
    ).casefold()
    return all(word.casefold() in text for word in words)


def _record(pending: Pending) -> dict[str, object]:
    return {
        "name": pending.name,
        "key": str(pending.key) if pending.key else None,
        "title": pending.title,
        "saved_at": pending.saved_at,
        "on_list": pending.on_list,
        "papers": [str(key) for key in pending.papers],
        "items": [item.to_record() for item in pending.items],
    }


@app.command(rich_help_panel=PANEL)
def add(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A key in the inbox, any other key, or an address.")
    ],
    section: Annotated[
        str,
        typer.Option(
            "--section",
            "-s",
            help="The heading, or the end of a path: 'To Review > Transformers'. Default: the best guess.",
        ),
    ] = "",
    path: ListOption = None,
    library: LibraryOption = None,
    title: Annotated[
        str, typer.Option("--title", help="The title, so that no service is asked.")
    ] = "",
    note: Annotated[
        list[str] | None,
        typer.Option("--note", help="A note to write below it; can be given several times."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show the change; write nothing.")
    ] = False,
    offline: Offline = False,
) -> None:
    """Put a paper on a list, in the style of its neighbours. `studiolo undo` takes it back.

    Your notes and related links (code, talks) are written below it. No other byte of the file changes.

    \b
    Examples:
      studiolo add arxiv:2105.03824 --section Transformers
      studiolo add https://openreview.net/forum?id=lyoOWX0e0O --section "To Review > Misc" --dry-run
    """
    from studiolo.library import Library, carry_out, desk, load_waiting

    home = Library.find(library)
    waiting = load_waiting(home, with_passed=True)
    pending = desk.thing_to_add(waiting, key)
    if desk.is_unknown(waiting, pending) and not title and not offline:
        with make_client(home) as client:
            waiting, pending = desk.fetch_title(home, waiting, pending, client)
    plan = desk.add(
        home, waiting, pending, section=section, path=path, title=title, notes=note or ()
    )
    if plan.reason:
        say(f"Section: {' > '.join(plan.section)} ({plan.reason})")
    show_diff(plan)
    if dry_run:
        say("Nothing was written (--dry-run).")
        return
    assert plan.path is not None
    there = home if home.holds(plan.path) else Library.find(near=plan.path)
    carry_out(there, plan)
    which = "" if there is home else f" --library {shlex.quote(str(there.folder))}"
    say(f"Written to {there.relative(plan.path)}. Take it back: studiolo undo{which}")


@app.command(rich_help_panel=PANEL)
def undo(library: LibraryOption = None) -> None:
    """Undo the last change made by `add`, `triage`, `read`, `move` or `note`; run it again for the one before.

    Example:  studiolo undo
    """
    from studiolo.library import Library, undo as take_back

    say(f"Taken back: {take_back(Library.find(library)).what}")


@app.command(rich_help_panel=PANEL)
def triage(
    library: LibraryOption = None,
    path: ListOption = None,
    everything: Everything = False,
    source: Annotated[str, typer.Option("--source", help="Only items from this source.")] = "",
) -> None:
    """Go through the inbox one work at a time: see where it would go and why, and the exact change, then decide.

    Nothing is written without a y. Every step can be undone with u, or later with `studiolo undo`.

    Example:  studiolo triage
    """
    from studiolo.library import Library

    from .triaging import triage_inbox

    triage_inbox(Library.find(library), path, everything=everything, source=source)
