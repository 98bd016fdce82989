"""What was collected from where, so that it can be collected again: `.studiolo/sources.jsonl`.

Each line is a place that was read to its end, or that is to be forgotten; of each place the last line counts, so that two
branches merge. No line holds a secret: tokens come from the environment, and an address that carries one is not kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from studiolo.errors import UsageError
from studiolo.files import append_json_lines, load_records

from .folder import Library


How = Literal["file", "login", "page", "repository", "section"]
_SECRET = re.compile(r"(?i)token|key|secret|passw|signature|^sig$|auth|^code$|credential|session")


@dataclass(frozen=True, slots=True)
class Place:
    """A place that things were collected from.

    Attributes:
        source: the command that reads it, such as `bookmarks`.
        how: a file or folder; somebody's login at a service; a page; a repository with issues; a section of `praw.ini`.
        where: the path as seen from the library, `~/…` where it lies in the home folder, else the whole path; or the
            login, address, repository or section.
        options: what else the command was given.
    """

    source: str
    how: How
    where: str
    options: Mapping[str, str | bool] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.source} {self.where}"

    def path(self, library: Library) -> Path:
        """Return the file or folder that it is."""
        if self.where.startswith("~/"):
            return Path(self.where).expanduser()
        return library.folder / self.where

    @property
    def is_secret(self) -> bool:
        """Whether its address carries what nobody else may know."""
        if self.how != "page":
            return False
        parts = urlsplit(self.where)
        return "@" in parts.netloc or any(
            _SECRET.search(name) for name, _ in parse_qsl(parts.query)
        )


def place_of_file(
    library: Library, source: str, path: Path, options: Mapping[str, str | bool]
) -> Place:
    """Return a file or folder as a place."""
    absolute = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  (resolve would follow links)
    if library.holds(absolute):
        where = library.relative(absolute)
    else:
        home = Path.home()
        inside = absolute.is_relative_to(home)
        where = f"~/{absolute.relative_to(home).as_posix()}" if inside else absolute.as_posix()
    return Place(source, "file", where, {name: value for name, value in options.items() if value})


def load_places(library: Library) -> list[Place]:
    """Return the places that were collected from, in the order of their first time; lines that are not ours are passed over."""
    found: dict[tuple[str, str, str], Place | None] = {}
    for place, is_forgotten in load_records(_path(library), _place_from):
        found[place.source, place.how, place.where] = None if is_forgotten else place
    return [place for place in found.values() if place]


def save_place(library: Library, place: Place) -> bool:
    """Remember a place, unless that was done before; False where its address carries a secret, so that it is not kept.

    Raises:
        FileError: it cannot be written.
    """
    if place.is_secret:
        return False
    if place not in load_places(library):
        _append(library, place)
    return True


def forget_place(library: Library, word: str) -> Place:
    """Forget a place, named as `Place.where` or `str(Place)` name it, and return it. What was collected from it stays.

    Raises:
        UsageError: there is no such place, or there are several.
        FileError: it cannot be written.
    """
    places = load_places(library)
    found = [place for place in places if word in (str(place), place.where)]
    found = found or [place for place in places if word == place.source]
    if len(found) != 1:
        shown = "; ".join(map(str, found or places)) or "none"
        raise UsageError(
            f"{word!r} may be one of: {shown}."
            if found
            else f"Nothing was collected from {word!r}. There are: {shown}."
        )
    _append(library, found[0], forgotten=True)
    return found[0]


def _path(library: Library) -> Path:
    return library.state / "sources.jsonl"


def _append(library: Library, place: Place, *, forgotten: bool = False) -> None:
    library.prepare()
    record: dict[str, Any] = {"source": place.source, "how": place.how, "where": place.where}
    if place.options:
        record["options"] = dict(place.options)
    if forgotten:
        record["forgotten"] = True
    append_json_lines(_path(library), [{**record, "on": datetime.now(UTC).date().isoformat()}])


def _place_from(record: Mapping[str, Any]) -> tuple[Place, bool]:
    """Return a place and whether it is forgotten.

    Raises:
        KeyError, TypeError, ValueError: the record is not one of ours.
    """
    how, options = record["how"], record.get("options", {})
    if how not in get_args(How):
        raise ValueError(how)
    if not all(isinstance(value, str | bool) for value in options.values()):
        raise TypeError("an option is neither text nor yes or no")
    return (
        Place(str(record["source"]), how, str(record["where"]), dict(options)),
        bool(record.get("forgotten")),
    )
