"""Everybody's only way to write to the disk: one atomic replace, and one locked append of JSON lines.

After a crash there is the old file or the new one, and of a file of lines all but the one in flight. A failure is one
sentence, a `FileError`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import shlex
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from studiolo.errors import FileError, NewerFormat, StaleEdit, StudioloError


T = TypeVar("T")

STATE = ".studiolo"  # the folder of our own files in a library
FORMAT = 1  # of our records, in their field `v` where they have one
DEEPEST = 64  # levels of lists and tables in a record
LONGEST_LINE = 2**28  # bytes; a longer one is not a record of ours
# What a line may raise that is JSON and yet none of ours.
SPOILT = (
    StudioloError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)

MERGE_MARKS = (
    b"<<<<<<<",
    b"=======",
    b">>>>>>>",
    b"|||||||",
)  # lines of a merge that git could not make
_MERGING = (
    "is a mark of a merge that git could not make; the lines of both sides are read. Delete the lines that begin with "
    "<<<<<<<, ======= and >>>>>>>, and commit"
)

PATIENCE_S = 120.0  # how long to wait for another process to finish with a library
_QUIET_S = 2.0  # before that is said

_log = logging.getLogger("studiolo")
_said: set[str] = set()  # what was said of damaged files in this run


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
    _refuse_to_leave(path)
    path = Path(os.path.realpath(path))  # Path.resolve raises RuntimeError on links in a circle
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            found = _content(path)
            if (data := change(found)) != found:
                _replace(path, data)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {_reason(error)}. It is as it was.") from error


def remove_file(path: Path, expected: bytes) -> None:
    """Take the file at `path` away, and its folder where that is then empty.

    Args:
        expected: what the file must hold.

    Raises:
        StaleEdit: it holds other bytes, or is gone.
        FileError: it cannot be taken away; says why.
    """
    _refuse_to_leave(path)
    try:
        with _locked(path.parent):
            if _content(path) != expected:
                raise StaleEdit(
                    f"{path} has changed since it was read. Nothing was taken away: run the command again."
                )
            path.unlink()
            _sync_folder(path.parent)
    except OSError as error:
        raise FileError(
            f"{path} cannot be taken away: {_reason(error)}. It is as it was."
        ) from error
    with contextlib.suppress(OSError):  # it holds something else
        path.parent.rmdir()


def append_json_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records as lines of JSON and return when the disk has them.

    Raises:
        FileError: the file cannot be written; says why. What it held is kept.
    """
    append_lines(path, (json_line(record).encode("utf-8", "replace") for record in records))


def json_line(record: Mapping[str, Any]) -> str:
    """Return a record as `append_json_lines` writes it, without its newline."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


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
    _refuse_to_leave(path)
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


def kind_at(path: Path) -> Literal["file", "folder", ""]:
    """Return what stands at a path, or nothing where there cannot be anything or it may not be looked at.

    `Path.exists` raises OSError there: of a closed folder, and of a pasted text, which is longer than a name can be.
    """
    try:
        return "folder" if path.is_dir() else "file" if path.exists() else ""
    except OSError:
        return ""


def load_bytes(path: Path) -> bytes | None:
    """Return what a file holds, None where there is none.

    Raises:
        FileError: it cannot be read, or is not a file; says why.
    """
    try:
        return _content(path)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {_reason(error)}.") from error


def load_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file of JSON lines in order, as `load_records` does."""
    return load_records(path, lambda record: record)


