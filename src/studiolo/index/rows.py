"""What is indexed: one row for one paper, post or repository, as plain text.

Whatever a value is, a row comes of it: None and NaN are empty, numbers and dates become text, letters that no text can have
become "?". Data frames, JSON and BibTeX have all of these.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from typing import Any

from studiolo.errors import UsageError


_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can be found and suggested. Only `key` is needed; whatever is unknown stays empty.

    Attributes:
        key: what hits and suggestions are called by, e.g. `arxiv:2105.03824`. Any text; the index does not read it. Of
            rows with one key the first counts.
        title: on one line. Weighs most in search, and twice in suggestions.
        authors: full names in order, `("Ada Lovelace", "Alan Turing")`; a name weighs as a whole in suggestions and by its
            words in search. One text, "Ada Lovelace, Alan Turing", is cut at its commas.
        abstract: plain text.
        notes: what the reader wrote: notes, questions, answers. Searched, and read like an abstract for suggestions.
        section: headings above it, outermost first. Searched, and filtered by `section:`.
        list: file or list that it stands on; filtered by `list:`.
        tags: filtered by `tag:`.
        state: one word, filtered by `state:` ("to-read", "reading", "read").
        source: where it was collected, filtered by `source:` ("github-stars"); several are parted by blanks.
        has: what hangs on it, filtered by `has:` ("question", "code", "talk", "claims").
        keys: what else it is called, and the keys of its code and talks: `key:` finds a row by these and by its own.
        categories: of its archive, `("cs.LG", "stat.ML")`; for suggestions. One text, "cs.LG stat.ML", is cut at its blanks.
        date: ISO 8601, `2021-05-09`; also `2021-05` or `2021`. Filtered by `year:` and by `since`; what appeared when the
            seeds did is suggested first.
        place: where it stands, `lists/recent.md:33`; neither searched nor read, only handed back.
        url: its address; likewise.
    """

    key: str
    title: str = ""
    authors: tuple[str, ...] = ()
    abstract: str = ""
    notes: str = ""
    section: tuple[str, ...] = ()
    list: str = ""
    tags: tuple[str, ...] = ()
    state: str = ""
    source: str = ""
    has: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    date: str = ""
    place: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        for name in _TEXTS:
            value = getattr(self, name)
            if type(value) is not str or not value.isascii():
                object.__setattr__(self, name, as_text(value))
        for name, mark in _SEVERAL.items():
            value = getattr(self, name)
            if type(value) is not tuple or value:
                object.__setattr__(self, name, _several(value, mark))

    @property
    def day(self) -> int | None:
        """Number of the first day of `date` (1 January of year 1 is day 1), or None where it has no year."""
        return day_of(self.date)

    @property
    def year(self) -> int | None:
        """Year of `date`, if it starts with one."""
        return int(self.date[:4]) if self.date[:4].isdecimal() and len(self.date) >= 4 else None


@lru_cache(maxsize=1 << 15)
def day_of(text: str) -> int | None:
    """Return the number of the first day of `2021-05-09`, `2021-05` or `2021`, or None if it does not begin with a year."""
    match = _DATE.match(text)
    year, month, day = map(int, match.groups("1")) if match else (0, 1, 1)
    for parts in ((year, month, day), (year, month, 1), (year, 1, 1)):
        with contextlib.suppress(ValueError):
            return date(*parts).toordinal()
    return None


_SEVERAL = {
    "authors": ",",
    "section": "\0",
    "tags": "\0",
    "has": "\0",
    "keys": "\0",
    "categories": None,
}
_NAMES = [field.name for field in fields(Row)]
_TEXTS = [name for name in _NAMES if name not in _SEVERAL]


def as_text(value: Any) -> str:
    """Return a value as a text that can be stored; None and NaN are empty."""
    if type(value) is str and value.isascii():
        return value
    if value is None or value != value:  # NaN differs from itself
        return ""
    return str(value).encode("utf-8", "replace").decode()


def rows_of(
    rows: Iterable[Row | Mapping[str, Any]], what: str = "Row", first: int = 1
) -> Iterator[Row]:
    """Yield rows as `Row`, one at a time; a mapping has the fields of `Row` as its keys.

    Args:
        what: how errors call a row, whose number follows, from `first` on.

    Raises:
        UsageError: something is not a row or mapping, lacks a key, or has a field that rows do not have.
    """
    if isinstance(rows, str | bytes | Row | Mapping) or not isinstance(rows, Iterable):
        raise UsageError(
            f"Rows are given as one {type(rows).__name__}. Give a list, or another iterable, of Rows or of mappings such as {_EXAMPLE}."
        )
    for number, row in enumerate(rows, start=first):
        if not isinstance(row, Row):
            row = _row_of(row, f"{what} {number}")
        if not row.key:
            raise UsageError(f"{what} {number} has no key. Give each row one: any text of its own.")
        yield row


_EXAMPLE = "{'key': …, 'title': …}"


def _row_of(row: Any, which: str) -> Row:
    if not isinstance(row, Mapping):
        raise UsageError(
            f"{which} is of type {type(row).__name__}. Give a Row, or a mapping such as {_EXAMPLE}."
        )
    if unknown := row.keys() - set(_NAMES):
        raise UsageError(
            f"{which} has the field {min(map(str, unknown))!r}. Rows have: {', '.join(sorted(_NAMES))}."
        )
    return Row(**{"key": "", **row})


def _several(value: Any, mark: str | None) -> tuple[str, ...]:
    """Return several texts; one text is cut at the mark, or at blanks."""
    if isinstance(value, str):
        value = value.split(mark)
    elif not isinstance(value, Iterable):  # None, NaN
        value = [value]
    return tuple(text for one in value if (text := as_text(one).strip()))
