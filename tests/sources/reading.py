"""How the tests read a source: bytes in, items, folders and skipped out."""

import io
import os
from pathlib import Path

import pytest

from studiolo.sources import SavedFolder, SavedItem, Skipped


def split(reading):
    """Return (items, folders, skipped) of a reading."""
    things = list(reading)
    return (
        [thing for thing in things if isinstance(thing, SavedItem)],
        [thing for thing in things if isinstance(thing, SavedFolder)],
        [thing for thing in things if isinstance(thing, Skipped)],
    )


def stream(text):
    return io.BytesIO(text if isinstance(text, bytes) else text.encode())


def shared(name):
    """Return a path below STUDIOLO_SHARED, or skip."""
    root = os.environ.get("STUDIOLO_SHARED")
    if not root:
        pytest.skip("STUDIOLO_SHARED is not set: the real exports are not here")
    return Path(root) / name
