"""Bookmarks as CSV: Raindrop, Pocket, Instapaper and whoever else writes a column of addresses."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import BinaryIO

from studiolo.errors import SourceError
from studiolo.keys import why_not_a_page
from studiolo.lists import Role, ranked_columns, role_of

from .dates import iso
from .guard import Counted, bounded_lines, one_line
from .saved import Reading, SavedItem, Skipped


ROW_BYTES = 1024**2
_HEADER = re.compile(rb"(?i)^\W{0,4}[\w \"-]{1,40}[,;\t]")


def looks_like_csv(head: bytes) -> bool:
    """Return whether a file begins with a header that has a column of addresses."""
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    names = [name.strip(b' "\r').decode("utf-8", "replace") for name in re.split(rb"[,;\t]", first)]
    return bool(_HEADER.match(first)) and "url" in map(role_of, names)


def parse_columns(stream: BinaryIO | Counted, name: str, source: str = "bookmarks") -> Reading:
    """Yield the rows; cells of other columns are kept under their names."""
    header: list[str] = []
    columns: Mapping[Role, list[int]] = {}
    delimiter, row_text, row_line = ",", "", 0
    for number, line in bounded_lines(stream, ROW_BYTES):
        if line is None:
            yield Skipped(f"{name}:{number}", f"a line longer than {ROW_BYTES:,} bytes")
            row_text = ""
            continue
        row_line = row_line if row_text else number
        row_text += line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").replace(
            "\0", ""
        )
        if row_text.count('"') % 2 and len(row_text) < ROW_BYTES:
            continue  # a note with line breaks goes on
        text, row_text = row_text, ""
        if not text.strip():
            continue
        if not header:
            delimiter = max(",;\t", key=text.count)
        try:
            cells = next(csv.reader(io.StringIO(text), delimiter=delimiter))
        except (csv.Error, StopIteration) as problem:
            yield Skipped(f"{name}:{row_line}", f"not a row of CSV ({problem})")
            continue
        if not header:
            header = [cell.strip().lower() for cell in cells]
            columns = ranked_columns(header)
            if "url" not in columns:
                raise SourceError(
                    f"{name} has no column of addresses; its columns are {', '.join(header)[:100]}."
                )
            continue
        yield _row(header, cells, columns, f"{name}:{row_line}", source)
    if row_text.strip():
        yield Skipped(f"{name}:{row_line}", "a row whose quotation mark never closes")


def _row(
    header: list[str],
    cells: list[str],
    columns: Mapping[Role, list[int]],
    place: str,
    source: str,
) -> SavedItem | Skipped:
    left = dict(enumerate(cells[: len(header)]))

    def take(*roles: Role) -> str:
        """Take the first cell that says something from the columns of these roles."""
        for column in (column for role in roles for column in columns.get(role, ())):
            if left.get(column, "").strip():
                return left.pop(column).strip()
        return ""

    url, title = take("url"), one_line(take("title"))
    if why := why_not_a_page(url):
        return Skipped(place, f"{why}: {title}" if title else why)
    date = take("saved", "date")
    folder = take("folder")
    return SavedItem(
        source=source,
        url=url,
        title="" if title == url else title,
        note=take("notes"),
        about=take("about"),
        folder=tuple(part.strip() for part in folder.split("/") if part.strip()),
        tags=tuple(
            dict.fromkeys(tag.strip() for tag in re.split(r"[,|;]", take("tags")) if tag.strip())
        ),
        saved_at=iso(date),
        extra={header[i][:100]: value[:10_000] for i, value in left.items() if header[i] and value}
        | ({"date": date} if date and not iso(date) else {}),
        place=place,
    )
