"""A library: a folder with Markdown lists, and Studiolo's facts about it in `.studiolo/`.

| file in `.studiolo/` | holds |
| --- | --- |
| `inbox.jsonl` | what was collected: items, folders, and where a source's last reading ended |
| `edges.jsonl` | what is known of identity from metadata services and from the reader |
| `metadata.jsonl` | title, authors, year of works |
| `triage.jsonl` | what was passed over |
| `undo.jsonl` | what was written into lists, so that it can be taken out again |
| `cache/` | answers of services; git-ignored, may be deleted |
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from studiolo.errors import UsageError
from studiolo.files import save_bytes
from studiolo.lists import Document, find_section


_NO_LISTS = frozenset({"papers", "node_modules", "__pycache__", "build", "dist", "site-packages"})


class Library:
    """The reader's folder. Making the object writes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def find(cls, folder: Path | None = None) -> Library:
        """Return the library of `folder`; without one, the nearest folder above the current one with `.studiolo/`, else the current.

        Raises:
            UsageError: `folder` is no folder.
        """
        if folder is not None:
            if not folder.is_dir():
                raise UsageError(
                    f"There is no folder {folder}. Make it first, or give --library another."
                )
            return cls(folder)
        here = Path.cwd()
        return cls(
            next((place for place in (here, *here.parents) if (place / ".studiolo").is_dir()), here)
        )

    @property
    def state(self) -> Path:
        """Where Studiolo keeps its facts."""
        return self.folder / ".studiolo"

    @property
    def cache(self) -> Path:
        """Where answers of services are kept; may be deleted."""
        return self.state / "cache"

    def prepare(self) -> None:
        """Make `.studiolo/`, if it is not there, with what git should ignore in it and how git should merge it."""
        self.state.mkdir(parents=True, exist_ok=True)
        for name, text in (
            (".gitignore", "cache/\nreport/\n*.tmp\n*.partial\n"),
            (".gitattributes", "*.jsonl merge=union\n"),
        ):
            if not (self.state / name).exists():
                save_bytes(self.state / name, text.encode())

    def list_paths(self) -> list[Path]:
        """Return the Markdown files of the library, sorted: hidden folders, `papers/` and build folders are left out."""
        return list_paths(self.folder)

    @cached_property
    def documents(self) -> dict[Path, Document]:
        """The lists, read once."""
        return {path: Document.load(path) for path in self.list_paths()}

    def relative(self, path: Path) -> str:
        """Return a list's name as shown to the reader and kept in `.studiolo/`."""
        try:
            return path.resolve().relative_to(self.folder.resolve()).as_posix()
        except ValueError:
            return str(path)

    def main_list(self) -> Path | None:
        """Return the list that new entries go to when none is named, or None where there is no list.

        Those in `lists/` come first, then those outside of `topics/`; among them the one with most entries.
        """

        def rank(path: Path) -> tuple[int, int, int, str]:
            parts = path.relative_to(self.folder).parts
            place = (
                2 if parts[0] == "lists" and len(parts) > 1 else 0 if parts[0] == "topics" else 1
            )
            return place, len(self.documents[path].entries), -len(parts), str(path)

        return max(self.documents, key=rank, default=None)

    def list_with_section(self, section: str) -> Path | None:
        """Return the list that has a section of this name: the main one if it does, else the only other one, else None."""
        having = []
        for path, document in self.documents.items():
            try:
                find_section(document, section)
            except UsageError:
                continue
            having.append(path)
        main = self.main_list()
        return main if main in having else having[0] if len(having) == 1 else None


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
