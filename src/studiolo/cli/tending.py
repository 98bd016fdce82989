"""Commands by which a library tends itself: contents, topic, topics."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .asking import confirm
from .console import Styled, counted, say, say_json
from .diff import show_pages
from .options import AsJson, LibraryOption, in_turn


if TYPE_CHECKING:
    from studiolo.garden import Tending, Topic
    from studiolo.library import Library

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
    from studiolo.garden import load_catalogue, plan_contents
    from studiolo.library import Library, carry_out

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
    if new := [path for path in tending.unmarked if not path.exists()]:
        say(f"{_names(home, new)}: not there yet. To make it: studiolo contents --write --yes")
    if old := [path for path in tending.unmarked if path not in new]:
        say(
            f"{_names(home, old)}: without marks, so left as they are. To put them at the end: studiolo contents --write --yes"
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
    return confirm(
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


@app.command(rich_help_panel=PANEL)
def topic(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its title, its file, or the beginning of one.")
    ],
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Put the marks at the end of a page of yours that has none."
        ),
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page.")] = False,
    library: LibraryOption = None,
    as_json: AsJson = False,
) -> None:
    """Open the page of a topic, or make it, and gather there what names it: entries, notes, questions and pages.

    An entry names a topic if it links to its page, or if its title, its tags or a note below it says the name. Each stands on
    the page with a link back, between two marks, `<!-- studiolo:topic -->` and `<!-- /studiolo:topic -->`; no other byte of
    the page is touched. `studiolo contents --write` keeps it up to date, `studiolo undo` takes it back.

    \b
    Examples:
      studiolo topic "gradient double descent"
      studiolo topic kernels --open
    """
    from studiolo.garden import open_topic
    from studiolo.library import Library, carry_out

    home = Library.find(library)
    with in_turn(library):
        found = open_topic(home, name, into_unmarked=yes)
        if found.plan:
            if not as_json:
                show_pages(home, found.plan.pages)
            carry_out(home, found.plan)
    if as_json:
        say_json(_topic_json(found))
    else:
        _say_topic(found)
    if open_it:
        typer.launch((home.folder / found.name).resolve().as_uri())


def _say_topic(found: Topic) -> None:
    from studiolo.library import called

    say(Styled(found.title, "bold"), f"  {found.name}")
    for spot, entry in found.named.entries:
        say(f"  {called(entry)}  {entry.key or ''}  {spot}")
    for spot, text, _ in found.named.notes:
        say(f"  “{text}”  {spot}")
    for spot, question in found.named.questions:
        say(f"  {'?' if question.answer is None else 'A'} {question.text}  {spot}")
    for page in found.named.pages:
        say(f"  {page}")
    if found.is_new:
        say("This page is new. Take it back: studiolo undo")
    elif found.plan:
        say("Written. Take it back: studiolo undo")
    elif found.is_unmarked:
        say(
            f"{found.name} has no marks, so it stays as it is. To put this at its end: studiolo topic {quote(found.title)} --yes"
        )


def _topic_json(found: Topic) -> dict[str, Any]:
    named = found.named
    return {
        "page": found.name,
        "title": found.title,
        "entries": [
            {"entry": str(entry.key or entry.title), "place": str(spot)}
            for spot, entry in named.entries
        ],
        "notes": [{"note": text, "place": str(spot)} for spot, text, _ in named.notes],
        "questions": [
            {"question": question.text, "answer": question.answer, "place": str(spot)}
            for spot, question in named.questions
        ],
        "pages": list(named.pages),
    }


@app.command(rich_help_panel=PANEL)
def topics(
    make: Annotated[
        bool, typer.Option("--make", help="Make the pages that links lead to and that are missing.")
    ] = False,
    library: LibraryOption = None,
    as_json: AsJson = False,
) -> None:
    """List the pages in `topics/` of this library and the entries that name each, and the links to topics that lead nowhere.

    \b
    Examples:
      studiolo topics
      studiolo topics --make
    """
    from studiolo.errors import UsageError
    from studiolo.garden import load_topic_pages, missing_topics, open_topic
    from studiolo.library import Library, called, carry_out, short

    home = Library.find(library)
    missing = missing_topics(home)
    for one in missing if make else ():
        made = open_topic(home, one.page)
        assert made.plan is not None
        carry_out(home, made.plan)
        say(f"new: {made.name}, {made.title}, for {one.spot}")
    found = [open_topic(home, page) for page in load_topic_pages(home)]
    if as_json:
        say_json(
            [
                {
                    "path": str(short(home.folder / one.name)),
                    "title": one.title,
                    "entries": [str(entry.key or entry.title) for _, entry in one.named.entries],
                }
                for one in found
            ]
        )
        return
    if not found and not missing:
        raise UsageError(
            f"There is no page in {home.folder / 'topics'}. Make one: studiolo topic NAME"
        )
    for its in found:
        number = counted(len(its.named.entries), "entry", "entries")
        say(Styled(its.title, "bold"), f"  {short(home.folder / its.name)}  {number}")
        for spot, entry in its.named.entries:
            say(f"  {called(entry)} ({spot})")
    for one in () if make else missing:
        say(f"missing: {one.page}, {one.title}, linked in {one.spot}")
    if missing and not make:
        say("To make what is missing: studiolo topics --make, or one: studiolo topic NAME")
