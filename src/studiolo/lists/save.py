"""Writing a list: whole or not at all, and only over the bytes that were read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from studiolo.errors import ListError, StaleEdit


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two Studiolos do not write one file at the same time."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def save_bytes(path: Path, data: bytes, expected: bytes | None) -> None:
    """Replace the file at `path`, which must hold `expected` (None: not exist), by `data`.

    A temporary file beside it is written, flushed to the disk and renamed over it: after a crash there is
    the old file or the new one. Mode and owner stay; a symbolic link stays one and its target is replaced.

    Raises:
        StaleEdit: the file holds other bytes than `expected`.
        ListError: it cannot be written; says why.
    """
    path = path.resolve()
    try:
        with _locked(path):
            found = path.read_bytes() if path.exists() else None
            if found != expected:
                raise StaleEdit(
                    f"{path} has changed since it was read. Nothing was written: read the list again."
                )
            _replace(path, data)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ListError(f"{path} cannot be written: {reason}. It is as it was.") from error


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if path.exists():
                old = path.stat()
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    with contextlib.suppress(PermissionError):
                        os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
            else:
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(file.fileno(), 0o666 & ~mask)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
