"""What is kept beside the lists, in `.studiolo/reading.jsonl`: one line per key, sorted, so that git can merge it.

Reading state where a list does not show it, the dates, notes that a list has no place for, and what a
reader wants to hold on to: title, authors, abstract and date, so that a dead link loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from studiolo.files import FORMAT, SPOILT, load_records, record_in, update_bytes
from studiolo.keys import Key
from studiolo.lists import STATES, Entry, State


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one key.

    Attributes:
        state: to read, reading or read, where no list shows it.
        since: the day of the last change of state, ISO 8601.
        published: the day or year it appeared.
        notes: what the reader wrote where the list had no place for it.
        tags: those that the list does not show; None: nothing is said of them.
        more: fields of a newer Studiolo; kept as they are.
    """

    key: Key
    state: State | None = None
    since: str = ""
    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    published: str = ""
    abstract: str = ""
    url: str = ""
    notes: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def merged(self, other: Kept) -> Kept:
        """Return both together: what `other` says wins, what it leaves empty stays, notes add up."""
        newer = other if other.since >= self.since else self
        return Kept(
            self.key,
            newer.state or self.state or other.state,
            newer.since,
            other.title or self.title,
            other.authors or self.authors,
            other.year or self.year,
            other.published or self.published,
            other.abstract or self.abstract,
            other.url or self.url,
            tuple(dict.fromkeys((*self.notes, *other.notes))),
            self.tags if other.tags is None else other.tags,
            {**self.more, **other.more},
        )

    def beside(self, other: Kept) -> Kept:
        """Return two lines of one key, as a merge of two branches leaves them: the later state, of one day the one further on."""
        order = [None, *STATES]
        if self.since == other.since and order.index(self.state) > order.index(other.state):
            return other.merged(self)
        return self.merged(other)

    def to_record(self) -> dict[str, Any]:
        """Return it as plain JSON values, empty ones left out."""
        record: dict[str, Any] = {"key": str(self.key)}
        for name in ("state", "since", "title", "year", "published", "abstract", "url"):
            if value := getattr(self, name):
                record[name] = value
        if self.authors:
            record["authors"] = list(self.authors)
        if self.notes:
            record["notes"] = list(self.notes)
        if self.tags is not None:
            record["tags"] = list(self.tags)
        return {**self.more, **record}


def kept_of(entry: Entry) -> Kept | None:
    """Return what an entry itself says that is worth keeping, or None if it has no key."""
    key = entry.key
    if key is None:
        return None
    url = next((link.url for link in entry.links if link.mention and link.mention.key == key), "")
    return Kept(key, title=entry.title, authors=entry.authors, year=entry.year, url=url)


def kept_path(root: Path) -> Path:
    """Return the file of a library."""
    return root / ".studiolo" / "reading.jsonl"


def load_kept(root: Path) -> dict[Key, Kept]:
    """Return what is kept in the library at `root`; lines that are not ours are passed over."""
    kept: dict[Key, Kept] = {}
    for one in load_records(kept_path(root), kept_from):
        kept[one.key] = kept[one.key].beside(one) if one.key in kept else one
    return kept


def state_of(entry: Entry, kept: Mapping[Key, Kept]) -> tuple[str | None, str]:
    """Return the state of an entry and the day it is known since.

    The list has the last word, except that it may have no place for what is begun.
    """
    if not kept:
        return entry.state, ""
    one = _kept_of_any(entry, kept)
    if one is None:
        return entry.state, ""
    if entry.state is None or (entry.state, one.state) == ("to read", "reading"):
        return one.state, one.since
    return entry.state, one.since if one.state == entry.state else ""


def tags_of(entry: Entry, kept: Mapping[Key, Kept]) -> tuple[str, ...]:
    """Return the tags of an entry: those that the list shows, and those kept beside it."""
    one = _kept_of_any(entry, kept) if kept else None
    return tuple(dict.fromkeys((*entry.tags, *(one.tags or ())))) if one else entry.tags


