"""Everybody's only way to write to the disk: one atomic replace, and one locked append of JSON lines.

After a crash there is the old file or the new one, and of a file of lines all but the one in flight. A failure is one
sentence, a `FileError`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studiolo.errors import FileError, StaleEdit


class _Unchecked:
    """Says that a file may hold anything before it is replaced."""


UNCHECKED = _Unchecked()


def save_bytes(path: Path, data: bytes, expected: bytes | _Unchecked | None = UNCHECKED) -> None:
    """Replace the file at `path` by `data`, making it and its folder where they are missing.

    A temporary file beside it is written, flushed to the disk and renamed over it. Mode and owner stay; a symbolic link
    stays one and its target is replaced.

    Args:
        expected: what the file must hold; None: it must not exist. Left out: whatever it holds.

    Raises:
        StaleEdit: the file holds other bytes than `expected`.
        FileError: it cannot be written; says why.
    """

    def replacement(found: bytes | None) -> bytes:
        if not isinstance(expected, _Unchecked) and found != expected:
            raise StaleEdit(
                f"{path} has changed since it was read. Nothing was written: read the list again."
            )
        return data

    update_bytes(path, replacement)


def update_bytes(path: Path, change: Callable[[bytes | None], bytes]) -> None:
    """Replace the file at `path` by what `change` makes of it; no other process writes it in between.

    Written as `save_bytes` does; not at all if nothing changes.

    Args:
        change: gets what the file holds, None where there is none. What it raises leaves the file as it is.

    Raises:
        FileError: it cannot be read or written; says why.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            found = path.read_bytes() if path.exists() else None
            if (data := change(found)) != found:
                _replace(path, data)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {_reason(error)}. It is as it was.") from error


def append_json_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records as lines of JSON and return when the disk has them.

    Raises:
        FileError: the file cannot be written; says why. What it held is kept.
    """
    append_lines(
        path,
        (
            json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            for record in records
        ),
    )


def append_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Append lines and return when the disk has them; processes take turns by a lock on the file.

    What a killed process left of a line behind the last newline is cut first, unless it is a whole record that only
    lacks its newline. Lines that do not all fit on the disk are taken back.

    Raises:
        FileError: the file cannot be written; says why. What it held is kept.
    """
    data = b"".join(line + b"\n" for line in lines)
    if not data:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            end = _mend_last_line(handle)
            try:
                _write_all(handle, data)
            except OSError:
                with contextlib.suppress(OSError):  # the first error says why
                    os.ftruncate(handle, end)
                raise
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            _sync_folder(path.parent)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {_reason(error)}. What was written before is kept."
        ) from error


def load_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file of JSON lines in order; a missing file has none.

    Lines that are not records are passed over: a torn last line, and the markers that a merge in git may leave.

    Raises:
        FileError: the file cannot be read; says why.
    """
    for line in load_lines(path):
        if (record := _record(line)) is not None:
            yield record


def load_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that only grows, without their newlines; a missing file has none.

    Raises:
        FileError: the file cannot be read; says why.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.removesuffix(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"{path} cannot be read: {_reason(error)}.") from error


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _mend_last_line(handle: int) -> int:
    """Give a whole last record its newline, cut a torn one, and return where the file then ends."""
    end = os.fstat(handle).st_size
    start = _end_of_last_newline(handle, end)
    if start == end:
        return end
    if _record(os.pread(handle, end - start, start)) is not None:
        _write_all(handle, b"\n")
        return end + 1
    os.ftruncate(handle, start)
    return start


def _end_of_last_newline(handle: int, end: int) -> int:
    while end:
        start = max(0, end - 65_536)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two processes do not replace one file at the same time."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            _keep_mode_and_owner(path, file.fileno())
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105  (one name for what tests interrupt)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _keep_mode_and_owner(path: Path, handle: int) -> None:
    if not path.exists():
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)
        return
    old = path.stat()
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, old.st_mode & 0o7777)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
