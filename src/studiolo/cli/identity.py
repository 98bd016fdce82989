"""Commands about what belongs together and what is known of it: why, same, not-same, lookup, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import out
from .options import PANEL, LibraryOption, ListOption, Offline, key_from, make_client, printable


if TYPE_CHECKING:
    from studiolo.keys import Key

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def why(
    one: Annotated[str, typer.Argument(metavar="KEY", help="A key, or an address.")],
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]", help="Without it: everything that is related to the first."
        ),
    ] = None,
    library: LibraryOption = None,
) -> None:
    """Print the evidence that two keys are one work, or that one is about the other: who says so, and where.

    \b
    Examples:
      studiolo why github:google-research/google-research arxiv:2009.14794
      studiolo why arxiv:2009.14794
    """
    from studiolo.library import Library, load_works

    works = load_works(Library.find(library))
    a = key_from(one)
    console = out()
    if other is None:
        edges = works.edges_of(a)
        for edge in edges:
            console.print(printable(str(edge)), markup=False)
        if not edges:
            console.print(f"Nothing is known about {a} beside itself.", markup=False)
        return
    b = key_from(other)
    chain = works.why(a, b)
    if works.kept_apart(a, b):
        console.print(f"{a} and {b} are not the same: you said so.", markup=False)
    elif not chain:
        console.print(f"Nothing relates {a} and {b}.", markup=False)
        raise typer.Exit(1)
    for edge in chain:
        console.print(printable(str(edge)), markup=False)


def _say(one: Key, other: Key, grade: str, folder: Path | None) -> None:
    from studiolo.library import READER, Edge, Library, save_edges

    save_edges(Library.find(folder), [Edge(one, other, grade, "the reader says so", READER)])


@app.command(rich_help_panel=PANEL)
def same(
    one: Annotated[str, typer.Argument(metavar="KEY", help="A key, or an address.")],
    other: Annotated[str, typer.Argument(metavar="KEY", help="The other key or address.")],
    library: LibraryOption = None,
) -> None:
    """Say that two keys are one work, or that a repository, talk or post is about a paper. Your word is stronger than any
    service's; the last word counts.

    Example:  studiolo same arxiv:2009.14794 https://openreview.net/forum?id=Ua6zuk0WRH
    """
    a, b = key_from(one), key_from(other)
    if a.names_paper == b.names_paper:
        _say(a, b, "same", library)
        out().print(f"{a} and {b} are one work.", markup=False)
    else:
        thing, paper = (b, a) if a.names_paper else (a, b)
        _say(thing, paper, "about", library)
        out().print(f"{thing} is about {paper}.", markup=False)


@app.command("not-same", rich_help_panel=PANEL)
def not_same(
    one: Annotated[str, typer.Argument(metavar="KEY", help="A key, or an address.")],
    other: Annotated[str, typer.Argument(metavar="KEY", help="The other key or address.")],
    library: LibraryOption = None,
) -> None:
    """Say that two keys are not one work, and that neither is about the other. It is remembered, whatever anybody says later.

    Example:  studiolo not-same github:owner/fork arxiv:2009.14794
    """
    a, b = key_from(one), key_from(other)
    _say(a, b, "different", library)
    out().print(f"{a} and {b} are kept apart.", markup=False)


@app.command(rich_help_panel=PANEL)
def lookup(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY...]", help="Without it: every paper of the lists and the inbox."
        ),
    ] = None,
    library: LibraryOption = None,
    offline: Offline = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask again for what is known.")
    ] = False,
    crosswalk: Annotated[
        bool,
        typer.Option(
            "--crosswalk", help="Also ask which preprint and which publication are one work."
        ),
    ] = False,
    repositories: Annotated[
        bool,
        typer.Option(
            "--repositories",
            help="Also ask GitHub which papers the repositories of the inbox name.",
        ),
    ] = False,
) -> None:
    """Ask the services for titles, authors and years; what they say is kept and is there offline.

    arXiv is asked first, a hundred papers at a time and never more than once in three seconds; then Semantic Scholar, OpenAlex,
    Crossref and DataCite. STUDIOLO_CONTACT=you@example.org puts your address into the User-Agent, as the services wish.

    \b
    Examples:
      studiolo lookup
      studiolo lookup arxiv:2105.03824 --crosswalk
    """
    from studiolo.library import Library, fetch_facts, load_waiting

    found = Library.find(library)
    view = load_waiting(found)
    wanted = [key_from(key) for key in keys or []]
    if not keys:
        wanted = [key for key in view.on_lists if key.names_paper]
        wanted += [
            pending.key for pending in view.pending if pending.key and pending.key.names_paper
        ]
        if repositories:
            wanted += [
                pending.key
                for pending in view.pending
                if pending.key and pending.key.kind == "github"
            ]
    with make_client(found, offline=offline) as client:
        result = fetch_facts(found, wanted, client, refresh=refresh, crosswalk=crosswalk)
    console = out()
    if keys:
        for key in wanted:
            facts = result.facts.get(key)
            if facts and facts.title:
                authors = ", ".join(facts.authors[:3]) + (
                    " and others" if len(facts.authors) > 3 else ""
                )
                console.print(
                    printable(
                        f"{key}  {facts.title} - {facts.year or 'no year'} - {authors} ({facts.said_by})"
                    ),
                    markup=False,
                )
    known = sum(1 for facts in result.facts.values() if not facts.missing)
    new = sum(1 for facts in result.new if not facts.missing)
    asked = len(set(wanted))
    console.print(
        f"asked {asked:,} = known before {known - new:,} + new {new:,} + unknown to every service {len(result.missing):,}"
        f" + without an answer {len(result.failed):,}",
        markup=False,
    )
    for reason in sorted(set(result.failed.values()))[:5] + result.notes:
        console.print(f"  {printable(reason)}", markup=False)
    for key in result.missing[:10]:
        console.print(f"  unknown: {key}", markup=False)


@app.command("export", rich_help_panel=PANEL)
def export_command(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="bibtex, csl, ris, html, json or csv.")
    ],
    path: ListOption = None,
    library: LibraryOption = None,
    section: Annotated[
        str, typer.Option("--section", "-s", help="Only what stands below this heading.")
    ] = "",
    with_inbox: Annotated[
        bool, typer.Option("--inbox", help="The inbox instead of the lists.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Without it: standard output."),
    ] = None,
) -> None:
    """Write lists out as BibTeX, CSL-JSON (Zotero, pandoc), RIS, bookmarks (HTML), JSON or CSV.

    Cite keys stay the same when the list is put into another order. Titles that would be code in the format are neutralised.

    \b
    Examples:
      studiolo export bibtex -o references.bib
      studiolo export html --section Transformers -o bookmarks.html
      studiolo export csl --inbox
    """
    from studiolo.errors import UsageError
    from studiolo.files import save_bytes
    from studiolo.library import (
        FORMATS,
        Library,
        in_section,
        load_facts,
        load_waiting,
        works_of_document,
        works_of_inbox,
        works_of_library,
    )
    from studiolo.lists import Document

    if form not in FORMATS:
        raise UsageError(f"There is no format {form!r}. There are: {', '.join(FORMATS)}.")
    found = Library.find(library)
    if with_inbox:
        works = works_of_inbox(load_waiting(found))
    elif path is not None:
        works = works_of_document(Document.load(path), found.relative(path), load_facts(found))
    else:
        works = works_of_library(found)
    if section:
        works = in_section(works, section)
        if not works:
            raise UsageError(f"Nothing stands below a heading {section!r}.")
    text = FORMATS[form](works)
    if output is None:
        typer.echo(text, nl=False)
    else:
        save_bytes(output.expanduser().absolute(), text.encode("utf-8", "replace"))
        out().print(f"{len(works):,} works written to {output}", markup=False)
