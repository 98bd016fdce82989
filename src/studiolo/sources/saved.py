"""What a source yields: saved things, their folders, and what was skipped and why.

A parser is a function from bytes to an iterator of `SavedItem | SavedFolder | Skipped`. It decides nothing: which paper
stands behind a link, and whether it is known already, is the library's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SavedLink:
    """A further address that a saved thing carries, where in it the address stood, and the title it had there, if any.

    Roles: `target` (what a post links to), `description`, `homepage`, `name` (a citation titled like the repository),
    `bibtex` (the only paper cited), `badge`, `readme` (its only paper, confirmed), `date` (confirmed by date), `mention` (its
    only paper, unconfirmed), `several` (one of several).
    """

    role: str
    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class SavedItem:
    """One thing that somebody saved somewhere.

    Attributes:
        source: the command that read it, such as `bookmarks`.
        url: the address as it was saved, junk included.
        title: one line; empty where the export holds none.
        note: the owner's own words, line breaks kept.
        about: what the thing says of itself (a repository's description, a post's text).
        folder: names of the folders around it, outermost first.
        tags: in the export's order.
        saved_at: ISO 8601 in UTC, or None where the export holds no date.
        native: the place's own id (`866341786`, `t3_nqg2bz`), which survives renames; else empty.
        links: further addresses.
        extra: whatever else the export said, by its own names in lower case.
        place: `file:line` (or `file, item 7`), for the reader.
    """

    source: str
    url: str
    title: str = ""
    note: str = ""
    about: str = ""
    folder: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    saved_at: str | None = None
    native: str = ""
    links: tuple[SavedLink, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    place: str = ""

    @property
    def identity(self) -> str:
        """Return 24 hex digits that are the same whenever this thing is read again from the same source.

        The place's own id decides where there is one; else address, folder and date together, so that one page kept in two
        folders stays two saved things.
        """
        parts = (
            (self.source, self.native)
            if self.native
            else (self.source, self.url, *self.folder, self.saved_at or "")
        )
        # A length before each part: ("a", "bc") and ("ab", "c") differ.
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()

    def to_record(self) -> dict[str, Any]:
        """Return the item as plain JSON values, empty ones left out."""
        record: dict[str, Any] = {"source": self.source, "url": self.url}
        if self.title:
            record["title"] = self.title
        if self.note:
            record["note"] = self.note
        if self.about:
            record["about"] = self.about
        if self.folder:
            record["folder"] = list(self.folder)
        if self.tags:
            record["tags"] = list(self.tags)
        if self.saved_at:
            record["saved_at"] = self.saved_at
        if self.native:
            record["native"] = self.native
        if self.links:
            record["links"] = [
                [link.role, link.url, *([link.title] if link.title else [])] for link in self.links
            ]
        if self.extra:
            record["extra"] = dict(self.extra)
        if self.place:
            record["place"] = self.place
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> SavedItem:
        """Return the item that `to_record` wrote; unknown fields of later versions are ignored.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: the record is not one of ours.
        """
        texts = {
            name: record.get(name, "") for name in ("title", "note", "about", "native", "place")
        }
        texts |= {name: record[name] for name in ("source", "url")}
        folder, tags, extra = (
            record.get(n, e) for n, e in (("folder", []), ("tags", []), ("extra", {}))
        )
        links = tuple(SavedLink(*link) for link in record.get("links", ()))
        saved_at = record.get("saved_at")
        of_links = (text for link in links for text in (link.role, link.url, link.title))
        if not (
            isinstance(folder, list) and isinstance(tags, list) and isinstance(extra, dict)
        ) or not all(
            isinstance(text, str)
            for text in (*texts.values(), *folder, *tags, saved_at or "", *of_links)
        ):
            raise TypeError("what should be text is not")
        return cls(
            folder=tuple(folder),
            tags=tuple(tags),
            saved_at=saved_at,
            links=links,
            extra=extra,
            **texts,
        )

    @property
    def content(self) -> str:
        """Return a digest of everything but the place: two readings that say the same have the same content."""
        record = self.to_record()
        record.pop("place", None)
        text = json.dumps(record, sort_keys=True, ensure_ascii=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class SavedFolder:
    """A folder of bookmarks, kept because it may be empty, dated or described."""

    source: str
    path: tuple[str, ...]
    note: str = ""
    saved_at: str | None = None
    modified_at: str | None = None
    place: str = ""

    def to_record(self) -> dict[str, Any]:
        """Return the folder as plain JSON values, empty ones left out."""
        record: dict[str, Any] = {"source": self.source, "path": list(self.path)}
        for name in ("note", "saved_at", "modified_at", "place"):
            if value := getattr(self, name):
                record[name] = value
        return record

    @property
    def identity(self) -> str:
        """Return 24 hex digits for source and path."""
        text = "".join(f"{len(part)}:{part}" for part in ("folder", self.source, *self.path))
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was read and not kept, with its place and a reason in words."""

    place: str
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


Saved = SavedItem | SavedFolder | Skipped
Reading = Iterator[Saved]
