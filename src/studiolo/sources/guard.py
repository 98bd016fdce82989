"""Limits, so that no file that somebody hands us can fill the memory or the disk."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from studiolo.errors import SourceError
from studiolo.files import kind_at


WHOLE_FILE_BYTES = 512 * 1024**2  # what must be in memory at once: JSON, plist, LZ4
LINE_BYTES = 1024**2

OnBytes = Callable[[int], object]


class Counted:
    """A binary stream that tells `on_bytes` how much of it was read."""

    def __init__(self, stream: BinaryIO, on_bytes: OnBytes | None) -> None:
        self._stream = stream
        self._on_bytes = on_bytes

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        data = self._stream.read(size)
        if self._on_bytes and data:
            self._on_bytes(len(data))
        return data

    def readline(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, at most one line."""
        data = self._stream.readline(size)
        if self._on_bytes and data:
            self._on_bytes(len(data))
        return data


def _as_windows(problem: UnicodeError) -> tuple[str, int]:
    """Read bytes that are not UTF-8 as Windows-1252, in which Excel and old exports write."""
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    wrong = problem.object[problem.start : problem.end]
    return "".join(
        bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in wrong
    ), problem.end


WINDOWS = "studiolo-windows-1252"
codecs.register_error(WINDOWS, _as_windows)


def utf16_of(head: bytes) -> str:
    """Return the name of the UTF-16 that a file begins in, or an empty string: by its mark, or by every second byte being 0."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    pairs = head[: len(head) & ~1][:200]
    if len(pairs) < 8:
        return ""
    even, odd = pairs[::2].count(0) / len(pairs[::2]), pairs[1::2].count(0) / len(pairs[1::2])
    if max(even, odd) < 0.6 or min(even, odd) > 0.1:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


class Recoded:
    """A binary stream of UTF-8 over one of another encoding; no more than a chunk and a line are held."""

    def __init__(self, stream: BinaryIO | Counted, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._buffer = b""
        self._ended = False

    def _more(self) -> None:
        chunk = self._stream.read(65_536)
        self._ended = not chunk
        self._buffer += self._decoder.decode(chunk, final=self._ended).encode("utf-8", "replace")

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        while not self._ended and (size < 0 or len(self._buffer) < size):
            self._more()
        size = len(self._buffer) if size < 0 else size
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def readline(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, at most one line."""
        searched = 0
        while (
            (end := self._buffer.find(b"\n", searched) + 1) == 0
            and not self._ended
            and (size < 0 or len(self._buffer) < size)
        ):
            searched = len(self._buffer)
            self._more()
        end = end or len(self._buffer)
        return self.read(end if size < 0 else min(end, size))


def page_of(url: str) -> tuple[str, str | None]:
    """Return the address of the page that was saved, and why it is not one, if it is not: a viewer's address becomes the page's."""
    url = url.strip()
    if url.startswith(("https://", "http://")):
        return url, None
    from studiolo.keys import page_address, why_not_a_page  # most addresses need no look at them

    return page_address(url), why_not_a_page(url)


def open_source(path: Path) -> BinaryIO:
    """Return the file opened for reading; SourceError says why it cannot be."""
    try:
        if kind_at(path) == "folder":
            raise SourceError(f"{path} is a folder, not a file. Name the exported file inside it.")
        return path.open("rb")
    except FileNotFoundError:
        raise SourceError(f"There is no file {path}. Check the path of the export.") from None
    except OSError as problem:
        raise SourceError(f"{path} cannot be read: {problem.strerror}.") from problem


def read_whole(path: Path, on_bytes: OnBytes | None = None, limit: int = WHOLE_FILE_BYTES) -> bytes:
    """Return the bytes of a file of at most `limit` bytes, else raise SourceError with both sizes."""
    with open_source(path) as stream:
        data = b"" if path.stat().st_size > limit else stream.read(limit + 1)
        too_long = path.stat().st_size > limit or len(data) > limit
    if too_long:
        raise SourceError(
            f"{path} holds more than {limit:,} bytes, which this format must hold in memory at once. "
            "Is it really the export?"
        )
    if on_bytes:
        on_bytes(len(data))
    return data


def parse_json(data: bytes, name: str) -> Any:
    """Return JSON of any encoding that JSON allows, else raise SourceError with the place of the fault.

    Several documents after each other are one list: pages as `gh --paginate` wrote them, and JSON Lines.
    """
    try:
        text = data.decode(json.detect_encoding(data)).removeprefix("\ufeff")
        try:
            return json.loads(text)
        except json.JSONDecodeError as problem:
            if problem.msg != "Extra data":
                raise
            return _documents(text)
    except RecursionError:
        raise SourceError(f"{name} nests its brackets too deeply to be an export.") from None
    except UnicodeDecodeError as problem:
        raise SourceError(f"{name} is not JSON: byte {problem.start:,} is not text.") from problem
    except json.JSONDecodeError as problem:
        raise SourceError(
            f"{name}:{problem.lineno}: not JSON ({problem.msg} at column {problem.colno}). Was the download cut short?"
        ) from problem
    except ValueError as problem:  # a number of thousands of digits
        raise SourceError(f"{name} is not a JSON export: {problem}.") from problem


def _documents(text: str) -> list[Any]:
    found: list[Any] = []
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at] in " \t\r\n,\x1e":
            at += 1
            continue
        document, at = decoder.raw_decode(text, at)
        found += document if isinstance(document, list) else [document]
    return found


def bounded_lines(
    stream: BinaryIO | Counted | Recoded, limit: int = LINE_BYTES
) -> Iterator[tuple[int, bytes | None]]:
    """Yield (line number, line) and (line number, None) for a line longer than `limit` bytes, never holding more."""
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        if len(line) <= limit:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(limit)
        yield number, None


def text_of(value: object, limit: int = 1_000_000) -> str:
    """Return a JSON value as text: strings as they are (cut at `limit`), None and containers as ''."""
    if isinstance(value, str):
        return value[:limit]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(value)


def one_line(text: str, limit: int = 10_000) -> str:
    """Return the words of a text with single spaces between them, cut at `limit` characters."""
    return " ".join(text[: limit * 2].split())[:limit]
