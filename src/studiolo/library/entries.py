"""Which entry of the lists a word means: a key, an address, a name or a title."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from studiolo.errors import UsageError
from studiolo.keys import find_key
from studiolo.lists import Document, Entry

from .folder import Library


class Listed(NamedTuple):
    """An entry and the list it stands on."""

    document: Document
    entry: Entry

    def __str__(self) -> str:
        return f"{called(self.entry)} ({self.document.path}:{self.entry.line})"

    @property
    def library(self) -> Library:
        """The library that its list belongs to."""
        return Library.find(near=self.document.path)


def called(entry: Entry) -> str:
    """Return what to call an entry in a sentence."""
    return entry.name or entry.title or str(entry.key)


def short(path: Path) -> Path:
    """Return a path as seen from the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def load_lists(paths: Sequence[Path] | None = None) -> list[Document]:
    """Return the lists asked for, or all of the library of the current folder.

    Raises:
        UsageError: none is asked for and there is none.
        ListError: one cannot be read.
    """
    if not paths:
        library = Library.find()
        paths = [short(path) for path in library.list_paths()]
        if not paths:
            raise UsageError(
                f"There is no Markdown list in {library.folder}. Name one, or create one with: studiolo init"
            )
    return [Document.load(path) for path in paths]


def find_entries(word: str, documents: Sequence[Document]) -> list[Listed]:
    """Return the entries that a word means, one a list: by key, else by the whole name or title, else by a part of it.

    Raises:
        UsageError: there is none, or there are several that are not one paper.
    """
    rows = [Listed(document, entry) for document in documents for entry in document.entries]
    try:
        key = find_key(word)
    except UsageError:
        wanted = " ".join(word.split()).casefold()
        names = [
            (row, {(row.entry.name or "").casefold(), row.entry.title.casefold()}) for row in rows
        ]
        found = [row for row, both in names if wanted in both]
        found = found or [row for row, both in names if any(wanted in name for name in both)]
        if len({row.entry.key or row.entry.title for row in found}) > 1:
            raise UsageError(
                f"{word!r} may mean: {'; '.join(map(str, found[:6]))}. Give more of the title, or its key."
            ) from None
    else:
        found = [row for row in rows if row.entry.key == key]
        found = found or [row for row in rows if key in row.entry.keys]
    if not found:
        where = ", ".join(str(document.path) for document in documents[:5])
        raise UsageError(f"{word!r} is not on {where}. To see what is: studiolo show LIST")
    first_of: dict[Path | None, Listed] = {}
    for row in found:
        first_of.setdefault(row.document.path, row)
    return list(first_of.values())


def find_entry(word: str, documents: Sequence[Document]) -> Listed:
    """Return the one entry that a word means.

    Raises:
        UsageError: as `find_entries`, and if it is on several lists.
    """
    found = find_entries(word, documents)
    if len(found) > 1:
        raise UsageError(
            f"{word!r} is on {len(found)} lists: {'; '.join(map(str, found[:6]))}. Say which with --list."
        )
    return found[0]
