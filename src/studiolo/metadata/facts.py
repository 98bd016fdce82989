"""What is known of a work, whoever said it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studiolo.keys import Key


@dataclass(frozen=True, slots=True)
class Facts:
    """What a service says about one key.

    Attributes:
        key: the key that was asked.
        title: on one line.
        authors: as the service writes them, in order.
        year: of the first version.
        version: the newest version known (`v4`), for arXiv.
        published: ISO 8601, where the service says more than the year.
        venue: journal or conference, where it appeared.
        abstract: with single spaces.
        same: other keys of the same work, by the service's own cross-walk.
        about: papers that it is about (of a repository).
        said_by: arxiv, semantic-scholar, openalex, crossref, datacite or github.
        fetched: the day on which it was asked.
        missing: the service knows no such thing.
    """

    key: Key
    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    version: str = ""
    published: str = ""
    venue: str = ""
    abstract: str = ""
    categories: tuple[str, ...] = ()
    same: tuple[Key, ...] = ()
    about: tuple[Key, ...] = ()
    said_by: str = ""
    fetched: str = ""
    missing: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return the facts as plain JSON values, empty ones left out."""
        record: dict[str, Any] = {"key": str(self.key)}
        for name in (
            "title",
            "year",
            "version",
            "published",
            "venue",
            "abstract",
            "said_by",
            "fetched",
        ):
            if value := getattr(self, name):
                record[name] = value
        for name in ("authors", "categories"):
            if value := getattr(self, name):
                record[name] = list(value)
        for name in ("same", "about"):
            if value := getattr(self, name):
                record[name] = [str(key) for key in value]
        if self.missing:
            record["missing"] = True
        if self.extra:
            record["extra"] = dict(self.extra)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Facts:
        """Return what `to_record` wrote.

        Raises:
            StudioloError, KeyError, TypeError: the record is none of ours.
        """
        return cls(
            key=Key.parse(record["key"]),
            title=str(record.get("title", "")),
            authors=tuple(map(str, record.get("authors", ()))),
            year=record.get("year") if isinstance(record.get("year"), int) else None,
            version=str(record.get("version", "")),
            published=str(record.get("published", "")),
            venue=str(record.get("venue", "")),
            abstract=str(record.get("abstract", "")),
            categories=tuple(map(str, record.get("categories", ()))),
            same=tuple(Key.parse(text) for text in record.get("same", ())),
            about=tuple(Key.parse(text) for text in record.get("about", ())),
            said_by=str(record.get("said_by", "")),
            fetched=str(record.get("fetched", "")),
            missing=record.get("missing") is True,
            extra=dict(record.get("extra", {})),
        )
