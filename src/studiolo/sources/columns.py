"""Bookmarks as CSV: Raindrop, Pocket, Instapaper, Readwise Reader, Zotero and whoever else writes a column of addresses."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Literal

from studiolo.errors import SourceError
from studiolo.keys import address_of, find_arxiv, find_mention, make_key
from studiolo.lists import Role, role_of

from .bibtex import addresses_of
from .dates import iso
from .guard import WINDOWS, Counted, Recoded, bounded_lines, one_line, page_of
from .netscape import words_of
from .saved import Reading, SavedItem, SavedLink, Skipped
from .states import state_of, state_of_progress


ROW_BYTES = 1024**2
_HEADER = re.compile(r"(?i)^\W{0,4}[\w \"-]{1,40}[,;\t]")
Column = (
    Role
    | Literal[
        "doi", "arxiv", "progress", "location", "read_at", "venue", "type", "key", "marked", "none"
    ]
)
# headings of services, where they mean something else than in a list
_SERVICES: dict[str, Column] = {
    "document tags": "tags", "manual tags": "tags", "automatic tags": "tags", "tag_names": "tags", "saved date": "saved",
    "time_added": "saved", "date added": "saved", "access date": "none", "date modified": "none", "doi": "doi",
    "arxiv": "arxiv", "arxiv id": "arxiv", "eprint": "arxiv", "reading progress": "progress", "location": "location",
    "publication year": "year", "publication title": "venue", "journal": "venue", "journal abbreviation": "none",
    "conference name": "none", "proceedings title": "venue", "venue": "venue", "item type": "type", "abstract note": "about",
    "read at": "read_at", "date read": "read_at", "finished at": "read_at", "archived at": "read_at", "id": "none",
    "link attachments": "none", "file attachments": "none", "seen": "none", "citation key": "key", "highlights": "marked",
}  # fmt: skip
ZOTERO_TYPES = {
    "journalarticle": "article", "conferencepaper": "inproceedings", "preprint": "misc", "book": "book", "booksection": "incollection",
    "thesis": "phdthesis", "report": "techreport", "webpage": "misc", "blogpost": "misc", "manuscript": "unpublished",
    "magazinearticle": "article", "newspaperarticle": "article", "presentation": "misc", "computerprogram": "misc", "document": "misc",
    "encyclopediaarticle": "incollection", "dataset": "misc", "videorecording": "misc", "podcast": "misc", "patent": "misc",
}  # fmt: skip


def column_of(heading: str) -> Column | None:
    """Return what a column with this heading says, or None."""
    heading = " ".join(heading.split()).casefold()
    return _SERVICES.get(heading) or role_of(heading)


def first_line(head: bytes, encoding: str) -> str:
    """Return the first line of a file that begins with `head`."""
    text = head.decode(encoding, "ignore") if encoding else head.decode("utf-8", WINDOWS)
    return text.removeprefix("\ufeff").split("\n", 1)[0].strip("\r")


def looks_like_csv(line: str) -> bool:
    """Return whether a file that begins with this line has a header with a column of addresses."""
    names = [name.strip(' "') for name in re.split(r"[,;\t]", line)]
    return bool(_HEADER.match(line)) and not {"url", "doi", "arxiv"}.isdisjoint(
        name for name in map(column_of, names) if name
    )


def rows(
    stream: BinaryIO | Counted | Recoded, name: str
) -> Iterator[tuple[str, list[str]] | Skipped]:
    """Yield (place, cells) of each row of CSV, the header first; a cell may hold line breaks."""
    delimiter, row_text, row_line, is_header = ",", "", 0, True
    for number, line in bounded_lines(stream, ROW_BYTES):
        if line is None:
            yield Skipped(f"{name}:{number}", f"a line longer than {ROW_BYTES:,} bytes")
            row_text = ""
            continue
        row_line = row_line if row_text else number
        row_text += line.decode("utf-8-sig" if number == 1 else "utf-8", WINDOWS).replace("\0", "")
        if row_text.count('"') % 2 and len(row_text) < ROW_BYTES:
            continue  # a note with line breaks goes on
        text, row_text = row_text, ""
        if not text.strip():
            continue
        if is_header:
            delimiter = max(",;\t", key=text.count)
        try:
            cells = next(csv.reader(io.StringIO(text), delimiter=delimiter))
        except (csv.Error, StopIteration) as problem:
            yield Skipped(f"{name}:{row_line}", f"not a row of CSV ({problem})")
            continue
        is_header = False
        yield f"{name}:{row_line}", cells
    if row_text.strip():
        yield Skipped(f"{name}:{row_line}", "a row whose quotation mark never closes")


def parse_columns(
    stream: BinaryIO | Counted | Recoded, name: str, source: str = "bookmarks"
) -> Reading:
    """Yield the rows; cells of other columns are kept under their names."""
    header: list[str] = []
    columns: dict[Column, list[int]] = {}
    for row in rows(stream, name):
        if isinstance(row, Skipped):
            yield row
        elif not header:
            header = [cell.strip().lower() for cell in row[1]]
            for at, heading in enumerate(header):
                if meaning := column_of(heading):
                    columns.setdefault(meaning, []).append(at)
            if columns.keys().isdisjoint({"url", "doi", "arxiv"}):
                raise SourceError(
                    f"{name} has no column of addresses; its columns are {', '.join(header)[:100]}."
                )
        else:
            yield _row(header, row[1], columns, row[0], source)


def split_cell(text: str) -> tuple[str, ...]:
    """Return the tags of a cell: a list of JSON or Python, or words between commas, semicolons or bars.

    >>> split_cell('["ml","attention"]'), split_cell("['a b']"), split_cell("a, b|c"), split_cell("[]")
    (('ml', 'attention'), ('a b',), ('a', 'b', 'c'), ())
    """
    text = text.strip()
    parts: list[str] | None = None
    if text.startswith("[") and text.endswith("]"):
        try:
            value = json.loads(text)
            parts = [str(part) for part in value] if isinstance(value, list) else None
        except (ValueError, RecursionError):
            quoted = re.finditer(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", text[1:-1])
            parts = [re.sub(r"\\(.)", r"\1", match[1] or match[2] or "") for match in quoted]
        parts = text[1:-1].split(",") if parts is None else parts
    if parts is None:
        parts = re.split("[;|]" if ";" in text else "[,|]", text)
    return tuple(
        dict.fromkeys(tag for part in parts if (tag := " ".join(part.split()).lstrip("#")))
    )


def _row(
    header: list[str],
    cells: list[str],
    columns: Mapping[Column, list[int]],
    place: str,
    source: str,
) -> SavedItem | Skipped:
    left = dict(enumerate(cells[: len(header)]))

    def take(*roles: Column, keep: bool = False) -> str:
        """Take the first cell that says something from the columns of these roles."""
        for column in (column for role in roles for column in columns.get(role, ())):
            if left.get(column, "").strip():
                return (left[column] if keep else left.pop(column)).strip()
        return ""

    title = one_line(take("title"))
    zotero = "type" in columns and "publication year" in header
    doi, arxiv = take("doi", keep=not zotero), take("arxiv", keep=True)
    addresses = _addresses(take("url"), doi, arxiv)
    if zotero and not addresses:
        said = {name: left.get(at, "") for at, name in enumerate(header)}
        addresses = addresses_of({"note": said.get("extra", ""), "isbn": said.get("isbn", "")})
    url, why = page_of(addresses[0] if addresses else "")
    if why:
        return Skipped(place, f"{why}: {title}" if title else why)
    published = take("date") if zotero else ""  # there the paper's own
    saved = take("saved", "date")
    folder, location = take("folder"), take("location", keep=True)
    progress, word = take("progress", keep=True), take("state", keep=True)
    state = state_of(word) or state_of(folder)
    if location or progress:
        share = float(progress) if re.fullmatch(r"[01](?:\.\d+)?", progress) else None
        state = state_of_progress(share, state_of(location) == "read")
    year = re.match(r"\d{4}", take("year") or published)
    tags = [tag for at in columns.get("tags", ()) if at in left for tag in split_cell(left.pop(at))]
    note = take("notes")
    if marked := take("marked"):
        note = f"{note}\n{marked}".strip()
    return SavedItem(
        source=source,
        url=url,
        title="" if title == url else title,
        note=words_of(re.sub(r"(?<=>)\s*;\s*(?=<)", "\n", note)) if zotero else note,
        about=take("about"),
        folder=tuple(part.strip() for part in folder.split("/") if part.strip()),
        tags=tuple(dict.fromkeys(tags)),
        saved_at=iso(saved),
        links=tuple(SavedLink("same", other) for other in addresses[1:]),
        authors=tuple(name.strip() for name in take("authors").split(";") if name.strip()),
        year=int(year[0]) if year else None,
        venue=one_line(take("venue")),
        entry_type=ZOTERO_TYPES.get(take("type", keep=True).casefold(), ""),
        cite_key=one_line(take("key"), 200),
        state=state,
        read_at=iso(take("read_at", keep=True)),
        extra={header[i][:100]: value[:10_000] for i, value in left.items() if header[i] and value}
        | ({"date": saved} if saved and not iso(saved) else {})
        | ({"date": published} if published else {}),
        place=place,
    )


def _addresses(url: str, doi: str, arxiv: str) -> list[str]:
    found = [url] if url else []
    if key := make_key("arxiv", re.sub(r"(?i)^arxiv:\s*", "", arxiv)):
        found.append(address_of(key))
    elif "arxiv.org" in arxiv and find_arxiv(arxiv):
        found.append(arxiv)
    if key := make_key("doi", re.sub(r"(?i)^(?:doi:\s*|https?://(?:dx\.)?doi\.org/)", "", doi)):
        found.append(address_of(key))
    each: dict[object, str] = {}
    for address in found:  # one paper by its page and its DOI is one address
        mention = find_mention(address)
        each.setdefault((mention.key, mention.path) if mention else address, address)
    return list(each.values())
