"""Commands that show results: report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .console import say, say_file
from .options import ListPath, home_of, named_list


app = typer.Typer()


class Format(StrEnum):
    """What a report is written as."""

    html = "html"
    md = "md"
    json = "json"


@app.command(rich_help_panel="Look")
def report(
    path: ListPath = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="html writes a page; md (for a README) and json print to standard output.",
        ),
    ] = Format.html,
    split: Annotated[
        bool,
        typer.Option(
            "--split",
            help="Write an index and a page per paper into a folder, ready for GitHub Pages.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The page to write, or with --split the folder; default: in .studiolo/report/.",
        ),
    ] = None,
    static: Annotated[bool, typer.Option("--static", help="Leave out the page's script.")] = False,
    library: Annotated[
        Path | None,
        typer.Option(
            "--library", "-l", help="Where records and report are; default: the list's own library."
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write one HTML page: the list with its verdicts, and a section for each paper that can run.

    It is made only from the list and the records; nothing is measured. Badges for a README are written beside it.

    Examples:

      studiolo report lists/recent-ml-research.md --open

      studiolo report lists/recent-ml-research.md --split -o site

      studiolo report lists/recent-ml-research.md --format md > results.md
    """
    from studiolo import report as reports
    from studiolo.errors import UsageError
    from studiolo.lists import Document

    if format_ is not Format.html and (split or output):
        raise UsageError(
            f"--split and --output write pages; --format {format_} prints to standard output."
        )
    path = named_list(path, library)
    document, home = Document.load(path), home_of(path, library)
    view = reports.load_view(document, home)
    for complaint in reports.note_seen(view):
        say(complaint, to_err=True)
    if format_ is Format.html:
        if split:
            page = reports.write_site(view, output, live=not static)
        else:
            page = reports.write_report(view, output, live=not static)
        if open_it:
            typer.launch(page.as_uri())
        say(page)
    elif format_ is Format.json:
        say_file(reports.report_json(view))
    else:
        text = reports.report_markdown(view)
        for line in text.removesuffix("\n").split("\n"):
            say(line)
