"""Commands that set things up: init, new-paper."""

from __future__ import annotations

import shutil
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from studiolo.errors import FileError

from .console import say
from .scaffold import new_paper_folder


app = typer.Typer()
PANEL = "Start"
EXAMPLE = Path(__file__).parents[1] / "example"


@app.command(rich_help_panel=PANEL)
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to create the library in.")] = Path(),
    empty: Annotated[bool, typer.Option("--empty", help="Leave out the list to try.")] = False,
) -> None:
    """Create a library: a folder with your lists, and `.studiolo/` for what Studiolo knows about them.

    A folder that already has Markdown lists only gets a `.studiolo/`; the lists are not touched. Otherwise a reading
    list to try is added. Running this again changes nothing.

    Example:  studiolo init my-library
    """
    from studiolo.library import Library

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror}.") from error
    home = Library.find(folder)
    known = home.state.exists()
    home.prepare()
    lists = sorted({*folder.glob("*.md"), *folder.glob("lists/*.md")})
    if not lists and not empty:
        for part in ("lists", "topics"):
            shutil.copytree(EXAMPLE / part, folder / part)
        lists = sorted(folder.glob("lists/*.md"))
    say(f"{'Already a library' if known else 'A library'}: {folder.resolve()}")
    for path in lists:
        say(f"  list {path}")
    if lists:
        say(f"Next: studiolo show {lists[0]}")


@app.command("new-paper", rich_help_panel=PANEL)
def new_paper(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SLUG|KEY", help="A name for the folder, or a key: arxiv:2105.03824."
        ),
    ],
    library: Annotated[
        Path, typer.Option("--library", help="The library whose papers/ the folder goes into.")
    ] = Path(),
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no server; use only what is already known.")
    ] = False,
) -> None:
    """Start a paper folder that passes its own tests, to be filled in from top to bottom.

    Given a key, it fills in title, authors, year and version from what is known about the paper, from your lists, or from
    arXiv and similar services.

    Example:  studiolo new-paper arxiv:2105.03824
    """
    folder = new_paper_folder(name, library, offline=offline)
    say(f"A paper folder: {folder}")
    for path in sorted(folder.iterdir()):
        say(f"  {path.name}")
    say(f"Next: fill in {folder / 'paper.toml'}, then: python -m pytest {quote(str(folder))}")
