"""Which library a list belongs to."""

from __future__ import annotations

import os
from pathlib import Path


_NO_LISTS = frozenset({"papers", "node_modules", "__pycache__", "build", "dist", "site-packages"})


def library_root(path: Path) -> Path:
    """Return the folder of the library that the list at `path` belongs to, as an absolute path.

    The nearest folder above it that holds `.studiolo/`; else the list's own folder, or the one above where that is
    called `lists`.
    """
    folder = path.resolve().parent
    for ancestor in (folder, *folder.parents):
        if (ancestor / ".studiolo").is_dir():
            return ancestor
    return folder.parent if folder.name == "lists" else folder


def list_paths(root: Path) -> list[Path]:
    """Return the Markdown files of the library at `root`, sorted; hidden, build and `papers/` folders are left out."""
    found: list[Path] = []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and name not in _NO_LISTS]
        found += [
            Path(folder, name)
            for name in files
            if name.lower().endswith((".md", ".markdown")) and not name.startswith(".")
        ]
    return sorted(found)
