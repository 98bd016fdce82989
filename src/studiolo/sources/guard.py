"""Limits, so that no file that somebody hands us can fill the memory or the disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from studiolo.errors import SourceError


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


def open_source(path: Path) -> BinaryIO:
    """Return the file opened for reading; SourceError says why it cannot be."""
    try:
        if path.is_dir():
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
    """Return JSON of any encoding that JSON allows, else raise SourceError with the place of the fault."""
    try:
        return json.loads(data)
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


def bounded_lines(
    stream: BinaryIO | Counted, limit: int = LINE_BYTES
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
