"""Which entry of the lists a word means: a key, an address, a name or a title."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from studiolo.errors import UsageError
from studiolo.files import kind_at
from studiolo.keys import find_key
from studiolo.lists import Document, Entry

from .folder import Library


_HOW = "Name one, or create one with: studiolo init"


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


def few(words: Iterable[object], most: int, between: str = ", ") -> str:
    """Return some of many words for a sentence, and how many more there are."""
    said = list(map(str, words))
    more = len(said) - most
    return between.join(said[:most]) + (f" and {more:,} more" if more > 0 else "")


def load_lists(
    words: Sequence[Path | str] | None = None, library: Library | None = None
) -> list[Document]:
    """Return the lists asked for, each by its path or name, or all of a library, by default that of the current folder.

    Raises:
        UsageError: none is asked for and there is none; or there is no list of a name.
        ListError: one cannot be read.
    """
    home = library or Library.find()
    if words:
        return [Document.load(find_list(home, str(word))) for word in words]
    paths = home.list_paths()
    if not paths:
        raise UsageError(f"There is no Markdown list in {home.folder}. {_HOW}")
    return [Document.load(short(path)) for path in paths]


def find_list(library: Library, word: str = "", *, whole: bool = False) -> Path:
    """Return the list that a word means: a path, a name such as `reading` for `lists/reading.md`, or its beginning.

    Args:
        word: a path as seen from here or from the library; the library's main list where empty.
        whole: its beginning alone does not mean it.

    Raises:
        UsageError: there is no such list, or there are several.
    """
    if not word:
        path = library.main_list()
        if path is None:
            raise UsageError(f"There is no Markdown list in {library.folder}. {_HOW}")
        return short(path)
    for path in (Path(word), library.folder / word):
        if kind_at(path) == "file":
            return path
    paths = library.list_paths()
    names = {path: _names_of(library, path) for path in paths}
    wanted = word.casefold()
    found = [path for path in paths if wanted in names[path]]
    if not found and not whole:
        found = [p for p in paths if any(name.startswith(wanted) for name in names[p])]
    if len(found) == 1:
        return short(found[0])
    if found:
        shown = few(map(library.relative, found), 8)
        raise UsageError(f"{word!r} may be one of: {shown}. Give more of its path.")
    if "/" in word or word.casefold().endswith((".md", ".markdown")):
        return Path(word)  # what is wrong with it is said when it is read
    shown = few(map(library.relative, paths), 8) or "none"
    raise UsageError(f"There is no list {word!r} in {library.folder}. There are: {shown}.")


def _names_of(library: Library, path: Path) -> tuple[str, ...]:
    whole = library.relative(path).casefold()
    return (path.stem.casefold(), path.name.casefold(), whole, whole.removesuffix(path.suffix))


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
                f"{word!r} may mean: {few(map(_with_key, found), 6, '; ')}. Give more of the title, or its key."
            ) from None
    else:
        found = [row for row in rows if row.entry.key == key]
        found = found or [row for row in rows if key in row.entry.keys]
        speaking = [row for row in rows if key in row.entry.mentioned]
        if speaking and not found:
            raise UsageError(
                f"{key} is on no list; it is only mentioned below {speaking[0]}. To put it on one: studiolo add {key}"
            )
    if not found:
        where = few((document.path for document in documents), 5)
        raise UsageError(f"{word!r} is not on {where}. To see what is: studiolo show LIST")
    first_of: dict[Path | None, Listed] = {}
    for row in found:
        first_of.setdefault(row.document.path, row)
    return list(first_of.values())


def _with_key(listed: Listed) -> str:
    return f"{listed}, {listed.entry.key}" if listed.entry.key else str(listed)


def find_entry(word: str, documents: Sequence[Document]) -> Listed:
    """Return the one entry that a word means.

    Raises:
        UsageError: as `find_entries`, and if it is on several lists.
    """
    found = find_entries(word, documents)
    if len(found) > 1:
        raise UsageError(
            f"{word!r} is on {len(found)} lists: {few(found, 6, '; ')}. Say which with --list."
        )
    return found[0]
