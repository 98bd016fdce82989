"""Python's garbage collector, while many small objects are made: the entries of a list, the syntax trees of papers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's garbage collector from walking what is made again and again while it grows: a third of the time.

    Afterwards what was made counts as old, so that it is not walked at once either.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