def load_records(path: Path, made_of: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """Yield what `made_of` makes of the records of a file of JSON lines, in order; a missing file has none.

    A line that is not such a record is passed over and stays where it is: spoilt by hand, left by a merge in git, or
    written by a newer Studiolo. The first of a file is said, once. A torn last line is what a kill leaves, so it is not.

    Args:
        made_of: may raise any of `SPOILT`.

    Raises:
        FileError: the file cannot be read; says why.
    """
    wrong: list[str] = []
    for number, line in enumerate(load_lines(path), start=1):
        why = _MERGING if line.startswith(MERGE_MARKS) else "is not a record"
        try:
            record = record_in(line)
            if record is not None:
                _refuse_newer(record)
                yield made_of(record)
                continue
        except NewerFormat as error:
            why = str(error)
        except SPOILT:
            pass
        if record is not None or (line.endswith(b"\n") and line.strip()):
            wrong.append(f"{path}:{number} {why}")
    _say_passed_over(wrong)


def _refuse_newer(record: Mapping[str, Any]) -> None:
    version = record.get("v", FORMAT)
    if isinstance(version, int) and version > FORMAT:
        raise NewerFormat(
            f"was written in format {version}; this Studiolo reads {FORMAT}. Update: pip install -U studiolo"
        )


def _say_passed_over(wrong: list[str]) -> None:
    """Say once that lines of a file were passed over: `file:line` and why, the first in full."""
    if not wrong or wrong[0] in _said:
        return
    _said.add(wrong[0])
    others = f", and so were {len(wrong) - 1} more" if len(wrong) > 1 else ""
    _log.warning(f"{wrong[0]}. It was passed over and kept{others}.")


def load_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that only grows, with their newlines; a missing file has none.

    Of a line beyond any sense only the beginning is given.

    Raises:
        FileError: the file cannot be read; says why.
    """
    try:
        with _opened(path) as file:
            while line := file.readline(LONGEST_LINE):
                yield line
                while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    line = file.readline(LONGEST_LINE)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"{path} cannot be read: {_reason(error)}.") from error


def _content(path: Path) -> bytes | None:
    try:
        with _opened(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


def _opened(path: Path) -> BinaryIO:
    """Open a file to read it; a pipe or a device in its place may never end."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise OSError(None, "Is a directory" if stat.S_ISDIR(mode) else "Is not a file")
    return os.fdopen(handle, "rb")


def _refuse_to_leave(path: Path) -> None:
    """Refuse to write by a link in a library's state to a place outside of the library: it may be a stranger's work."""
    parts = Path(os.path.abspath(path)).parts  # noqa: PTH100  (resolve would follow the link)
    if STATE not in parts:
        return
    refuse_to_leave(path, Path(*parts[: len(parts) - 1 - parts[::-1].index(STATE)]))


def refuse_to_leave(path: Path, folder: Path) -> None:
    """Refuse to write where a symbolic link, which may be a stranger's work, leads out of a folder.

    Raises:
        FileError: it does.
    """
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise FileError(
            f"{path} leads out of {folder} by a symbolic link, so it is not written. Remove the link."
        )


def record_in(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line holds; None if it holds anything else, or has lists in lists without end."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    if line.count(b"[") + line.count(b"{") > DEEPEST and not _is_shallow(record, DEEPEST):
        return None  # json could read it and yet not write it
    return record


def _is_shallow(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inner)


def _mend_last_line(handle: int) -> int:
    """Give a whole last record its newline, cut a torn one, and return where the file then ends."""
    end = os.fstat(handle).st_size
    start = _end_of_last_newline(handle, end)
    if start == end:
        return end
    if record_in(os.pread(handle, end - start, start)) is not None:
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


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Hold a library's turn, so that processes that read, decide and write there wait for each other.

    It is a lock on a file in its cache, which the system frees when a process ends, however that ends. A folder that has
    no `.studiolo/` yet, or whose cache is closed, has none: nothing is written over what has changed there either.

    Raises:
        FileError: another process has held it for `PATIENCE_S`.
    """
    path = folder / STATE / "cache" / "turn"
    handle = -1
    with contextlib.suppress(OSError):
        if (folder / STATE).is_dir():
            path.parent.mkdir(exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    if handle < 0:
        yield
        return
    try:
        _take_turn(handle, folder)
        yield
    finally:
        os.close(handle)


def _take_turn(handle: int, folder: Path) -> None:
    begun = time.monotonic()
    is_said = False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        waited = time.monotonic() - begun
        if waited > PATIENCE_S:
            raise FileError(
                f"{folder} has been in use by another Studiolo for {waited:.0f} s, so nothing was written. "
                "Let it finish, or end it, and try again."
            )
        if waited > _QUIET_S and not is_said:
            is_said = True
            _log.warning(f"Waiting for another Studiolo that changes {folder} ...")
        time.sleep(min(0.01 + waited / 20, 0.2))


def said_of(error: OSError, path: Path) -> str:
    """Return why a file cannot be written, and where it may not be, what is closed and how to open it; without a full stop."""
    why = _reason(error)
    if error.errno == errno.EROFS:
        return f"{why}. Nothing in {path.parent} can be changed: work on a copy of it"
    if error.errno not in (errno.EACCES, errno.EPERM):
        return why
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
    if there == path and os.access(path, os.W_OK):
        there = path.parent
    if os.access(there, os.W_OK):
        return why
    what = "it" if there == path else f"the folder {there}" if there.is_dir() else f"{there}"
    if there.stat().st_uid != os.geteuid():
        return f"{why}, as {what} belongs to somebody else. Work on a copy that is yours"
    return f"{why}, as {what} is read only. To change that: chmod u+w {shlex.quote(str(there))}"
