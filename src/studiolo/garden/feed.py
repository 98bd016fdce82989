"""A feed of a library: what was added, begun, read, answered and measured, the newest first, as Atom (RFC 4287).

Titles and days leave the house, notes do not.
"""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from studiolo.errors import UsageError
from studiolo.keys import Key, address_of
from studiolo.library import (
    PAGES,
    Library,
    called,
    load_changes,
    load_log,
    load_same,
    load_seen,
    save_seen,
)
from studiolo.lists import Document, Entry, find_links

from .arrivals import first_days
from .catalogue import title_of
from .commits import committed_days, day_of_file, days_of_lines


ATOM = "http://www.w3.org/2005/Atom"
NEWEST = 100  # entries of a feed
_SPACE = uuid.UUID("6f2d9e0e-7a55-4f0c-9b5e-0c5d2f6f4a11")  # of the ids that are made here
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ANSWER = re.compile(r"\s*(?:[-*+>]\s*)*(?:\*\*)?A(?:nswer)?\d{0,3}\s?[:.]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a library.

    Attributes:
        kind: added, begun, read, answered or measured.
        at: ISO 8601: a day, or a moment.
        title: what it happened to.
        url: where that is; empty where it has no address.
        text: what is to be said of it.
        of: what tells it from other events of its kind; stays the same for ever.
        is_first_sight: whether the day is known by looking at the lists alone.
    """

    kind: str
    at: str
    title: str
    url: str = ""
    text: str = ""
    of: str = ""
    is_first_sight: bool = False


def load_events(library: Library) -> list[Event]:
    """Return what happened in the library, the newest first; what has no day is left out.

    Raises:
        FileError: the library lies in a shallow clone, or git fails.
    """
    events = [*_added(library), *_read(library), *_answered(library)]
    return sorted(events, key=lambda event: (event.at, event.kind, event.of), reverse=True)


def _on_lists(library: Library) -> dict[Key, tuple[Path, Entry]]:
    """Return the entries that have a key, and their lists; a key that stands twice where it stands first."""
    found: dict[Key, tuple[Path, Entry]] = {}
    for path, document in library.lists.items():
        for entry in document.entries:
            if entry.key:
                found.setdefault(entry.key, (path, entry))
    return found


def _added(library: Library) -> Iterator[Event]:
    """Yield what was put on a list: by a command at its moment, in an editor on a day.

    What a command put there is told as often as it was; anything else once, whatever day is found for it later.
    """
    here = _on_lists(library)
    by_hand = dict(here)
    for change in load_changes(library):
        if not change.what.startswith("added "):
            continue
        text = b"".join(edit.new for edit in change.edits)
        keys = [piece.mention.key for piece in find_links(text, {}) if piece.mention]
        key = next((key for key in keys if key in here), None)  # its own link is its first
        if key is not None:
            by_hand.pop(key, None)
            of = f"{key} {change.at[:10]}"
            title = _title_of_entry(here[key][1])
            yield Event("added", change.at, title, address_of(key), f"On {change.list}.", of)
    committed, seen = _days_in_git(library, by_hand), load_seen(library)
    for key, (path, entry) in by_hand.items():
        days = (committed.get(key) or day_of_file(path), seen.get(key, ""))
        if day := min(filter(None, days), default=""):
            where = f"On {library.relative(path)}."
            title, url = _title_of_entry(entry), address_of(key)
            yield Event("added", day, title, url, where, str(key), key not in committed)


def keep_first_sights(library: Library, events: Iterable[Event]) -> None:
    """Remember the days that only this look at the lists knows, so that they stay when a list is edited again.

    Raises:
        FileError: they cannot be kept.
    """
    save_seen(library, {Key.parse(one.of): one.at for one in events if one.is_first_sight})


def _title_of_entry(entry: Entry) -> str:
    short = called(entry)
    return entry.title if entry.title.startswith(short) else f"{short}: {entry.title}"


def _days_in_git(library: Library, keys: Iterable[Key]) -> dict[Key, str]:
    """Return the day on which each work first stood on a list, by the keys of its entries."""
    lists = set(map(library.relative, library.lists))

    def is_list(name: str) -> bool:
        path = PurePosixPath(name)
        if name in lists or path.parts[0] in ("topics", "tags"):
            return name in lists
        # a README may have been the list before there was one; a page that is gone may have been one too
        stem = path.stem.casefold()
        return stem == "readme" or (stem not in PAGES and not (library.folder / name).exists())

    works = load_same(library)
    alike = {key: {key, *works.keys(key)} for key in keys}
    first = first_days(library.folder, {one for some in alike.values() for one in some}, is_list)
    found = {
        key: min(first[one] for one in some & first.keys())
        for key, some in alike.items()
        if some & first.keys()
    }
    for path, document in library.lists.items():  # a link that a line does not show whole
        lines = {e.line: e.key for e in document.entries if e.key in alike and e.key not in found}
        for line, day in committed_days(library.folder, path, list(lines)).items():
            found[lines[line]] = day
    return found


def _read(library: Library) -> Iterator[Event]:
    for row in load_log(library).rows:
        if row.state in ("read", "reading"):
            kind = "read" if row.state == "read" else "begun"
            yield Event(kind, row.day, row.title, address_of(row.key), of=f"{row.key} {row.day}")


def _answered(library: Library) -> Iterator[Event]:
    for path, document in library.documents.items():
        owners = {q.line: entry for entry in document.entries for q in entry.questions}
        found = {
            q: line
            for q in document.questions
            if q.answer and (line := _line_of_answer(document, q.line))
        }
        days = days_of_lines(library.folder, path, list(found.values())) if found else {}
        for question, line in found.items():
            owner = owners.get(question.line)
            url = address_of(owner.key) if owner and owner.key else ""
            on = f" (on {called(owner)})" if owner else ""
            of = f"{owner.key if owner else library.relative(path)} {question.text}"
            yield Event(
                "answered", days[line], f"{question.text}{on}", url, question.answer or "", of
            )


def _line_of_answer(document: Document, line: int) -> int:
    lines = document.data.decode("utf-8", "replace").split("\n")
    below = range(line, min(line + 12, len(lines)))  # counted from 0, so from the next line on
    return next((number + 1 for number in below if _ANSWER.match(lines[number])), line)


def to_atom(
    library: Library, events: Iterable[Event], *, url: str = "", title: str = "", author: str = ""
) -> str:
    """Return a feed of events, the newest `NEWEST` of them.

    Args:
        url: where the feed will be; its identity too. Where there is none, that is made of the library's name.
        title: of the feed; the library's README or folder says it where this is empty.
        author: whose library it is; the title where this is empty.

    Raises:
        UsageError: the url is not http(s).
    """
    if url and not re.fullmatch(r"https?://[^\s<>\"]+", url):
        raise UsageError(f"{url!r} is not an address of a feed. Write https://…/feed.xml")
    name = library.folder.resolve().name
    title = title or _title(library) or name
    once = {f"{name} {event.kind} {event.of or event.title}": event for event in events}
    newest = sorted(once.items(), key=lambda item: _moment(item[1].at), reverse=True)[:NEWEST]
    root = ET.Element("feed", {"xmlns": ATOM})
    _add(root, "title", title)
    _add(root, "id", url or _urn(f"feed {name}"))
    _add(root, "updated", _moment(newest[0][1].at) if newest else "1970-01-01T00:00:00Z")
    _add(ET.SubElement(root, "author"), "name", author or title)
    _add(root, "generator", "Studiolo")
    if url:
        ET.SubElement(
            root, "link", {"rel": "self", "type": "application/atom+xml", "href": _iri(url)}
        )
    for what, event in newest:
        entry = ET.SubElement(root, "entry")
        _add(entry, "title", f"{event.kind.capitalize()}: {event.title}")
        _add(entry, "id", _urn(what))
        _add(entry, "published", _moment(event.at))
        _add(entry, "updated", _moment(event.at))
        if event.url:
            ET.SubElement(entry, "link", {"rel": "alternate", "href": _iri(event.url)})
        ET.SubElement(entry, "category", {"term": event.kind})
        content = _add(
            entry, "content", event.text or f"{event.kind.capitalize()} on {event.at[:10]}."
        )
        content.set("type", "text")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _title(library: Library) -> str:
    for path in (library.folder / "README.md", library.main_list()):
        if path is not None and path.is_file():
            return title_of(Document.load(path), path)
    return ""


def _add(parent: ET.Element, tag: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = _clean(text)
    return element


def _clean(text: str) -> str:
    return " ".join(_ILLEGAL.sub("\ufffd", text).split())


def _iri(url: str) -> str:
    """Return an address with what cannot stand in one escaped."""
    return re.sub(r"[\s<>\"{}|\\^`]", lambda match: quote(match[0]), _ILLEGAL.sub("", url))


def _urn(name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(_SPACE, name.encode('utf-8', 'replace').decode())}"


def _moment(at: str) -> str:
    """Return a day or a moment as RFC 3339 in UTC."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return "1970-01-01T00:00:00Z"
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
