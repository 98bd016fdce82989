"""Which library a list belongs to."""

from __future__ import annotations

from pathlib import Path


def library_root(path: Path) -> Path:
    """Return the folder of the library that the list at `path` belongs to, as an absolute path.

    The nearest folder above it that holds `.carrel/`; else the list's own folder, or the one above where that is
    called `lists`.
    """
    folder = path.resolve().parent
    for ancestor in (folder, *folder.parents):
        if (ancestor / ".carrel").is_dir():
            return ancestor
    return folder.parent if folder.name == "lists" else folder
