"""Whatever was pasted: addresses, arXiv ids and BibTeX, in any mess.

A line of prose keeps its words as the note of each address on it, so nothing that was written beside a link is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from studiolo.errors import UsageError
from studiolo.keys import address_of, find_key, find_mention
from studiolo.lists import Document, find_links, plain_with_links

from .bibtex import BIB_START, parse_bibtex
from .guard import (
    LINE_BYTES,
    WINDOWS,
    Counted,
    OnBytes,
    Recoded,
    bounded_lines,
    one_line,
    open_source,
    page_of,
    read_whole,
    utf16_of,
)
from .saved import Reading, SavedItem, Skipped


SOURCE = "urls"
BIB_BYTES = 16 * 1024**2
_BARE_ID = re.compile(
    r"(?<![\w./-])(?:arxiv:\s?)?(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}|[a-z-]+/\d{4}\.\d{4,5})(?:v\d{1,3})?(?![\w/-])",
    re.IGNORECASE,
)
_BARE_DOI = re.compile(
    r"(?<![\w./-])(?:doi:\s?)?10\.\d{4,9}(?:\.\d+)*/[^\s|<>\"“”]+", re.IGNORECASE
)
_BARE_HOST = re.compile(r"(?<![\w./@:-])(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s|<>\"“”]+", re.IGNORECASE)
# the serial item and contribution identifier of older DOIs: 10.1175/1520-0477(1996)077<0437:TNYRP>2.0.CO;2
_SICI = re.compile(
    r"(?:https?://(?:dx\.)?doi\.org/|doi:\s?|(?<![\w/.]))10\.\d{4,9}/[^\s<>|]{1,200}(?:<|&lt;)[^\s<>|]{0,200}(?:>|&gt;)\d\.\d\.[A-Z]{2};2(?:-[\w#])?",
    re.IGNORECASE,
)
_IN_BROWSER = re.compile(
    r"(?<!\w)(?:about:reader|view-source:|read(?:er)?:/|[a-z-]{0,30}extension:/)[^\s<>\"“”]{0,500}https?(?::|%3a)[^\s<>\"“”]+",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\s*(?:[-*+•]|\d{1,4}[.)])\s+(?:\[.\]\s+)?")
_GLUED = re.compile(
    r"[|,;]?(?=(?<=[|,;])https?://|(?<=[\w/])https?://(?=(?:www\.)?(?:arxiv|doi|openreview|github)\b))"
)


def load_urls(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield what a text file or a BibTeX file names."""
    with open_source(path) as stream:
        head = stream.read(65_536)
        if path.suffix.lower() in {".bib", ".bibtex"} or BIB_START.match(head):
            yield from parse_bibtex(read_whole(path, on_bytes, BIB_BYTES), path.name)
            return
        stream.seek(0)
        counted = Counted(stream, on_bytes)
        encoding = utf16_of(head)
        yield from parse_text(Recoded(counted, encoding) if encoding else counted, path.name)


def parse_stream(stream: BinaryIO, name: str = "pasted") -> Reading:
    """Yield what a pipe names; BibTeX is recognised by how the first of it looks, text is read as it comes."""
    head = stream.readline(LINE_BYTES)
    while head and not head.strip() and len(head) < LINE_BYTES:
        line = stream.readline(LINE_BYTES)
        if not line:
            break
        head += line
    if BIB_START.match(head):
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


def parse_text(stream: BinaryIO | Counted | Recoded | _After, name: str) -> Reading:
    """Yield every address, arXiv id and DOI of a text, line by line; a mention that says nothing new is the known one again."""
    seen: dict[str, SavedItem] = {}
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
        yield from _line(line.decode("utf-8", WINDOWS), place, seen)


