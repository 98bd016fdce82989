"""The root of the command line: what `carrel --help` shows."""

from __future__ import annotations

from typing import Annotated

import typer

import carrel

from . import collecting, library, reading, reporting, running


app = typer.Typer(
    name="carrel",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (library, reading, collecting, running, reporting):
    app.add_typer(group.app)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"carrel {carrel.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A reading list you can run.

    Start:  [bold]carrel init[/]  makes a library here, with a list to try.
    Read:   [bold]carrel show LIST[/]  what is on the list.
    Run:    [bold]carrel run LIST[/]  re-measures what its papers claim, on this machine.
    Look:   [bold]carrel report LIST[/]  one HTML page with every verdict.
    Gather: [bold]carrel collect bookmarks FILE[/]  what you saved elsewhere, into an inbox.
    """
