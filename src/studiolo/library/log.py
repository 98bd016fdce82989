"""What was read when: from what is kept beside the lists, and from the history of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from studiolo.keys import Key
from studiolo.lists import Entry

from .entries import called
from .folder import Library
from .history import load_changes
from .reading import load_kept, state_of


@dataclass(frozen=True, slots=True)
class Logged:
    """That something was read, or begun.

    Attributes:
        day: ISO 8601.
        state: reading or read.
        title: what the list calls it, else what is kept; its key where neither says.
        place: `file:line` on a list; empty where it is on none any more.
    """

    day: str
    state: str
    key: Key
    title: str
    place: str = ""


class Log(NamedTuple):
    """What was read or begun, the newest first, and how many entries are read without a day."""

    rows: list[Logged]
    undated: int


def load_log(library: Library, *, since: str = "") -> Log:
    """Return what was read or begun from a day on; what was marked as unread later is left out.

    Args:
        since: ISO 8601; all of it where empty.
    """
    kept = load_kept(library.folder)
    told: dict[Key, list[tuple[str, str]]] = {}
    for change in load_changes(library):
        for key, after in change.kept_after.items():
            before = change.kept_before.get(key)
            if after and after.state and after.state != (before.state if before else None):
                told.setdefault(key, []).append((change.at[:10], after.state))
    for key, one in kept.items():
        if one.state and one.since and (one.since, one.state) not in told.get(key, ()):
            told.setdefault(key, []).append((one.since, one.state))
    entries: dict[Key, tuple[Entry, str]] = {}
    undated = 0
    for path, document in library.documents.items():
        for entry in document.entries:
            for key in entry.keys:
                entries.setdefault(key, (entry, f"{library.relative(path)}:{entry.line}"))
            state, day = state_of(entry, kept)
            undated += state == "read" and not day and not any(key in told for key in entry.keys)
    rows: list[Logged] = []
    for key, events in told.items():
        events.sort()
        unread = max((n for n, (_, state) in enumerate(events, 1) if state == "to read"), default=0)
        title, place = kept[key].title if key in kept else "", ""
        if key in entries:
            entry, place = entries[key]
            short = called(entry)
            title = entry.title if entry.title.startswith(short) else f"{short}: {entry.title}"
        rows += [
            Logged(day, state, key, title or str(key), place)
            for day, state in events[unread:]
            if day >= since
        ]
    return Log(sorted(rows, key=lambda row: row.day, reverse=True), undated)
