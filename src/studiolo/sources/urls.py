"""Whatever was pasted: addresses, arXiv ids and BibTeX, in any mess.

A line of prose keeps its words as the note of each address on it, so nothing that was written beside a link is lost.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from studiolo.errors import UsageError
from studiolo.keys import address_of, find_arxiv, find_mention, why_not_a_page
from studiolo.lists import find_links, plain_with_links

from .dates import iso
from .guard import LINE_BYTES, Counted, OnBytes, bounded_lines, one_line, open_source, read_whole
from .saved import Reading, SavedItem, SavedLink, Skipped


SOURCE = "urls"
_BARE_ID = re.compile(
    r"(?<![\w./-])(?:arxiv:\s?)?((?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d{1,3})?)(?![\w/-])",
    re.IGNORECASE,
)
_BIB_START = re.compile(rb"^\s*@[A-Za-z]+\s*[{(]", re.MULTILINE)
BIB_BYTES = 16 * 1024**2


def load_urls(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield what a text file or a BibTeX file names."""
    with open_source(path) as stream:
        head = stream.read(65_536)
        if path.suffix.lower() in {".bib", ".bibtex"} or _BIB_START.match(head):
            yield from parse_bibtex(read_whole(path, on_bytes, BIB_BYTES), path.name)
            return
        stream.seek(0)
        yield from parse_text(Counted(stream, on_bytes), path.name)


def parse_stream(stream: BinaryIO, name: str = "pasted") -> Reading:
    """Yield what a pipe names; BibTeX is recognised by how the first of it looks, text is read as it comes."""
    head = stream.readline(LINE_BYTES)
    while head and not head.strip() and len(head) < LINE_BYTES:
        line = stream.readline(LINE_BYTES)
        if not line:
            break
        head += line
    if _BIB_START.match(head):
        rest = stream.read(BIB_BYTES + 1)
        if len(rest) > BIB_BYTES:
            raise UsageError(
                f"More than {BIB_BYTES:,} bytes of BibTeX were piped in; give the file in parts."
            )
        yield from parse_bibtex(head + rest, name)
        return
    yield from parse_text(_After(head, stream), name)


