"""The root of the command line: what `studiolo --help` shows."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command_name

import studiolo

from . import (
    auditing,
    bibliography,
    collecting,
    finding,
    identity,
    inbox,
    log,
    planning,
    pools,
    reading,
    reporting,
    running,
    serving,
    start,
    syncing,
    tagging,
    tending,
)
from .console import listen, say


def flowing(text: str) -> str:
    """Return a help text that a terminal of any width can wrap: its paragraphs in one line each, examples as they are."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        part if part.startswith("\b") or "\n " in part else part.replace("\n", " ")
        for part in paragraphs
    )


class _Root(typer.Typer):
    """Builds only the command that is called: to build them all takes a fifth of the time of a short one."""

    def __init__(self) -> None:
        super().__init__(
            name="studiolo",
            no_args_is_help=True,
            pretty_exceptions_enable=False,
            add_completion=True,
            rich_markup_mode="rich",
            context_settings={"help_option_names": ["-h", "--help"]},
        )

    def __call__(self, args: Sequence[str] | None = None, **options: Any) -> Any:
        words = sys.argv[1:] if args is None else args
        one = self._with_only(words[0]) if words else None
        return super().__call__(args, **options) if one is None else one(args, **options)

    def _with_only(self, name: str) -> typer.Typer | None:
        """Return the root with one command of it; None if none is called so."""
        one = typer.Typer(pretty_exceptions_enable=False)
        one.info, one.registered_callback = self.info, self.registered_callback
        for group in self.registered_groups:
            assert group.typer_instance is not None
            for command in group.typer_instance.registered_commands:
                assert command.callback is not None
                if name == (command.name or get_command_name(command.callback.__name__)):
                    one.registered_commands = [command]
                    return one
        return None


app = _Root()
for group in (
    start,
    reading,
    tagging,
    log,
    finding,
    collecting,
    syncing,
    tending,
    inbox,
    identity,
    bibliography,
    pools,
    planning,
    running,
    reporting,
    serving,
    auditing,
):
    for command in group.app.registered_commands:
        command.help = flowing(command.help or inspect.getdoc(command.callback) or "")
    app.add_typer(group.app)


def _show_version(value: bool) -> None:
    if value:
        say(f"studiolo {studiolo.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A reading list you can run.

    Start:  [bold]studiolo init[/]  makes a library here, with a list to try.
    Read:   [bold]studiolo show LIST[/]  what is on the list.
    Run:    [bold]studiolo run LIST[/]  re-measures what its papers claim, on this machine.
    Look:   [bold]studiolo report LIST[/]  one HTML page with every verdict.
    Sit:    [bold]studiolo serve[/]  the library in the browser.
    Find:   [bold]studiolo find WORDS[/]  in titles, authors, abstracts, notes; [bold]studiolo suggest[/]  what to read next.
    Gather: [bold]studiolo collect bookmarks FILE[/]  what you saved elsewhere, into an inbox; [bold]studiolo sync[/]  all of it again.
    Decide: [bold]studiolo triage[/]  from the inbox to the list, one key a paper; [bold]studiolo undo[/]  takes any step back.
    """
    listen()
