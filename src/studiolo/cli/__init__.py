"""The commands: the only room that prints. One module per group; each has an `app` that is merged into the root."""

import gc
import sys


def main() -> None:
    """Run the command line."""
    try:
        from .app import app
        from .console import run_app

        code = run_app(app)
        gc.freeze()  # nobody needs to look for garbage in what is given back as a whole
        sys.exit(code)
    except KeyboardInterrupt:  # before the command began
        sys.exit(130)