def _line(line: str, place: str, seen: dict[str, SavedItem]) -> Iterable[SavedItem | Skipped]:
    found, rest, words = _addresses(line)
    if not found:
        yield Skipped(place, f"no address, arXiv id or DOI: {one_line(line, 60)}")
        return
    words = words if re.search(r"\w", rest) else ""
    # `https://… | A title` is how OneTab and many notes write a link with its name.
    named = re.fullmatch(r"\s+[|–—-]\s+(.{3,500})", rest.rstrip()) if len(found) == 1 else None
    if (bullet := _BULLET.match(line)) and "](" in line:
        found = _called(line, found)
    words = words[bullet.end() :] if bullet and words.startswith(bullet[0]) else words
    if len(found) == 1 and words and found[0][0] in (words.split()[0], words.split()[-1]):
        words = words.removeprefix(found[0][0]).removesuffix(found[0][0]).strip(" |:–—-")
    for url, text in found:
        address, why = page_of(url)
        if why:
            yield Skipped(place, f"{why}: {url[:60]}")
            continue
        if find_mention(address) is None:
            yield Skipped(place, f"no web address: {one_line(url, 60)}")
            continue
        title = text or (one_line(named[1]) if named else "")
        note = "" if words == title or (named and not text) else words
        before = seen.get(address)
        if before is not None and not note and title in ("", before.title):
            yield before  # the same once more: known
            continue
        item = SavedItem(SOURCE, address, title, note, place=place)
        seen.setdefault(address, item)
        yield item


def _called(line: str, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the addresses of an item of a list with the title that the list gives its paper: a link is often called `paper`."""
    entry = next(iter(Document(line.strip().encode("utf-8", "replace")).entries), None)
    if entry is None or not entry.title:
        return found
    key = entry.key
    return [
        (url, entry.title) if (mention := find_mention(url)) and mention.key == key else (url, text)
        for url, text in found
    ]


def _addresses(line: str) -> tuple[list[tuple[str, str]], str, str]:
    """Return the addresses of a line with the names that its links give them, what is left of the line, and its words."""
    typed: list[tuple[int, str]] = []

    def take(match: re.Match[str]) -> str:
        typed.append((match.start(), _spelled_out(match[0])))
        return " " * len(match[0])

    # a DOI may hold `<…>`, at which a link in running text would end
    line_without = _IN_BROWSER.sub(take, _SICI.sub(take, line))
    data = line_without.encode("utf-8", "replace")
    pieces = [piece for piece in find_links(data, {}) if piece.kind != "image"]
    rest = bytearray(data)
    placed: list[tuple[int, str, str]] = [(at, url, "") for at, url in typed]
    for piece in pieces:
        text = data[slice(*piece.text)].decode("utf-8", "replace")
        bare = piece.kind in {"bare", "auto"}
        for url in filter(None, _GLUED.split(piece.url)) if bare else [piece.url]:
            placed.append((piece.start, _spelled_out(url), "" if bare else one_line(text, 500)))
        rest[piece.start : piece.end] = b" " * (piece.end - piece.start)
    others = rest.decode("utf-8", "replace")

    def take_bare(match: re.Match[str]) -> str:
        word = match[0].rstrip(".,;:!?")
        if not _names_something(word):
            return match[0]
        placed.append((match.start(), _spelled_out(word), ""))
        return " " * len(match[0])

    for pattern in (_BARE_HOST, _BARE_DOI, _BARE_ID):
        others = pattern.sub(take_bare, others)
    placed.sort(key=lambda found: found[0])
    words = one_line(
        plain_with_links(
            line.encode("utf-8", "replace"), find_links(line.encode("utf-8", "replace"), {})
        ),
        2000,
    )
    return [(url, text) for _, url, text in placed], others, words


def _names_something(word: str) -> bool:
    """Whether a word without https is an id, or an address with a path on a host that has readers."""
    try:
        key = find_key(word)
    except UsageError:
        return False
    return key.kind != "url" or "/" in word.strip("/")


def _spelled_out(url: str) -> str:
    """Return `arxiv:…`, `doi:…`, a bare id and an address without its scheme as an address that a browser opens."""
    if "://" in url or not _names_something(url):
        return url
    key = find_key(url)
    if key.kind == "url":
        return "https://" + url.lstrip("/")
    version = re.search(r"v([1-9]\d{0,3})(?:\.pdf)?$", url) if key.kind == "arxiv" else None
    return address_of(key) + (f"v{version[1]}" if version else "")
