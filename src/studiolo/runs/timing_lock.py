"""One lock for the whole machine, so that two runs never time at once."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path


def hold_timing_lock(tell: Callable[[bool], None]) -> None:
    """Hold the machine's lock until this process ends, waiting for others.

    The lock is a file that every user can open, whoever made it. Where no such file can be had, each user has one; where
    no file at all, timings are not kept apart.

    Args:
        tell: is called with False when the wait begins, and with True when it is over; not at all without a wait.
    """
    for name in ("studiolo-timing.lock", f"studiolo-timing-{os.getuid()}.lock"):
        handle = _opened(Path(tempfile.gettempdir()) / name)
        if handle is not None:
            break
    else:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell(False)
        fcntl.flock(handle, fcntl.LOCK_EX)
        tell(True)


def _opened(path: Path) -> int | None:
    """Open a lock file, making it where it is missing; None if that is not allowed, or it is something else."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            handle = os.open(path, flags)  # no O_CREAT: the kernel may forbid it in a shared folder
        except FileNotFoundError:
            handle = os.open(path, flags | os.O_CREAT, 0o644)
            os.fchmod(handle, 0o644)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    return None