class _After:
    """A stream that begins with bytes that were read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._lines = [line for line in re.split(rb"(?<=\n)", head) if line]
        self._stream = stream

    def readline(self, size: int = -1) -> bytes:
        if not self._lines:
            return self._stream.readline(size)
        line = self._lines.pop(0)
        if 0 <= size < len(line):
            self._lines.insert(0, line[size:])
            line = line[:size]
        elif not line.endswith(b"\n") and not self._lines:
            line += self._stream.readline(size - len(line) if size >= 0 else -1)
        return line


def parse_text(stream: BinaryIO | Counted | _After, name: str) -> Reading:
    """Yield every address and arXiv id of a text, line by line, each once."""
    seen: set[str] = set()
    for number, line in bounded_lines(stream):  # type: ignore[arg-type]
        place = f"{name}:{number}"
        if line is None:
            yield Skipped(place, f"a line longer than {LINE_BYTES:,} bytes")
            continue
        if b"\0" in line[:4096]:
            line = line.replace(b"\0", b"")  # UTF-16 that was piped through
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            continue
        yield from _line(line, place, seen)


def _line(line: bytes, place: str, seen: set[str]) -> Iterable[SavedItem | Skipped]:
    pieces = [piece for piece in find_links(line, {}) if piece.kind != "image"]
    rest = bytearray(line)
    found: list[tuple[str, str]] = []  # (address, the name that the link itself gives it)
    for piece in pieces:
        text = line[slice(*piece.text)].decode("utf-8", "replace")
        found.append(
            (_spelled_out(piece.url), "" if piece.kind in {"bare", "auto"} else one_line(text, 500))
        )
        rest[piece.start : piece.end] = b" " * (piece.end - piece.start)
    others = rest.decode("utf-8", "replace")
    for match in _BARE_ID.finditer(others):
        if find_arxiv(match[1]):
            found.append((_spelled_out(f"arxiv:{match[1]}"), ""))
    others = _BARE_ID.sub(" ", others)
    if not found:
        yield Skipped(
            place, f"no address and no arXiv id: {one_line(line.decode('utf-8', 'replace'), 60)}"
        )
        return
    words = one_line(plain_with_links(line, pieces), 2000) if re.search(r"\w", others) else ""
    # `https://… | A title` is how OneTab and many notes write a link with its name.
    named = re.fullmatch(r"\s*[|–—-]\s+(.{3,500})", others.rstrip()) if len(found) == 1 else None
    for url, text in found:
        if why := why_not_a_page(url):
            yield Skipped(place, f"{why}: {url[:60]}")
        elif find_mention(url) is None:
            yield Skipped(place, f"no web address: {one_line(url, 60)}")
        elif url not in seen:
            seen.add(url)
            title = text or (one_line(named[1]) if named else "")
            note = "" if words == title or (named and not text) else words
            yield SavedItem(SOURCE, url, title, note, place=place)


def _spelled_out(url: str) -> str:
    """Return `arxiv:…` and `doi:…` as an address that a browser opens."""
    if re.match(r"(?i)(?:arxiv|doi):", url) and (mention := find_mention(url)):
        version = f"v{mention.version}" if mention.version else ""
        return address_of(mention.key) + version
    return url


def parse_bibtex(data: bytes, name: str) -> Reading:
    """Yield the entries of a BibTeX file; the strongest of eprint, doi and url is the address, the others are links."""
    from bibtexparser.entrypoint import (
        parse_string,  # here: it takes a tenth of a second that other sources do not need
    )

    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    logging.getLogger("bibtexparser").setLevel(
        logging.CRITICAL + 1
    )  # its complaints come back as failed blocks
    library = parse_string(text)
    for failed in library.failed_blocks:
        line = (failed.start_line or 0) + 1
        excerpt = one_line((failed.raw or "")[:200], 60)
        kind = type(failed).__name__
        original: Any = getattr(failed, "ignore_error_block", None)
        if kind in {"DuplicateBlockKeyBlock", "DuplicateFieldKeyBlock"} and original is not None:
            yield _entry(original, f"{name}:{line}")
        else:
            yield Skipped(f"{name}:{line}", f"not an entry of BibTeX: {excerpt}")
    for entry in library.entries:
        yield _entry(entry, f"{name}:{(entry.start_line or 0) + 1}")


def _entry(entry: Any, place: str) -> SavedItem | Skipped:
    fields = {field.key.lower(): _unbrace(str(field.value)) for field in entry.fields}
    title = one_line(fields.get("title", ""))
    addresses = []
    if arxiv := find_arxiv(fields.get("eprint", "")) or _arxiv_in_journal(fields):
        addresses.append(
            f"https://arxiv.org/abs/{arxiv[0].value}{f'v{arxiv[1]}' if arxiv[1] else ''}"
        )
    if doi := re.search(r"10\.\d{4,9}/\S+", fields.get("doi", "")):
        addresses.append(f"https://doi.org/{doi[0]}")
    for field in ("url", "howpublished", "link", "pdf"):
        addresses += [
            url
            for url in re.findall(r"https?://[^\s{}\\]+", fields.get(field, ""))
            if find_mention(url)
        ]
    addresses = list(dict.fromkeys(addresses))
    if not addresses:
        return Skipped(place, f"no eprint, doi or url: {title[:80] or entry.key}")
    authors = " and ".join(
        part.strip() for part in re.split(r"\s+and\s+", fields.get("author", "")) if part.strip()
    )
    date = fields.get("timestamp") or fields.get("date-added") or fields.get("urldate")
    keep = {
        "year",
        "date",
        "journal",
        "booktitle",
        "publisher",
        "abstract",
        "month",
        "volume",
        "pages",
    }
    extra = {field: value[:10_000] for field, value in fields.items() if field in keep and value}
    return SavedItem(
        source=SOURCE,
        url=addresses[0],
        title=title,
        note=(fields.get("note", "") or fields.get("annote", "")).strip(),
        tags=tuple(
            dict.fromkeys(
                tag.strip() for tag in re.split(r"[,;]", fields.get("keywords", "")) if tag.strip()
            )
        ),
        saved_at=iso(date) if date else None,
        links=tuple(SavedLink("same", url) for url in addresses[1:]),
        extra={
            "cite_key": one_line(entry.key, 200),
            **({"author": one_line(authors, 5000)} if authors else {}),
            **extra,
        },
        place=place,
    )


def _arxiv_in_journal(fields: dict[str, str]) -> Any:
    for field in ("journal", "volume", "number", "note"):
        found = re.search(r"(?i)arxiv[^\d]{0,20}(\d{4}\.\d{4,5}(?:v\d+)?)", fields.get(field, ""))
        if found:
            return find_arxiv(found[1])
    return None


def _unbrace(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return re.sub(
        r"[{}]", "", text.replace("\\&", "&").replace("\\%", "%").replace("\\_", "_")
    ).strip()
