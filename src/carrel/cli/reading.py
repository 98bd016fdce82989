"""Commands that read a list: show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import out


app = typer.Typer()


@app.command(rich_help_panel="Read")
def show(
    path: Annotated[Path, typer.Argument(metavar="LIST", help="The Markdown list.")],
) -> None:
    """Show what is on a list, in the order of the file.

    Example:  carrel show lists/recent-ml-research.md
    """
    from carrel.lists import Document

    console = out()
    section: tuple[str, ...] | None = None
    for entry in Document.load(path).entries:
        if entry.section != section:
            section = entry.section
            console.print(f"\n{' › '.join(section)}", style="bold", markup=False)
        year = f" ({entry.year})" if entry.year else ""
        console.print(f"  {entry.title}{year}  {entry.key or ''}", markup=False)
        for question in entry.questions:
            console.print(f"    ? {question.text}", style="italic", markup=False)
