"""The library in the browser: a local app over the same lists, desk, index and runs as the commands."""

from .app import make_app
from .server import serve


__all__ = ["make_app", "serve"]
