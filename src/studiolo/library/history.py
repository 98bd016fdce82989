"""Changes that were written, so that the last can be undone: `.studiolo/edits.jsonl`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studiolo.errors import ListError, StaleEdit, UsageError
from studiolo.files import save_bytes
from studiolo.keys import Key
from studiolo.lists import Document, Edit, apply_edits, inverse

from .reading import Kept, kept_from, load_kept, restore_kept, save_kept


KEEP = 200  # changes that can be undone


@dataclass(frozen=True, slots=True)
class Change:
    """One written change.

    Attributes:
        path: the list, as seen from the library.
        what: in words, for example `read arxiv:2105.03824`.
        at: when, ISO 8601, UTC.
        edits: what was done.
        digest: SHA-256 of the list after it.
        kept: what was kept beside the lists of the keys concerned, before it; None where nothing was.
    """

    path: str
    what: str
    at: str
    edits: tuple[Edit, ...]
    digest: str
    kept: Mapping[Key, Kept | None] = field(default_factory=dict)


def save_change(
    root: Path,
    doc: Document,
    edits: Sequence[Edit],
    new: Document,
    what: str,
    keeping: Sequence[Kept] = (),
) -> Change:
    """Write `new`, which `edits` make of `doc`, over the list of `doc`, and remember how to undo it.

    Args:
        keeping: what to keep beside the lists in the same step; `edits` may then be empty.

    Raises:
        StaleEdit: the list has changed since `doc` was read; nothing is written.
        ListError: it cannot be written.
    """
    if doc.path is None:
        raise ListError("This list was not read from a file, so it cannot be written.")
    path = doc.path.resolve()
    if edits:
        save_bytes(path, new.data, doc.data)
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    known = load_kept(root) if keeping else {}
    before = {one.key: known.get(one.key) for one in keeping}
    if keeping:
        save_kept(root, keeping)
    change = Change(
        shown,
        what,
        datetime.now(UTC).isoformat(timespec="seconds"),
        tuple(edits),
        hashlib.sha256(new.data).hexdigest(),
        before,
    )
    _write(root, [*load_changes(root), change][-KEEP:])
    return change


def load_changes(root: Path) -> list[Change]:
    """Return the changes that can be undone, oldest first."""
    try:
        lines = _path(root).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    changes: list[Change] = []
    for line in lines:
        try:
            record = json.loads(line)
            edits = tuple(
                Edit(e["start"], _bytes(e["old"]), _bytes(e["new"])) for e in record["edits"]
            )
            kept = {
                Key.parse(key): kept_from(one) if one else None
                for key, one in record.get("kept", {}).items()
            }
            changes.append(
                Change(record["list"], record["what"], record["at"], edits, record["digest"], kept)
            )
        except (ValueError, KeyError, TypeError, UsageError):
            continue  # a line that somebody spoilt cannot be undone
    return changes


def undo(root: Path) -> Change:
    """Undo the last change of the library at `root` and return it.

    Raises:
        UsageError: there is nothing to undo.
        StaleEdit: the list was edited since where the change was made.
    """
    changes = load_changes(root)
    if not changes:
        raise UsageError(f"Nothing was changed in {root} that could be undone.")
    last = changes[-1]
    if last.edits:
        path = root / last.path
        data = Document.load(path).data
        if hashlib.sha256(data).hexdigest() != last.digest:
            raise StaleEdit(
                f"{path} was edited after “{last.what}”, so that cannot be undone exactly. Edit it by hand."
            )
        save_bytes(path, apply_edits(data, inverse(last.edits)), data)
    if last.kept:
        restore_kept(root, last.kept)
    _write(root, changes[:-1])
    return last


def _path(root: Path) -> Path:
    return root / ".studiolo" / "edits.jsonl"


def _write(root: Path, changes: Sequence[Change]) -> None:
    path = _path(root)
    path.parent.mkdir(exist_ok=True)
    before = path.read_bytes() if path.exists() else None
    data = b"".join(
        json.dumps(_record(change), sort_keys=True).encode() + b"\n" for change in changes
    )
    save_bytes(path, data, before)


def _record(change: Change) -> dict[str, Any]:
    edits = [{"start": e.start, "old": _text(e.old), "new": _text(e.new)} for e in change.edits]
    kept = {str(key): one.to_record() if one else None for key, one in change.kept.items()}
    record = {
        "list": change.path,
        "what": change.what,
        "at": change.at,
        "edits": edits,
        "digest": change.digest,
    }
    return {**record, "kept": kept} if kept else record


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
