"""Any Markdown table: a file, a folder (a clone), a gist, or a page of raw Markdown. A row is a saved thing.

The headings above a table are the row's folder. Columns are recognised by their names; what is not recognised is kept under
its own name, so no cell is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.files import kind_at
from studiolo.keys import address_of, find_key, paper_key
from studiolo.lists import Block, Document, Piece, find_links, plain_with_links, ranked_columns
from studiolo.net import Client

from .dates import iso
from .guard import OnBytes, one_line, page_of, read_whole, text_of
from .saved import Reading, SavedItem, SavedLink, Skipped


SOURCE = "table"
MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd", ".txt"})


def load_tables(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the rows of a Markdown file, or of every Markdown file below a folder; hidden folders are left out."""
    if kind_at(path) != "folder":
        yield from parse_tables(read_whole(path, on_bytes), path.name)
        return
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in MARKDOWN
        and file.is_file()
        and not file.is_symlink()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not files:
        raise SourceError(f"There is no Markdown file below {path}.")
    for file in files:
        yield from parse_tables(read_whole(file, on_bytes), file.relative_to(path).as_posix())


def parse_tables(data: bytes, name: str) -> Reading:
    """Yield the rows of every table in Markdown text; a row without an address, arXiv id or DOI is skipped with a reason."""
    yield from table_rows(Document(data), name)


def table_rows(document: Document, name: str, source: str = SOURCE) -> Reading:
    """Yield the rows of every table of a document."""
    data = document.data
    for section in document.sections:
        folder = tuple(words for text in section.path if (words := one_line(text, 300)))
        for outer in section.blocks:
            for block in outer.walk():
                if block.kind == "table":
                    yield from _rows(
                        data, block, folder, document.contents.definitions, name, source
                    )


def _rows(
    data: bytes,
    table: Block,
    folder: tuple[str, ...],
    definitions: Mapping[str, str],
    name: str,
    source: str,
) -> Iterator[SavedItem | Skipped]:
    header: list[str] = []
    for row in table.children:
        if row.kind != "row":
            continue
        cells = [data[start:end] for start, end in row.content]
        pieces = [find_links(cell, definitions) for cell in cells]
        words = [plain_with_links(cell, found) for cell, found in zip(cells, pieces, strict=True)]
        if row.level == 1 and not header:
            header = [one_line(word, 60) for word in words]
            if not any(
                found for found in pieces
            ):  # a table without a header of its own begins with a row
                continue
            header = [""] * len(header)
        yield _row(header, words, pieces, folder, f"{name}:{row.line}", source)


def _row(
    header: list[str],
    words: list[str],
    pieces: list[list[Piece]],
    folder: tuple[str, ...],
    place: str,
    source: str,
) -> SavedItem | Skipped:
    pages = [
        (column, url)
        for column, found in enumerate(pieces)
        for piece in found
        if piece.kind != "image"
        and "://" in (url := page_of(piece.url)[0])
        and not page_of(piece.url)[1]
    ]
    linked = {column for column, _ in pages}
    pages += [
        (column, address)
        for column, word in enumerate(words)
        if column not in linked
        and (address := _bare(word, header[column] if column < len(header) else ""))
    ]
    if not pages:
        label = one_line(" | ".join(word for word in words if word), 80)
        return Skipped(place, f"a row without a web address: {label or '(empty)'}")
    column, main = next(((at, url) for at, url in pages if paper_key(url)), pages[0])

    columns = ranked_columns(header)
    roles = {at: role for role, alike in columns.items() for at in alike}
    named = [*columns.get("title", ()), *columns.get("name", ()), column]
    title = next((words[at] for at in named if at < len(words) and words[at]), "")
    extra: dict[str, str] = {}
    notes, about, tags = [], [], []
    saved_at: str | None = None
    dated = "saved" if "saved" in columns else "date"
    for at, word in enumerate(words):
        role = roles.get(at)
        if not word or word == title:
            continue
        if role == dated and saved_at is None and (date := _date(word)):
            saved_at = date
        elif role == "notes":
            notes.append(word)
        elif role == "about":
            about.append(word)
        elif role == "tags":
            tags += [tag for part in re.split(r"[,;]", word) if (tag := part.strip(" #"))]
        elif not any(
            at == place_of and (word.startswith("http") or at not in linked)
            for place_of, _ in pages
        ):
            extra[
                (header[at] if at < len(header) and header[at] else f"column {at + 1}").lower()
            ] = word[:10_000]
    return SavedItem(
        source=source,
        url=main,
        title=one_line(title) if not title.startswith("http") else "",
        note="\n".join(notes),
        about="\n".join(about),
        folder=folder,
        tags=tuple(dict.fromkeys(tags)),
        saved_at=saved_at,
        links=tuple(dict.fromkeys(SavedLink("row", url) for _, url in pages if url != main)),
        extra=extra,
        place=place,
    )


