"""Commands that take lists out again: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import counted, say, say_file
from .options import PANEL, LibraryOption, ListOption, TagOption, list_path


app = typer.Typer()


@app.command("export", rich_help_panel=PANEL)
def export_command(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="bibtex, csl, ris, html, json or csv.")
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
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: standard output."),
    ] = None,
) -> None:
    """Export lists as BibTeX, CSL-JSON (Zotero, pandoc), RIS, bookmarks (HTML), JSON or CSV.

    Cite keys do not change when the list is reordered. Titles that would be code in the format are escaped.

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
        references_in_document,
        references_in_inbox,
        references_in_library,
    )
    from studiolo.lists import Document

    if form not in FORMATS:
        raise UsageError(f"There is no format {form!r}. There are: {', '.join(FORMATS)}.")
    home = Library.find(library)
    if with_inbox:
        references = references_in_inbox(load_waiting(home))
    elif chosen := list_path(home, path):
        references = references_in_document(
            Document.load(chosen), home.relative(chosen), load_facts(home)
        )
    else:
        references = references_in_library(home)
    if section:
        references = in_section(references, section)
        if not references:
            raise UsageError(f"There is nothing below a heading {section!r}.")
    for one in tag or ():
        references = [r for r in references if one.casefold() in map(str.casefold, r.tags)]
    if tag and not references:
        raise UsageError(
            f"Nothing has the tag {' and '.join(map(repr, tag))}. To see which there are: studiolo tags"
        )
    text = FORMATS[form](references)
    if output is None:
        say_file(text)
    else:
        save_bytes(output.expanduser().absolute(), text.encode("utf-8", "replace"))
        say(f"{counted(len(references), 'work')} written to {output}")
