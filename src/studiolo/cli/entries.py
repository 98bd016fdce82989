"""Finding what a reader means on the lists, and saying it safely in a terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from studiolo.errors import UsageError

from .console import err


if TYPE_CHECKING:
    from studiolo.lists import Document, Entry


def home_of(path: Path, chosen: Path | None) -> Path:
    """Return the library that keeps what is measured for the list at `path`: the chosen one, else the list's own.

    Nothing is written into a folder that is meant to be read only; then the current folder keeps it, and it is said.
    """
    from studiolo.library import library_root

    root = chosen or library_root(path)
    if (root / ".studiolo").is_dir() or not root.is_dir() or root.stat().st_mode & 0o222:
        return root
    err().print(
        f"{root} is read only; records and report go to {Path.cwd() / '.studiolo'}.", markup=False
    )
    return Path.cwd()


def root_of(document: Document) -> Path:
    """Return the folder of the library that a list belongs to."""
    from studiolo.library import library_root

    return library_root(document.path or Path.cwd() / "list.md")


def documents_of(paths: list[Path] | None) -> list[Document]:
    """Load the lists asked for, or all of the library of the current folder."""
    from studiolo.library import library_root, list_paths
    from studiolo.lists import Document

    if not paths:
        root = library_root(Path.cwd() / "list.md")
        paths = [short(path) for path in list_paths(root)]
        if not paths:
            raise UsageError(
                f"There is no Markdown list in {root}. Name one, or start one with: studiolo init"
            )
    return [Document.load(path) for path in paths]


def short(path: Path) -> Path:
    """Return a path as seen from the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def find_entries(text: str, path: Path | None) -> list[tuple[Document, Entry]]:
    """Return the entries that `text` means: by key, else by name or title.

    Raises:
        UsageError: there is none, or several that are not one paper.
    """
    from studiolo.keys import find_key

    documents = documents_of([path] if path else None)
    rows = [(document, entry) for document in documents for entry in document.entries]
    try:
        key = find_key(text)
    except UsageError:
        wanted = " ".join(text.split()).casefold()
        names = [(row, {(row[1].name or "").casefold(), row[1].title.casefold()}) for row in rows]
        found = [row for row, both in names if wanted in both]
        found = found or [row for row, both in names if any(wanted in name for name in both)]
        if len({row[1].key or row[1].title for row in found}) > 1:
            raise UsageError(
                f"{text!r} may mean: {'; '.join(map(place, found[:6]))}. Give more of the title, or its key."
            ) from None
    else:
        found = [row for row in rows if row[1].key == key] or [
            row for row in rows if key in row[1].keys
        ]
    if not found:
        where = ", ".join(str(document.path) for document in documents[:5])
        raise UsageError(f"{text!r} is on none of: {where}. See what is with: studiolo show LIST")
    first_of: dict[Path | None, tuple[Document, Entry]] = {}
    for row in found:
        first_of.setdefault(row[0].path, row)
    return list(first_of.values())


def find_one(text: str, path: Path | None) -> tuple[Document, Entry]:
    """Return the one entry that `text` means; raises UsageError if it is on several lists, too."""
    found = find_entries(text, path)
    if len(found) > 1:
        raise UsageError(
            f"{text!r} is on {len(found)} lists: {'; '.join(map(place, found[:6]))}. Say which with --list."
        )
    return found[0]


def place(row: tuple[Document, Entry]) -> str:
    """Say which entry it is and where it stands."""
    return f"{called(row[1])} ({row[0].path}:{row[1].line})"


def called(entry: Entry) -> str:
    """Return what to call an entry in a sentence."""
    return plain(entry.name or entry.title or str(entry.key))


# control characters and those that turn the direction of what follows: shown as they are, a title could write
# over the terminal
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Return `text` without characters that could write over the terminal."""
    return _HARMFUL.sub("\ufffd", text)


def bold(text: str) -> str:
    """Return `text` bold where somebody watches."""
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def fold(text: str) -> str:
    """Return the words of a question as they are compared."""
    return " ".join(re.sub(r"[^\w\s]", " ", text).casefold().split())
