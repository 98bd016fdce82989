"""Where an index lies: each build in a folder of its own, and one small file that says which counts.

A build that is killed leaves a folder that nobody names; the next one removes it. Whoever has an index open keeps it:
its files stay readable after they were removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studiolo.errors import FileError
from studiolo.files import save_bytes


VERSION = 5  # of the files: one more whenever what is stored, or how texts are read, changes
ARRAYS = ("docs", "values", "counts", "days", "lengths")
FILES = ("text.sqlite", *ARRAYS)
_CURRENT = "current.json"
_BUILD = "build-"
_SAMPLES, _SAMPLE_BYTES = 64, 4096


@contextlib.contextmanager
def building(folder: Path, about: dict[str, Any]) -> Iterator[Path]:
    """Give an empty folder to build in, under `locked`; it counts from the end of the block on, or not at all.

    Args:
        about: what to keep about it; which files it has is added.
    """
    _remove_builds(folder)
    here = Path(tempfile.mkdtemp(prefix=_BUILD, dir=folder))
    try:
        yield here
        files = {name: _check(here / name) for name in FILES}
        about |= {"version": VERSION, "build": here.name, "files": files}
        for name in FILES:
            _sync(here / name)
        _sync(here)
        save_bytes(folder / _CURRENT, json.dumps(about, indent=1).encode())
    except BaseException:
        shutil.rmtree(here, ignore_errors=True)
        raise
    _remove_builds(folder, but=here.name)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Build alone: another process waits here, then finds what this one has built."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise FileError(f"No index can be kept in {folder}: {error.strerror}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def current(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Return what counts now, or None and why there is nothing: "" where nothing was built yet."""
    try:
        about = json.loads((folder / _CURRENT).read_bytes())
        version, build, files = about["version"], folder / about["build"], about["files"]
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, KeyError, TypeError):
        return None, "The index was damaged"
    if version != VERSION:
        return None, "The index was of another version of Studiolo"
    try:
        whole = all(files[name] == _check(build / name) for name in FILES)
    except (OSError, KeyError, TypeError):
        whole = False
    return (about, "") if whole else (None, "The index was damaged")


def put_aside(folder: Path) -> None:
    """Let the index count no more: it is damaged."""
    (folder / _CURRENT).unlink(missing_ok=True)


def _check(path: Path) -> list[int]:
    """Return size and a checksum of the first, the last and some pages between: quick for files of a gigabyte."""
    size = path.stat().st_size
    found = 0
    with path.open("rb") as file:
        for n in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * n // (_SAMPLES - 1))
            found = zlib.crc32(file.read(_SAMPLE_BYTES), found)
    return [size, found]


def _remove_builds(folder: Path, but: str = "") -> None:
    if not but:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            but = json.loads((folder / _CURRENT).read_bytes())["build"]
    for old in folder.glob(f"{_BUILD}*"):
        if old.name != but:
            shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
