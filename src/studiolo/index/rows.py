"""What is indexed: one row for one paper, post or repository, as plain text."""

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
        categories: of its archive ("cs.LG", "stat.ML"); for suggestions.
        date: ISO 8601, `2021-05-09`; also `2021-05` or `2021`. Filtered by `year:` and by `since`.
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
    categories: tuple[str, ...] = ()
    date: str = ""
    place: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        for name in ("authors", "section", "tags", "has", "categories"):
            value = getattr(self, name)
            if not isinstance(value, tuple):
                object.__setattr__(self, name, _several(value, cut=name == "authors"))

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
    """Return the number of the first day of `2021-05-09`, `2021-05` or `2021`, or None where there is no year."""
    match = _DATE.match(text)
    year, month, day = map(int, match.groups("1")) if match else (0, 1, 1)
    for parts in ((year, month, day), (year, month, 1), (year, 1, 1)):
        with contextlib.suppress(ValueError):
            return date(*parts).toordinal()
    return None


_NAMES = frozenset(field.name for field in fields(Row))


def rows_of(rows: Iterable[Row | Mapping[str, Any]]) -> Iterator[Row]:
    """Yield rows as `Row`, one at a time; a mapping has the fields of `Row` as its keys.

    Raises:
        UsageError: a mapping lacks `key`, or has a field that rows do not have.
    """
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Row):
            yield row
            continue
        if unknown := row.keys() - _NAMES:
            raise UsageError(
                f"Row {number} has the field {min(unknown)!r}. Rows have: {', '.join(sorted(_NAMES))}."
            )
        if "key" not in row:
            raise UsageError(f"Row {number} has no key. Give each row one: any text of its own.")
        yield Row(**row)


def _several(value: Any, *, cut: bool) -> tuple[str, ...]:
    if isinstance(value, str):
        parts = value.split(",") if cut else [value]
        return tuple(part.strip() for part in parts if part.strip())
    return tuple(value or ())
