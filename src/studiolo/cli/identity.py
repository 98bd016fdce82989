"""Commands about what belongs together and what is known of it: why, same, not-same, lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .console import say
from .options import PANEL, LibraryOption, Offline, make_client


if TYPE_CHECKING:
    from studiolo.keys import Key
    from studiolo.library import Waiting
    from studiolo.metadata import Facts

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def why(
    one: Annotated[str, typer.Argument(metavar="KEY", help="A key, or an address.")],
    other: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="Without it: everything related to the first."),
    ] = None,
    library: LibraryOption = None,
) -> None:
    """Show the evidence that two keys are one work, or that one is about the other: who says so, and where.

    \b
    Examples:
      studiolo why github:google-research/google-research arxiv:2009.14794
      studiolo why arxiv:2009.14794
    """
    from studiolo.keys import find_key
    from studiolo.library import Library, load_works

    works = load_works(Library.find(library))
    a = find_key(one)
    if other is None:
        edges = works.edges_of(a)
        for edge in edges:
            say(edge)
        if not edges:
            say(f"Nothing else is known about {a}.")
        return
    b = find_key(other)
    chain = works.why(a, b)
    if works.kept_apart(a, b):
        say(f"{a} and {b} are not the same: you said so.")
    elif not chain:
        say(f"Nothing relates {a} and {b}.")
        raise typer.Exit(1)
    for edge in chain:
        say(edge)


@app.command(rich_help_panel=PANEL)
def same(
    one: Annotated[str, typer.Argument(metavar="KEY", help="A key, or an address.")],
    other: Annotated[str, typer.Argument(metavar="KEY", help="The other key or address.")],
    library: LibraryOption = None,
) -> None:
    """Say that two keys are one work, or that a repository, talk or post is about a paper. Your word
    overrides every service's, and your last word counts. `studiolo undo` takes it back.

    Example:  studiolo same arxiv:2009.14794 "https://openreview.net/forum?id=Ua6zuk0WRH"
    """
    from studiolo.keys import find_key
    from studiolo.library import Library, carry_out, relate

    plan = relate(find_key(one), find_key(other))
    carry_out(Library.find(library), plan)
    say(plan.done)


@app.command("not-same", rich_help_panel=PANEL)
def not_same(
    one: Annotated[str, typer.Argument(metavar="KEY", help="A key, or an address.")],
    other: Annotated[str, typer.Argument(metavar="KEY", help="The other key or address.")],
    library: LibraryOption = None,
) -> None:
    """Say that two keys are not one work, and that neither is about the other. This is remembered, whatever a service says later.

    Example:  studiolo not-same github:owner/fork arxiv:2009.14794
    """
    from studiolo.keys import find_key
    from studiolo.library import Library, carry_out, keep_apart

    plan = keep_apart(find_key(one), find_key(other))
    carry_out(Library.find(library), plan)
    say(plan.done)


@app.command(rich_help_panel=PANEL)
def lookup(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="Default: every paper on the lists and in the inbox."),
    ] = None,
    library: LibraryOption = None,
    offline: Offline = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask again for what is already known.")
    ] = False,
    crosswalk: Annotated[
        bool,
        typer.Option(
            "--crosswalk", help="Also ask which preprint and publication are the same work."
        ),
    ] = False,
    repositories: Annotated[
        bool,
        typer.Option(
            "--repositories",
            help="Also ask GitHub which papers the repositories in the inbox name.",
        ),
    ] = False,
) -> None:
    """Fetch titles, authors and years from public services; the answers are kept for use offline.

    arXiv is asked first, a hundred papers at a time and never more than once in three seconds; then Semantic Scholar, OpenAlex,
    Crossref and DataCite. STUDIOLO_CONTACT=you@example.org puts your address into the User-Agent, as the services ask.

    \b
    Examples:
      studiolo lookup
      studiolo lookup arxiv:2105.03824 --crosswalk
    """
    from studiolo.keys import find_key
    from studiolo.library import Library, fetch_facts, load_waiting

    home = Library.find(library)
    waiting = load_waiting(home)
    wanted = [find_key(key) for key in keys or []] or _all_keys(waiting, repositories=repositories)
    with make_client(home, offline=offline) as client:
        result = fetch_facts(
            home, wanted, client, known=waiting.facts, refresh=refresh, crosswalk=crosswalk
        )
    for key in wanted if keys else ():
        _say_facts(key, result.facts.get(key))
    known = sum(1 for facts in result.facts.values() if not facts.missing)
    new = sum(1 for facts in result.new if not facts.missing)
    asked = len(set(wanted))
    say(
        f"asked {asked:,} = known before {known - new:,} + new {new:,} + unknown to every service {len(result.missing):,}"
        f" + without an answer {len(result.failed):,}"
    )
    for reason in sorted(set(result.failed.values()))[:5] + result.notes:
        say(f"  {reason}")
    for key in result.missing[:10]:
        say(f"  unknown: {key}")


def _all_keys(waiting: Waiting, *, repositories: bool) -> list[Key]:
    """Return the papers on the lists and in the inbox, and the repositories in the inbox where they are asked for."""
    in_inbox = [pending.key for pending in waiting.pending if pending.key]
    papers = [key for key in (*waiting.on_lists, *in_inbox) if key.names_paper]
    return papers + [key for key in in_inbox if repositories and key.kind == "github"]


def _say_facts(key: Key, facts: Facts | None) -> None:
    if facts and facts.title:
        others = " and others" if len(facts.authors) > 3 else ""
        authors = ", ".join(facts.authors[:3]) + others
        say(f"{key}  {facts.title} - {facts.year or 'no year'} - {authors} ({facts.said_by})")
