"""Commands that show results: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


app = typer.Typer()


@app.command(rich_help_panel="Look")
def report(
    path: Annotated[Path, typer.Argument(metavar="LIST", help="The Markdown list.")],
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write one HTML page: the list with its verdicts, and a section for each paper that can run.

    It is made from the list and the records alone; nothing is measured.

    Example:  carrel report lists/recent-ml-research.md --open
    """
    from carrel.lists import Document, library_root
    from carrel.report import write_report

    page = write_report(Document.load(path), library_root(path))
    if open_it:
        typer.launch(page.as_uri())
    print(page)
