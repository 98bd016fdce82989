"""The commands: the only room that prints. One module per group; each has an `app` that is merged into the root."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from .app import app
        from .console import run_app

        sys.exit(run_app(app))
    except KeyboardInterrupt:  # before the command began
        sys.exit(130)