_BARE = re.compile(
    r"(?:arxiv:\s*)?(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?|(?:doi:\s*)?10\.\d{4,9}/\S+",
    re.IGNORECASE,
)


def _bare(word: str, heading: str) -> str:
    """Return the address of a cell that is an arXiv id, a DOI or an address without https, and nothing else; else an empty string."""
    word = word.strip()
    if not word or " " in re.sub(r"(?i)^(arxiv|doi):\s+", r"\1:", word):
        return ""
    known = re.search(r"(?i)arxiv|doi|eprint", heading)
    if (
        not (_BARE.fullmatch(word) and (known or not re.fullmatch(r"\d{4}\.\d{4}", word)))
        and "/" not in word
    ):
        return ""
    try:
        key = find_key(word)
    except UsageError:
        return ""
    return (
        address_of(key) if key.kind != "url" else f"https://{word}" if "://" not in word else word
    )


def _date(text: str) -> str | None:
    """Return a date that somebody wrote: ISO, 2021/05/25 or 25.05.2021; a bare year is none."""
    if re.fullmatch(r"\d{4}", text):
        return None
    if found := re.fullmatch(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})", text):
        return iso(f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}")
    if found := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text):
        return iso(f"{found[3]}-{int(found[2]):02d}-{int(found[1]):02d}")
    return None if re.fullmatch(r"\d+", text) else iso(text)


def fetch_tables(client: Client, url: str, api: str = "https://api.github.com") -> Reading:
    """Yield the rows of the tables behind an address: a gist, a file on GitHub, or any raw Markdown.

    Raises:
        UsageError: it is not an http(s) address.
        NetworkError: there is nothing to read there.
    """
    try:
        parts = urlsplit(url)
    except ValueError as problem:
        raise UsageError(f"{url!r} is not an address to fetch: {problem}.") from problem
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{url!r} is not an address to fetch. Give https://…, a file or a folder.")
    if parts.hostname == "gist.github.com":
        number = next(
            (
                part
                for part in reversed(parts.path.removesuffix(".git").split("/"))
                if re.fullmatch(r"[0-9a-f]{7,40}", part)
            ),
            "",
        )
        if not number:
            raise UsageError(f"{url} is not a gist: a gist's address ends in 20 or 32 hex digits.")
        yield from _fetch_gist(client, number, api)
        return
    if parts.hostname in {"github.com", "www.github.com"}:
        found = re.fullmatch(r"/([^/]+)/([^/]+)/(?:blob|raw)/(.+)", parts.path)
        if not found:
            raise UsageError(
                f"{url} is not a file. Open the Markdown file on GitHub and give its address, or clone the repository."
            )
        url = f"https://raw.githubusercontent.com/{found[1]}/{found[2]}/{found[3]}"
    answer = client.get(url, max_age_s=0.0)
    if answer.status != 200:
        raise NetworkError(f"There is nothing at {url} (status {answer.status}).")
    if answer.body[:200].lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise NetworkError(f"{url} is a web page, not Markdown. Give the address of the raw file.")
    yield from parse_tables(
        answer.body, one_line(urlsplit(url).path.rsplit("/", 1)[-1], 100) or "page"
    )


def _fetch_gist(client: Client, number: str, api: str) -> Reading:
    answer = client.get(
        f"{api}/gists/{number}", headers={"Accept": "application/vnd.github+json"}, max_age_s=0.0
    )
    files = answer.json().get("files") if answer.status == 200 else None
    if not isinstance(files, Mapping):
        raise NetworkError(f"GitHub knows no gist {number}.")
    for name, file in sorted(files.items()):
        if not isinstance(file, Mapping) or Path(str(name)).suffix.lower() not in MARKDOWN:
            continue
        content = text_of(file.get("content"), 64 * 1024**2).encode()
        raw = text_of(file.get("raw_url"), 2000)
        if file.get("truncated") is True and urlsplit(raw).hostname == "gist.githubusercontent.com":
            content = client.get(raw, max_age_s=0.0).body
        yield from parse_tables(content, f"gist {number[:7]}/{one_line(str(name), 100)}")
