"""How the commands speak: one console, errors as sentences, progress only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from studiolo.errors import StudioloError


if TYPE_CHECKING:
    from rich.console import Console


INTERRUPTED = 130  # the shell's exit code for Ctrl-C


def out() -> Console:
    """Return the console for results, on standard output."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Return the console for progress and errors, on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def run_app(app: Callable[[], Any]) -> int:
    """Run the command line and return its exit code; what Studiolo raises on purpose is shown as a sentence."""
    try:
        app()
    except StudioloError as error:
        sys.stdout.flush()
        print(f"studiolo: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("studiolo: stopped; what was finished is kept.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away, as `| head` does: nothing to report
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0
