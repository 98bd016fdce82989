"""JSON lines that only grow: one record a line, on the disk before the call returns, mergeable in git.

A process that is killed while it writes leaves at most one torn line at the end. It is not read, and cut before the next
record is appended; nothing written earlier is ever touched. Two processes take turns by a lock on the file.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studiolo.errors import StudioloError


def append_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records and return when the disk has them.

    Raises:
        StudioloError: the file cannot be written; says why.
    """
    data = b"".join(
        json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        + b"\n"
        for record in records
    )
    if not data:
        return
    is_new = not path.exists()
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _cut_torn_line(handle)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            sync_folder(path.parent)
    except OSError as problem:
        raise StudioloError(
            f"{path} cannot be written: {problem.strerror}. What was written before is kept."
        ) from problem


def _cut_torn_line(handle: int) -> None:
    """Drop what follows the last newline: the record of a process that was killed."""
    end = os.fstat(handle).st_size
    at = end
    while at > 0:
        start = max(0, at - 65_536)
        newline = os.pread(handle, at - start, start).rfind(b"\n")
        if newline >= 0:
            if start + newline + 1 < end:
                os.ftruncate(handle, start + newline + 1)
            return
        at = start
    if end:
        os.ftruncate(handle, 0)


def load_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file in order; a missing file has none.

    Lines that are no record are passed over: a torn last line, and the markers that a merge in git may leave.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file so that a reader, and a crash, sees the old bytes or the new ones."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            if path.exists():
                os.fchmod(handle, path.stat().st_mode & 0o7777)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)  # noqa: PTH105  (one name for what tests interrupt)
        sync_folder(path.parent)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise StudioloError(
            f"{path} cannot be written: {problem.strerror}. It is as it was."
        ) from problem


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
