"""Commands that decide about what was collected, and what stays: inbox, add, pass, remove, undo, triage."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import ListError, UsageError

from .console import Styled, clean, counted, say, say_json
from .diff import show_diff
from .options import (
    PANEL,
    LibraryOption,
    ListOption,
    Offline,
    TagOption,
    from_source,
    in_turn,
    list_path,
    make_client,
)
from .reading import PANEL as READ, OneList, make, one_entry


if TYPE_CHECKING:
    from studiolo.library import Library, Pending, Plan, Waiting

app = typer.Typer()
Everything = Annotated[bool, typer.Option("--all", "-a", help="Pages that are not papers, too.")]
Source = Annotated[
    str, typer.Option("--source", help="Only items from this source, for example bookmarks.")
]


def _say_things(shown: list[Pending]) -> None:
    """Print the inbox; the name comes first and whole, so that it can be pasted into `studiolo add`.

    In a pipe each is one whole line. In a terminal a title is cut where the line ends, and stands on a line of its own
    below a long name.
    """
    names = [clean(pending.name if pending.key else pending.name[:10]) for pending in shown]
    column = min(44, max(map(len, names), default=0))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for name, pending in zip(names, shown, strict=True):
        where = f"about {pending.on_list}" if pending.on_list else "; ".join(pending.folders)
        if seen := pending.seen_in:
            where = f"from “{seen}”{f'  {where}' if where else ''}"
        title, where = clean(pending.title), clean(f"  {where}" if where else "")
        date = pending.saved_at[:10].ljust(10)
        used = max(len(name), column) + len(date) + 4
        lead: list[object] = [Styled(name.ljust(column), "cyan"), Styled(f"  {date}  ", "dim")]
        if width and (len(name) > column or width - used < 24):
            say(*lead)
            lead, used = ["    "], 4
        if width:
            title, where = _cut(title, where, width - used)
        say(*lead, title, Styled(where, "dim"))


def _cut(title: str, where: str, columns: int) -> tuple[str, str]:
    """Return both as they fit into so many columns of a terminal, the title first."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(title) > columns:
        return set_cell_size(title, max(columns - 1, 1)).rstrip() + "…", ""
    left = columns - cell_len(title)
    if cell_len(where) > left:
        where = set_cell_size(where, left - 1).rstrip() + "…" if left > 8 else ""
    return title, where


