"""Commands that take lists out again: export, cite-key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import counted, say, say_file
from .options import PANEL, LibraryOption, ListOption, TagOption, in_turn, list_path


if TYPE_CHECKING:
    from studiolo.library import Library, Reference

app = typer.Typer()


@app.command("export", rich_help_panel=PANEL)
def export_command(
    form: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT", help="bibtex, csl, ris, html, json, csv, markdown or atom."
        ),
    ],
    path: ListOption = None,
    library: LibraryOption = None,
    section: Annotated[
        str, typer.Option("--section", "-s", help="Only what is below this heading.")
    ] = "",
    tag: TagOption = None,
    with_inbox: Annotated[
        bool, typer.Option("--inbox", help="The inbox instead of the lists.")
    ] = False,
    notes: Annotated[
        bool, typer.Option("--notes", help="Your notes, too; they are left out otherwise.")
    ] = False,
    url: Annotated[
        str, typer.Option("--url", help="Of a feed: where it will be, which is its identity too.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: standard output."),
    ] = None,
) -> None:
    """Export lists as BibTeX, CSL-JSON (Zotero, pandoc), RIS, bookmarks (HTML), JSON, CSV or Markdown, or what happened as a feed (atom).

    Entries that have an address, of your lists and not of topic pages or a README, completed by what was collected and
    looked up. A cite key that was exported once stays with its paper, whatever is added later; `studiolo cite-key` changes
    one. Your notes are left out unless you ask for them.

    The feed says what was added, begun, read, answered and measured, the newest first, for others to follow.

    \b
    Examples:
      studiolo export bibtex -o references.bib
      studiolo export html --section Transformers --notes -o bookmarks.html
      studiolo export csl --inbox
      studiolo export atom --url https://you.github.io/reading/feed.xml -o feed.xml
    """
    from studiolo.errors import UsageError
    from studiolo.library import FORMATS, Library

    if form == "atom":
        if path or section or tag or with_inbox or notes:
            raise UsageError(
                "A feed is of the whole library and has no notes. Give only --url and --output."
            )
        _export_feed(Library.find(library), url, output)
        return
    if form not in FORMATS:
        raise UsageError(f"There is no format {form!r}. There are: {', '.join(FORMATS)}, atom.")
    is_file = path is not None and Path(path).is_file()
    home = Library.find(library, near=Path(path) if path and is_file else None)
    references = _chosen(home, path, with_inbox=with_inbox, section=section)
    references = _tagged(home, references, tag or [])
    if form not in ("html", "markdown"):
        references = _named(home, references)
    if not notes:
        references = [replace(one, notes=()) for one in references]
    _put(FORMATS[form](references), output, counted(len(references), "work"))


def _chosen(home: Library, path: str | None, *, with_inbox: bool, section: str) -> list[Reference]:
    """Return the works of the inbox, of one list, or of all lists; only those below a heading where one is given."""
    from studiolo.errors import UsageError
    from studiolo.library import (
        Sayings,
        in_section,
        load_waiting,
        references_in_document,
        references_in_inbox,
        references_in_library,
    )
    from studiolo.lists import Document

    if with_inbox:
        found = references_in_inbox(load_waiting(home))
    elif chosen := list_path(home, path):
        document = Document.load(chosen)
        found = references_in_document(document, home.relative(chosen), Sayings.load(home))
    elif home.list_paths():
        found = references_in_library(home)
    else:
        raise UsageError(
            f"There is no Markdown list in {home.folder}. Name one with --list, or create one with: studiolo init"
        )
    found = in_section(found, section) if section else found
    if section and not found:
        raise UsageError(f"There is nothing below a heading {section!r}.")
    return found


def _tagged(home: Library, references: list[Reference], tags: list[str]) -> list[Reference]:
    """Return the works that have all of `tags`, each with its tags as they are meant."""
    from studiolo.errors import UsageError
    from studiolo.library import load_vocabulary

    vocabulary = load_vocabulary(home)
    has_tags = vocabulary.having(tags)
    found = [
        replace(one, tags=vocabulary.all_meant(one.tags))
        for one in references
        if has_tags(one.tags)
    ]
    if tags and not found:
        raise UsageError(
            f"Nothing has the tag {' and '.join(map(repr, tags))}. To see which there are: studiolo tags"
        )
    return found


def _put(text: str, output: Path | None, what: str) -> None:
    """Write an export to a file, and say what it holds; without one, print it."""
    from studiolo.files import save_bytes

    if output is None:
        say_file(text)
    else:
        save_bytes(output.expanduser().absolute(), text.encode("utf-8", "replace"))
        say(f"{what} written to {output}")


def _export_feed(home: Library, url: str, output: Path | None) -> None:
    from studiolo.errors import FileError
    from studiolo.garden import keep_first_sights, load_events, to_atom

    events = load_events(home)
    if home.state.is_dir():
        try:
            keep_first_sights(home, events)
        except FileError as error:
            say(f"{error} Since when entries are on the lists is not kept.", to_err=True)
    if (home.state / "results").is_dir():
        from studiolo.report import measured_events

        events += measured_events(home)
    _put(to_atom(home, events, url=url), output, counted(len(events), "event"))


def _named(home: Library, references: list[Reference]) -> list[Reference]:
    """Return the works with their cite keys, which are kept where that is possible."""
    from studiolo.errors import FileError
    from studiolo.library import keep_cite_keys, load_cite_keys, with_cite_keys

    if not references:
        return references
    is_new = not home.state.is_dir()
    try:
        named = keep_cite_keys(home, references)
        if is_new:
            say(f"The cite keys are kept from now on, in {home.state.resolve()}", to_err=True)
        return named
    except FileError as error:
        say(f"{error} New cite keys are not kept.", to_err=True)
        return with_cite_keys(references, load_cite_keys(home))


@app.command("cite-key", rich_help_panel=PANEL)
def cite_key(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A key, an address, or a part of the title.")
    ],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="What your bibliography is to call it."),
    ] = None,
    library: LibraryOption = None,
) -> None:
    """Choose the cite key of a paper for all exports to come, or show the one it has. A key of another paper is refused.

    \b
    Examples:
      studiolo cite-key arxiv:2105.03824 fnet
      studiolo cite-key arxiv:2105.03824
    """
    from studiolo.errors import UsageError
    from studiolo.keys import find_key
    from studiolo.library import (
        Library,
        carry_out,
        cite_key_of,
        find_entry,
        load_cite_keys,
        load_lists,
        load_same,
        plan_cite_key,
    )

    home = Library.find(library)
    try:
        own = find_key(key)
    except UsageError:
        found = find_entry(key, load_lists(library=home)).entry.key
        if found is None:
            raise UsageError(f"{key!r} has no link, so it is not exported. Give it one.") from None
        own = found
    keys = [own, *sorted(load_same(home).keys(own) - {own})]
    if name is not None:
        with in_turn(library):
            plan = plan_cite_key(home, keys, name)
            if plan is not None:
                carry_out(home, plan)
        say(f"{own} is called {name} in every export from now on.")
        return
    known = cite_key_of(load_cite_keys(home), keys)
    if not known:
        raise UsageError(
            f"{own} has no cite key yet: it gets one with the first export. To choose it: studiolo cite-key {own} NAME"
        )
    say(known)
