"""Commands that decide about what was collected: inbox, add, undo, triage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import out
from .options import (
    PANEL,
    LibraryOption,
    ListOption,
    Offline,
    counted,
    key_from,
    make_client,
    printable,
)


if TYPE_CHECKING:
    from rich.table import Table

    from studiolo.library import Library, Pending, Plan, Waiting
    from studiolo.lists import Document, Section

app = typer.Typer()
Everything = Annotated[bool, typer.Option("--all", "-a", help="Pages that are no papers too.")]


def _table(shown: list[Pending]) -> Table:
    """Return the inbox as lines; the name comes first and whole, so that it can be pasted into `studiolo add`."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    names = [printable(pending.name if pending.key else pending.name[:10]) for pending in shown]
    table.add_column(style="cyan", no_wrap=True, min_width=min(44, max(map(len, names), default=0)))
    table.add_column(style="dim", no_wrap=True, min_width=10)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for name, pending in zip(names, shown, strict=True):
        title = Text(printable(pending.title))
        where = f"about {pending.on_list}" if pending.on_list else "; ".join(pending.folders)
        if where:
            title.append(f"  {printable(where)}", style="dim")
        table.add_row(Text(name), Text(pending.saved_at[:10]), title)
    return table


@app.command(rich_help_panel=PANEL)
def inbox(
    search: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD...]", help="Only what has these words in title, note, folder or tag."
        ),
    ] = None,
    library: LibraryOption = None,
    source: Annotated[str, typer.Option("--source", help="Only what came from this source.")] = "",
    everything: Everything = False,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many to show.")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """Show what was collected and is on no list yet, newest first; one line is one work.

    Links to the same paper are one line, however many there are. Papers come first; other pages are counted.

    \b
    Examples:
      studiolo inbox
      studiolo inbox attention --source github-stars
      studiolo inbox --all --json > inbox.json
    """
    from studiolo.library import Library, load_waiting

    view = load_waiting(Library.find(library))
    waiting = [
        pending
        for pending in view.pending
        if (not source or source in pending.sources) and _matches(pending, search or [])
    ]
    papers = [pending for pending in waiting if pending.is_paper]
    if as_json:
        typer.echo(
            json.dumps(
                [_record(pending) for pending in (waiting if everything else papers)],
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    console = out()
    shown = waiting if everything else papers
    others = len(waiting) - len(papers)
    if not view.pending:
        console.print("The inbox is empty. Fill it: studiolo collect --help")
        return
    console.print(_table(shown[:limit]), soft_wrap=False)
    rest = f" ({len(shown) - limit:,} more: --limit)" if len(shown) > limit else ""
    console.print(
        f"{counted(len(papers), 'paper')} waiting, and {counted(others, 'other page')}"
        f"{'' if everything or not others else ' (--all)'}{rest}.",
        markup=False,
    )
    if papers:
        console.print("Next: studiolo triage")


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


def show_diff(plan: Plan) -> None:
    """Print exactly what a plan would change."""
    from rich.text import Text

    console = out()
    for line in plan.diff():
        style = {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")
        console.print(Text(f"  {printable(line)}", style=style))


@app.command(rich_help_panel=PANEL)
def add(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A key of the inbox, any key, or an address.")
    ],
    section: Annotated[
        str,
        typer.Option(
            "--section",
            "-s",
            help="The heading, or the end of a path: 'To Review > Transformers'. Without it: the best guess.",
        ),
    ] = "",
    path: ListOption = None,
    library: LibraryOption = None,
    title: Annotated[
        str, typer.Option("--title", help="The title, where no service is to be asked.")
    ] = "",
    note: Annotated[
        list[str] | None,
        typer.Option("--note", help="A note to write below it; may be given more than once."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show the change; write nothing.")
    ] = False,
    offline: Offline = False,
) -> None:
    """Put a paper on a list, written as its neighbours there are. `studiolo undo` takes it back.

    Your notes and the other things about it (code, talks) are noted below it. Nothing else in the file changes by a byte.

    \b
    Examples:
      studiolo add arxiv:2105.03824 --section Transformers
      studiolo add https://openreview.net/forum?id=lyoOWX0e0O --section "To Review > Misc" --dry-run
    """
    from dataclasses import replace

    from studiolo.errors import UsageError
    from studiolo.library import Library, carry_out, item_of, load_waiting, plan_entry, propose

    found = Library.find(library)
    view = load_waiting(found, with_passed=True)
    pending = view.find(key) or _fromkey_from(key, view)
    if pending.key and (
        place := next(
            (view.on_lists[k] for k in sorted(view.works.keys(pending.key)) if k in view.on_lists),
            "",
        )
    ):
        raise UsageError(f"{pending.key} is on the list already: {place}.")
    if (
        pending.key
        and pending.key.names_paper
        and pending.key not in view.facts
        and not title
        and not offline
    ):
        pending, view = _with_facts(found, pending, view)
    document = _document(found, path, section)
    target: str | Section = section
    reason = ""
    if not section:
        proposals = propose(pending, document, view.facts)
        if not proposals:
            raise UsageError(
                f"{document.path} has no headings. Give it one, for example `## To Review`, and name it with --section."
            )
        target, reason = proposals[0].section, proposals[0].reason
    item = item_of(pending, view)
    if not title and pending.key and item.title == str(pending.key):
        raise UsageError(
            f"No title is known of {pending.key}. Give one with --title, or run `studiolo lookup {pending.key}` with a network."
        )
    if title:
        item = replace(item, title=title)
    if note:
        from studiolo.lists import escape

        item = replace(item, notes=(*item.notes, *map(escape, note)))
    plan = plan_entry(document, item, target, [pending.name])
    console = out()
    if reason:
        console.print(f"Section: {target} ({reason})", markup=False)
    show_diff(plan)
    if dry_run:
        console.print("Nothing was written (--dry-run).")
        return
    carry_out(found, plan)
    console.print(
        f"Written to {found.relative(plan.path)}. Take it back: studiolo undo", markup=False
    )


def _fromkey_from(text: str, view: Waiting) -> Pending:
    from studiolo.keys import address_of
    from studiolo.library import Pending
    from studiolo.lists import title_from_url
    from studiolo.sources import SavedItem

    key = key_from(text)
    known = view.facts.get(key)
    url = text if "://" in text else address_of(key)
    title = known.title if known and known.title else title_from_url(url)
    return Pending(str(key), key, title, [SavedItem("typed", url)])


def _with_facts(library: Library, pending: Pending, view: Waiting) -> tuple[Pending, Waiting]:
    """Ask what a paper is called; without an answer the saved title stands."""
    from dataclasses import replace

    from studiolo.library import fetch_facts

    assert pending.key is not None
    with make_client(library) as client:
        known = fetch_facts(library, [pending.key], client).facts.get(pending.key)
    if known is None or not known.title:
        return pending, view
    return replace(pending, title=known.title), replace(
        view, facts={**view.facts, pending.key: known}
    )


def _document(library: Library, path: Path | None, section: str = "") -> Document:
    """Return the list to write into."""
    from studiolo.errors import UsageError
    from studiolo.lists import Document

    chosen = path or (section and library.list_with_section(section)) or library.main_list()
    if not chosen:
        raise UsageError(
            f"There is no list in {library.folder}. Make one: `studiolo init`, or a Markdown file with a heading, or name it with --list."
        )
    return Document.load(chosen)


@app.command(rich_help_panel=PANEL)
def undo(library: LibraryOption = None) -> None:
    """Take back the last change: what `add` or `triage` did, or `read`, `move` and `note`; again, the one before.

    Example:  studiolo undo
    """
    from studiolo.library import Library, undo as take_back

    out().print(f"Taken back: {printable(take_back(Library.find(library)))}", markup=False)


@app.command(rich_help_panel=PANEL)
def triage(
    library: LibraryOption = None,
    path: ListOption = None,
    everything: Everything = False,
    source: Annotated[str, typer.Option("--source", help="Only what came from this source.")] = "",
) -> None:
    """Go through the inbox, one work at a time: where it would go and why, the exact change, and your word.

    Nothing is written without a y. Every step can be taken back with u, also later with `studiolo undo`.

    Example:  studiolo triage
    """
    from studiolo.library import Library

    from .triaging import triage_inbox

    triage_inbox(Library.find(library), path, everything=everything, source=source)