def _kept_of_any(entry: Entry, kept: Mapping[Key, Kept]) -> Kept | None:
    keys = (entry.key, *entry.keys) if entry.key else entry.keys
    return next((kept[key] for key in keys if key in kept), None)


def merged(kept: Mapping[Key, Kept], changes: Iterable[Kept]) -> dict[Key, Kept]:
    """Return what is kept of the keys of `changes` once they are merged into `kept`."""
    found: dict[Key, Kept] = {}
    for change in changes:
        old = found.get(change.key) or kept.get(change.key)
        found[change.key] = old.merged(change) if old else change
    return found


def diff_of_kept(root: Path, changes: Iterable[Kept]) -> list[str]:
    """Return which lines `save_kept` would take out of `reading.jsonl`, after a `-`, and which it would put in, after a `+`."""
    kept = load_kept(root)
    return [
        f"{sign}{_json(one).decode('utf-8', 'replace')}"
        for key, new in merged(kept, changes).items()
        for sign, one in (("-", kept.get(key)), ("+", new))
        if one is not None and kept.get(key) != new
    ]


def save_kept(root: Path, changes: Iterable[Kept]) -> None:
    """Merge `changes` into what is kept and write it, sorted by key; several processes lose nothing of each other.

    Lines that cannot be read, such as the marks of a conflict in git, stay at the end.

    Raises:
        FileError: it cannot be written.
    """
    changes = tuple(changes)
    update_bytes(kept_path(root), lambda data: _with(data, lambda kept: merged(kept, changes)))


def restore_kept(root: Path, values: Mapping[Key, Kept | None]) -> None:
    """Put `values` in the place of what is kept of their keys, None for nothing; raises as `save_kept` does."""
    update_bytes(kept_path(root), lambda data: _with(data, lambda _: values))


def _with(
    data: bytes | None, change: Callable[[Mapping[Key, Kept]], Mapping[Key, Kept | None]]
) -> bytes:
    kept, strange = _read(data)
    all_of_it = {**kept, **change(kept)}
    lines = [_json(one) for _, one in sorted(all_of_it.items()) if one is not None]
    return b"".join(line + b"\n" for line in (*lines, *strange))


def _json(one: Kept) -> bytes:
    text = json.dumps(one.to_record(), ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "surrogatepass")


def _read(data: bytes | None) -> tuple[dict[Key, Kept], list[bytes]]:
    kept: dict[Key, Kept] = {}
    strange: list[bytes] = []
    for line in (data or b"").split(b"\n"):
        if not line.strip():
            continue
        try:
            one = kept_from(record_in(line) or {})
        except SPOILT:
            strange.append(line)
            continue
        kept[one.key] = kept[one.key].beside(one) if one.key in kept else one
    return kept, strange


def kept_from(record: dict[str, Any]) -> Kept:
    """Return what `Kept.to_record` wrote.

    Raises:
        UsageError, KeyError, TypeError, ValueError, AttributeError: the record is not ours.
    """
    known = {
        "key",
        "state",
        "since",
        "title",
        "authors",
        "year",
        "published",
        "abstract",
        "url",
        "notes",
        "tags",
    }
    state, year = record.get("state"), record.get("year")
    if record.get("v", FORMAT) != FORMAT:
        raise ValueError("another format")
    texts = {
        name: record.get(name, "") for name in ("since", "title", "published", "abstract", "url")
    }
    lists = {name: record.get(name, []) for name in ("authors", "notes", "tags")}
    if not all(isinstance(text, str) for text in chain(texts.values(), *lists.values())):
        raise TypeError("what should be text is not")
    return Kept(
        Key.parse(record["key"]),
        state if state in STATES else None,
        year=year if isinstance(year, int) else None,
        authors=tuple(lists["authors"]),
        notes=tuple(lists["notes"]),
        tags=tuple(lists["tags"]) if "tags" in record else None,
        more={name: value for name, value in record.items() if name not in known},
        **texts,
    )