@app.command(rich_help_panel=PANEL)
def inbox(
    search: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD", help="Only items with these words in title, note, folder or tag."
        ),
    ] = None,
    library: LibraryOption = None,
    source: Source = "",
    tag: TagOption = None,
    everything: Everything = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many to show.")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """Show what was collected and is not on a list yet, newest first, one line per work.

    All links to the same paper are one line. Papers come first; other pages are only counted.

    \b
    Examples:
      studiolo inbox
      studiolo inbox attention --source github-stars
      studiolo inbox --tag nlp
      studiolo inbox --all --json > inbox.json
    """
    from studiolo.library import Library, load_waiting

    inbox_now = load_waiting(Library.find(library))
    has_tags = inbox_now.vocabulary.having(tag or ())
    waiting = [
        pending
        for pending in from_source(inbox_now, source)
        if pending.says(search or [], inbox_now.vocabulary) and has_tags(pending.tags)
    ]
    papers = [pending for pending in waiting if pending.is_paper]
    shown = waiting if everything else papers
    if as_json:
        say_json([_record(pending) for pending in shown])
        return
    if not inbox_now.pending:
        say("The inbox is empty. To fill it: studiolo collect --help")
        return
    _say_things(shown[:limit])
    others = len(waiting) - len(papers)
    say(
        f"{counted(len(papers), 'paper')} waiting, and {counted(others, 'other page')}",
        "" if everything or not others else " (--all)",
        f" ({len(shown) - limit:,} more: --limit)" if len(shown) > limit else "",
        ".",
    )
    if papers:
        say("Next: studiolo triage")


def _record(pending: Pending) -> dict[str, object]:
    return {
        "name": pending.name,
        "key": str(pending.key) if pending.key else None,
        "title": pending.title,
        "seen_in": pending.seen_in,
        "saved_at": pending.saved_at,
        "on_list": pending.on_list,
        "papers": [str(key) for key in pending.papers],
        "items": [item.to_record() for item in pending.items],
    }


@app.command(rich_help_panel=PANEL)
def add(
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY", help="Keys in the inbox, any other keys, or addresses."),
    ],
    section: Annotated[
        str,
        typer.Option(
            "--section",
            "-s",
            help="The heading, or the end of a path: 'To Review > Transformers'. Default: the best guess.",
        ),
    ] = "",
    new_section: Annotated[
        str,
        typer.Option(
            "--new-section",
            metavar="NAME",
            help="A heading to make first; 'To Review > Diffusion' says below which.",
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
    """Put papers on a list, in the style of their neighbours. `studiolo undo` takes them back one by one.

    Your notes and related links (code, talks) are written below each. No other byte of the file changes. Of several
    sections of one name, the one below "# To Review" is taken.

    \b
    Examples:
      studiolo add arxiv:2105.03824 --section Transformers
      studiolo add arxiv:2006.11239 arxiv:2011.13456 --new-section Diffusion
      studiolo add "https://openreview.net/forum?id=lyoOWX0e0O" --section "To Review > Misc" --dry-run
    """
    from studiolo.library import Library

    if section and new_section:
        raise UsageError(
            "--section names one that is there, --new-section makes one. Give one of them."
        )
    if len(keys) > 1 and (title or note):
        raise UsageError("--title and --note are of one paper. Add the papers one by one.")
    if not title and not offline:
        _fetch_titles(Library.find(library), keys)
    with in_turn(library, path):
        left = _add_each(
            Library.find(library), keys, dry_run=dry_run,
            section=section, new_section=new_section, path=path, title=title, notes=note or (),
        )  # fmt: skip
    if left:
        added = "Could be added" if dry_run else "Added"
        raise ListError(
            f"{added}: {len(keys) - len(left)} of {len(keys)}. Not {' Nor '.join(left)}"
        )


def _add_each(
    home: Library,
    keys: list[str],
    *,
    section: str,
    new_section: str,
    path: str | None,
    title: str,
    notes: Sequence[str],
    dry_run: bool,
) -> list[str]:
    """Add one after the other, all of them known before the first is written; return what the list refused, and why."""
    from studiolo.library import desk, load_waiting

    chosen = list_path(home, path)
    waiting = load_waiting(home, with_passed=True)
    for key in keys:
        desk.thing_to_add(waiting, key, title=title)
    left: list[str] = []
    for number, key in enumerate(keys):
        waiting = load_waiting(home, with_passed=True) if number else waiting
        pending = desk.thing_to_add(waiting, key, title=title)
        try:
            plan = desk.add(
                home, waiting, pending,
                section=section, new_section=new_section, path=chosen, title=title, notes=notes,
            )  # fmt: skip
        except ListError as error:
            if len(keys) == 1:
                raise
            left.append(f"{key}: {error}")
            continue
        _write(home, plan, dry_run=dry_run)
        if new_section and not dry_run:
            section, new_section = " > ".join(plan.section), ""  # it is there for the next one
    return left


def _fetch_titles(home: Library, words: list[str]) -> None:
    """Ask the services what papers are called of which nothing is known yet, before any other command has to wait."""
    from studiolo.keys import find_key
    from studiolo.library import desk, fetch_facts, load_facts, load_waiting

    facts = load_facts(home)
    with suppress(UsageError):
        if all((key := find_key(word)) in facts or not key.names_paper for word in words):
            return
    waiting = load_waiting(home, with_passed=True)
    things = [desk.thing_to_add(waiting, word) for word in words]
    unknown = [one.key for one in things if one.key and desk.is_unknown(waiting, one)]
    if unknown:
        with make_client(home) as client:
            fetch_facts(home, unknown, client, known=facts)


def _write(home: Library, plan: Plan, *, dry_run: bool) -> None:
    from studiolo.library import Library, carry_out

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


@app.command("pass", rich_help_panel=PANEL)
def pass_(
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY", help="Keys in the inbox, or addresses.")
    ],
    library: LibraryOption = None,
) -> None:
    """Pass things over: the inbox never shows them again. `studiolo undo` takes it back.

    \b
    Examples:
      studiolo pass arxiv:1706.03762
      studiolo pass github:owner/name "https://openreview.net/forum?id=lyoOWX0e0O"
    """
    from studiolo.library import Library, carry_out, desk, load_waiting

    home = Library.find(library)
    waiting, every = load_waiting(home), load_waiting(home, with_passed=True)
    found = []
    for key in keys:
        pending = _waiting_under(waiting, key)
        if pending is None and _waiting_under(every, key):
            say(f"{key} was passed over before.")
        elif pending is None:
            raise UsageError(f"{key!r} is not in the inbox. To see what is: studiolo inbox --all")
        elif pending not in found:
            found.append(pending)
    if found:
        carry_out(home, desk.pass_over(*found))
        for pending in found:
            say(f"Passed over: {pending.title}")
        say("Take it back: studiolo undo")


def _waiting_under(waiting: Waiting, word: str) -> Pending | None:
    """Return what waits under a name, a key in any spelling, or an address."""
    from studiolo.keys import find_key

    try:
        return waiting.find(word) or waiting.find(str(find_key(word)))
    except UsageError:
        return None


@app.command(rich_help_panel=READ)
def remove(
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="A key, an address, or the name or title on the list."),
    ],
    path: OneList = None,
    library: LibraryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would go; write nothing.")
    ] = False,
) -> None:
    """Take an entry off its list, with the notes below it. `studiolo undo` puts every byte back.

    What is kept of it in `.studiolo/` stays: when you read it, and what was collected.

    \b
    Examples:
      studiolo remove FNet --dry-run
      studiolo remove arxiv:2105.03824
    """
    from studiolo.library import desk, load_waiting

    with in_turn(library, path):
        home, listed = one_entry(key, path, library)
        plan = desk.remove(home, listed)
        show_diff(plan)
        if dry_run:
            say("Nothing was written (--dry-run).")
            return
        make(home, plan)
    if listed.entry.key and (again := load_waiting(home).find(str(listed.entry.key))):
        say(
            f"It was collected too, so it waits in the inbox again. To pass it over: studiolo pass {again.name}"
        )


@app.command(rich_help_panel=PANEL)
def undo(library: LibraryOption = None) -> None:
    """Take back the last change to a list, to what is kept beside it, or to the inbox; run it again for the one before.

    Example:  studiolo undo
    """
    from studiolo.library import Library, undo as take_back

    with in_turn(library):
        say(f"Taken back: {take_back(Library.find(library)).what}")


@app.command(rich_help_panel=PANEL)
def triage(
    library: LibraryOption = None,
    path: ListOption = None,
    everything: Everything = False,
    source: Source = "",
    tag: TagOption = None,
) -> None:
    """Go through the inbox one work at a time: see where it would go and why, and the exact change, then decide.

    One letter answers, without Enter. Nothing is written without a y. Title, tags, note, state and section can be changed
    first. Every step can be undone with u, or later with `studiolo undo`; what is decided when you stop stays decided.

    \b
    Examples:
      studiolo triage
      studiolo triage --source github-stars --tag nlp
    """
    from studiolo.library import Library

    from .triaging import triage_inbox

    home = Library.find(library)
    triage_inbox(home, list_path(home, path), everything=everything, source=source, tags=tag or ())
