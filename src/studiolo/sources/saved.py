"""What a source yields: saved things, their folders, and what was skipped and why.

A parser is a function from bytes to an iterator of `SavedItem | SavedFolder | Skipped`. It decides nothing: which paper
stands behind a link, and whether it is known already, is the library's business.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from studiolo.lists import State


# what a bibliography says beside its fields, in `SavedItem.extra`: how many people stand before `and others`; the title with
# the braces that keep its capitals
OTHERS, BRACES = "and others", "title in braces"
# fields of `SavedItem.extra` that are people, written as its authors are, with `and` between them
PEOPLE = frozenset({"editor", "translator"})


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
        authors: of the thing, in order: `Family, Given` (or `Family, Jr, Given`) where the export tells them apart,
            `{…}` around an organisation, else as they are written; `spoken_name` says them the other way round.
        year: in which it was published.
        venue: the journal, proceedings or book that it appeared in.
        entry_type: what it is, in BibTeX's words (`article`, `inproceedings`); empty where the export does not say.
        cite_key: what a bibliography calls it.
        state: to read, reading or read, where the export says so.
        read_at: when it was read, as `saved_at`.
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
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    entry_type: str = ""
    cite_key: str = ""
    state: State | None = None
    read_at: str | None = None

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
        if self.authors:
            record["authors"] = list(self.authors)
        if self.year:
            record["year"] = self.year
        for name in ("venue", "entry_type", "cite_key", "state", "read_at"):
            if value := getattr(self, name):
                record[name] = value
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
        from studiolo.lists import STATES  # `--help` reads no list

        texts = {name: record.get(name, "") for name in _TEXTS}
        texts |= {name: record[name] for name in ("source", "url")}
        folder, tags, authors = (record.get(name, []) for name in ("folder", "tags", "authors"))
        extra, year, state = record.get("extra", _NO_EXTRA), record.get("year"), record.get("state")
        links = tuple(SavedLink(*link) for link in record.get("links", ()))
        saved_at, read_at = record.get("saved_at"), record.get("read_at")
        of_links = (text for link in links for text in (link.role, link.url, link.title))
        words = (*texts.values(), saved_at or "", read_at or "", *of_links)
        if not (
            all(isinstance(many, list) for many in (folder, tags, authors))
            and isinstance(extra, dict)
            and isinstance(year, int | None)
            and all(isinstance(text, str) for text in (*words, *folder, *tags, *authors))
        ):
            raise TypeError("what should be text is not")
        texts["source"] = sys.intern(texts["source"])
        item = cls(
            folder=_shared(tuple(folder)),
            tags=tuple(tags),
            saved_at=saved_at,
            links=links,
            authors=tuple(authors),
            year=year,
            state=state if state in STATES else None,
            read_at=read_at,
            extra=extra,
            **texts,
        )
        return _lifted(item) if "cite_key" in extra else item

    @property
    def content(self) -> str:
        """Return a digest of everything but the place: two readings that say the same have the same content."""
        record = self.to_record()
        record.pop("place", None)
        text = json.dumps(record, sort_keys=True, ensure_ascii=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


_NO_EXTRA: dict[str, str] = {}  # one for all: an inbox holds hundreds of thousands of items


@lru_cache(maxsize=1 << 12)
def _shared(folder: tuple[str, ...]) -> tuple[str, ...]:
    """Return the same object for equal folders."""
    return folder


_TEXTS = ("title", "note", "about", "native", "venue", "entry_type", "cite_key", "place")


def _lifted(item: SavedItem) -> SavedItem:
    """Return a reference as older versions kept it, all of its fields in `extra`, with the fields of today."""
    extra = dict(item.extra)
    authors = extra.pop("author", "")
    year = re.match(r"\d{4}", extra.pop("year", "") or extra.get("date", ""))
    journal, booktitle = extra.pop("journal", ""), extra.pop("booktitle", "")
    return replace(
        item,
        authors=tuple(authors.split(" and ")) if authors else (),
        year=int(year[0]) if year else None,
        venue=journal or booktitle,
        entry_type="article" if journal else "inproceedings" if booktitle else "",
        cite_key=extra.pop("cite_key"),
        extra=extra,
    )


def split_people(text: str) -> list[str]:
    """Return the people of one of the fields `PEOPLE`; an organisation may have `and` within its braces.

    >>> split_people("Sample, Bo and {Maps and Sons}")
    ['Sample, Bo', '{Maps and Sons}']
    """
    names = re.findall(r"(?:\{[^{}]*\}|(?!\s+and\s)[^{}])+", text)
    return [name for part in names if (name := re.sub(r"^\s*and\s+|^\s+", "", part).strip())]


def spoken_name(name: str) -> str:
    """Return a name as one says it.

    >>> spoken_name("LeCun, Yann"), spoken_name("King, Jr, Martin Luther"), spoken_name("{Google Research}")
    ('Yann LeCun', 'Martin Luther King Jr', 'Google Research')
    """
    if name.startswith("{") and name.endswith("}"):
        return name[1:-1]
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 3:
        return " ".join((parts[2], parts[0], parts[1])).strip()
    return " ".join(reversed(parts)).strip() if len(parts) == 2 else name


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
