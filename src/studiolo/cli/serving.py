"""The command that shows the library in the browser: serve."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from studiolo.errors import UsageError

from .console import say


app = typer.Typer()
WEB_EXTRA = {"starlette": "starlette", "uvicorn": "uvicorn", "python-multipart": "python_multipart"}


@app.command(rich_help_panel="Look")
def serve(
    library: Annotated[
        Path | None,
        typer.Argument(
            metavar="LIBRARY",
            help="The library; default: the nearest folder with .studiolo/, else this one.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="On 127.0.0.1; 0: any free one.")
    ] = 8420,
    open_it: Annotated[bool, typer.Option("--open", help="Open the browser there.")] = False,
) -> None:
    """Show the library in the browser: read, search, decide about the inbox and measure, with the same changes as commands.

    Only this machine can connect, and only pages of this server can change anything. Every change is shown before it is
    written, and `studiolo undo` takes it back. Ctrl-C ends it.

    \b
    Examples:
      studiolo serve
      studiolo serve my-library --port 9000 --open
    """
    if missing := [name for name, module in WEB_EXTRA.items() if find_spec(module) is None]:
        raise UsageError(
            f"This needs {', '.join(missing)}, which is not installed. To install it: pip install 'studiolo[web]'"
        )
    from studiolo.library import Library
    from studiolo.web import serve as serve_library

    home = Library.find(library)

    def started(address: str) -> None:
        say(f"Serving {home.folder.resolve()} at {address}  (Ctrl-C ends it)")
        if open_it:
            typer.launch(address)

    serve_library(home.folder, port, started)
