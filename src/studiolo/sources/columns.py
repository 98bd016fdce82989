"""Bookmarks as CSV: Raindrop, Pocket, Instapaper and whoever else writes a column of addresses."""

from __future__ import annotations

import csv
import io
import re
from typing import BinaryIO

from studiolo.errors import SourceError
from studiolo.keys import why_not_a_page

from .dates import iso
from .guard import Counted, bounded_lines, one_line
from .saved import Reading, SavedItem, Skipped


# Names of columns, strongest first, as Raindrop, Pocket, Instapaper, Pinboard and linkding call them.
_COLUMNS = {
    "url": ("url", "href", "link", "address", "uri"),
    "title": ("title", "name"),
    "note": ("note", "notes", "description", "extended", "selection", "comment"),
    "about": ("excerpt", "summary"),
    "folder": ("folder", "collection", "path"),
    "tags": ("tags", "tag", "keywords", "labels"),
    "date": ("created", "time_added", "timestamp", "date_added", "added", "saved", "date", "time"),
}
ROW_BYTES = 1024**2
_HEADER = re.compile(rb"(?i)^\W{0,4}[\w \"-]{1,40}[,;\t]")


def looks_like_csv(head: bytes) -> bool:
    """Return whether a file begins with a header that has a column of addresses."""
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    names = {name.strip(b' "\r').lower() for name in re.split(rb"[,;\t]", first)}
    return bool(_HEADER.match(first)) and bool(names & {name.encode() for name in _COLUMNS["url"]})


def parse_columns(stream: BinaryIO | Counted, name: str, source: str = "bookmarks") -> Reading:
    """Yield the rows; cells of other columns are kept under their names."""
    header: list[str] = []
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
            if not set(header) & set(_COLUMNS["url"]):
                raise SourceError(
                    f"{name} has no column of addresses; its columns are {', '.join(header)[:100]}."
                )
            continue
        yield _row(dict(zip(header, cells, strict=False)), f"{name}:{row_line}", source)
    if row_text.strip():
        yield Skipped(f"{name}:{row_line}", "a row whose quotation mark never closes")


def _row(cells: dict[str, str], place: str, source: str) -> SavedItem | Skipped:
    def take(kind: str) -> str:
        for column in _COLUMNS[kind]:
            if cells.get(column, "").strip():
                return cells.pop(column).strip()
        return ""

    url, title = take("url"), one_line(take("title"))
    if why := why_not_a_page(url):
        return Skipped(place, f"{why}: {title}" if title else why)
    date = take("date")
    folder = take("folder")
    return SavedItem(
        source=source,
        url=url,
        title="" if title == url else title,
        note=take("note"),
        about=take("about"),
        folder=tuple(part.strip() for part in folder.split("/") if part.strip()),
        tags=tuple(
            dict.fromkeys(tag.strip() for tag in re.split(r"[,|;]", take("tags")) if tag.strip())
        ),
        saved_at=iso(date),
        extra={key[:100]: value[:10_000] for key, value in cells.items() if key and value}
        | ({"date": date} if date and not iso(date) else {}),
        place=place,
    )
