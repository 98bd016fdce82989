"""The inbox: what was collected, each thing once, and is on no list yet."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studiolo.files import append_json_lines, load_json_lines, load_records
from studiolo.sources import Saved, SavedFolder, SavedItem, Skipped

from .folder import Library


BATCH = 1000  # items written, and safe from then on, at once
BATCH_S = 2.0
SKIPPED_KEPT = 10_000


@dataclass(slots=True)
class Collected:
    """What a reading of a source came to; `read == new + known + num_skipped`.

    Attributes:
        changed: how many of the known ones said something new (a longer note, another title), which was kept.
        folders: folders seen, empty ones included.
        skipped: what was not kept and why; the first 10,000 of them.
    """

    read: int = 0
    new: int = 0
    known: int = 0
    changed: int = 0
    folders: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    num_skipped: int = 0


def inbox_path(library: Library) -> Path:
    """Return the file of the inbox."""
    return library.state / "inbox.jsonl"


class Inbox:
    """The collected items of a library, and what was seen of each."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._path = inbox_path(library)
        self._contents: dict[str, str] = {}
        self._begun: dict[tuple[str, str], bool] = {}
        for record in load_json_lines(self._path):
            if "id" in record:
                self._contents[str(record["id"])] = str(record.get("content", ""))
            elif record.get("kind") in ("begun", "ended"):
                source = (str(record.get("source")), str(record.get("of")))
                self._begun[source] = record["kind"] == "ended"

    def knows(self, item: SavedItem) -> bool:
        """Whether an item was collected before."""
        return item.identity in self._contents

    def was_read_to_the_end(self, source: str, of: str) -> bool:
        """Whether the last reading of a source (`github-stars` of a login) came to its end, so that the next may stop early."""
        return self._begun.get((source, of), False)

    def collect(
        self, saved: Iterable[Saved], *, source: str = "", of: str = "", dry_run: bool = False
    ) -> Collected:
        """Take in what a source yields and return the count.

        Items are written in batches, so an interrupted reading loses the last second at most; the next one finds the others
        known. Nothing is written with `dry_run`.
        """
        counts = Collected()
        batch: list[dict[str, Any]] = []
        first: dict[str, str] = {}
        others: dict[str, dict[str, str]] = {}
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        due = time.monotonic() + BATCH_S

        def flush() -> None:
            if batch and not dry_run:
                self.library.prepare()
                append_json_lines(self._path, batch)
            batch.clear()

        if of:
            batch.append({"kind": "begun", "source": source, "of": of})
        try:
            for thing in saved:
                if isinstance(thing, Skipped):
                    counts.read += 1
                    counts.num_skipped += 1
                    if counts.num_skipped <= SKIPPED_KEPT:
                        counts.skipped.append(thing)
                    continue
                if isinstance(thing, SavedFolder):
                    counts.folders += 1
                    record = thing.to_record()
                    content = repr(
                        sorted((key, value) for key, value in record.items() if key != "place")
                    )
                    if self._contents.get(thing.identity) != content:
                        self._contents[thing.identity] = content
                        batch.append(
                            {"kind": "folder", "id": thing.identity, "content": content, **record}
                        )
                    continue
                counts.read += 1
                identity, content = self._identify(thing, first, others)
                before = self._contents.get(identity)
                if before == content:
                    counts.known += 1
                    continue
                if before is None:
                    counts.new += 1
                else:
                    counts.known += 1
                    counts.changed += 1
                self._contents[identity] = content
                batch.append(
                    {"id": identity, "content": content, "collected": day, **thing.to_record()}
                )
                if len(batch) >= BATCH or time.monotonic() > due:
                    flush()
                    due = time.monotonic() + BATCH_S
        finally:
            flush()  # also when the source failed or was interrupted: what was read is kept
        if of:
            batch.append({"kind": "ended", "source": source, "of": of})
            flush()
        return counts

    @staticmethod
    def _identify(
        item: SavedItem, first: dict[str, str], others: dict[str, dict[str, str]]
    ) -> tuple[str, str]:
        """Return an item's identity and content.

        Two bookmarks of one page in one folder with one date, but different words, stay two: the second is known as `…#2`.
        Where the place itself numbers its things, the first of a reading stands.

        Args:
            first: the first content of each identity of this reading, one for each of a million items.
            others: of the few that have several, how the further ones are known.
        """
        identity, content = item.identity, item.content
        known = first.setdefault(identity, content)
        if item.native or content == known:
            return identity, known
        names = others.setdefault(identity, {})
        return names.setdefault(content, f"{identity}#{len(names) + 2}"), content


def load_items(library: Library) -> Iterator[SavedItem]:
    """Yield the collected items, the latest words of each, in the order in which they were first collected."""
    latest: dict[str, SavedItem] = {}
    for identity, item in load_records(inbox_path(library), _item):
        if item is not None:
            latest[identity] = item
    yield from latest.values()


def _item(record: dict[str, Any]) -> tuple[str, SavedItem | None]:
    """Return the id of a record and its item; a folder, or where a reading began or ended, has none."""
    identity = str(record.get("id", ""))
    return identity, SavedItem.from_record(record) if identity and "kind" not in record else None
