"""The state folder of before: until November 2026 Studiolo was called Carrel and kept its facts in `.carrel/`."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from studiolo.errors import FileError
from studiolo.files import kind_at, save_bytes


_NEW, _OLD = ".studiolo", ".carrel"
_OURS = (
    "inbox.jsonl",
    "edges.jsonl",
    "metadata.jsonl",
    "triage.jsonl",
    "undo.jsonl",
    "edits.jsonl",
    "reading.jsonl",
    "results",
    ".gitattributes",
)
_log = logging.getLogger("studiolo")  # without a handler a warning is one line on standard error


def has_state(folder: Path) -> bool:
    """Whether a folder holds our facts, under today's name or the one of before."""
    return kind_at(folder / _NEW) == "folder" or _has_old(folder)


def adopt_old_state(folder: Path) -> None:
    """Move the state folder of before to today's name and say so; where both are there, leave it and say that once."""
    if not _has_old(folder):
        return
    old, new = folder / _OLD, folder / _NEW
    if new.exists():
        said = new / "cache" / "old-state-was-seen"
        if said.exists():
            return
        _log.warning(
            f"{old} is left as it is, because {new} is there too. Move what you miss from it by hand."
        )
        with contextlib.suppress(
            FileError
        ):  # a library to read only: it is said again the next time
            save_bytes(said, b"")
        return
    try:
        old.rename(new)
    except OSError as error:
        _log.warning(
            f"{old} is not read: Studiolo keeps its facts in {_NEW} now, and it cannot be renamed ({error.strerror})."
        )
    else:
        _log.warning(f"{old} is called {new} from now on. Nothing in it was changed.")


def _has_old(folder: Path) -> bool:
    """Whether the folder of before is there and ours: another program has the same name."""
    old = folder / _OLD
    return kind_at(old) == "folder" and any(kind_at(old / name) for name in _OURS)
