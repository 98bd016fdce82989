"""Safari's `Bookmarks.plist` (binary or XML), with its Reading List."""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError

from studiolo.errors import SourceError

from .dates import iso
from .guard import one_line, page_of, text_of
from .netscape import MAX_DEPTH
from .saved import Reading, SavedFolder, SavedItem, Skipped


MAX_NODES = 300_000
_NAMES = {
    "BookmarksBar": "Favourites",
    "BookmarksMenu": "Bookmarks Menu",
    "com.apple.ReadingList": "Reading List",
}


def parse_safari(data: bytes, name: str, source: str = "bookmarks") -> Reading:
    """Yield the links and folders of `~/Library/Safari/Bookmarks.plist`.

    plistlib refuses entity declarations; a binary file may still share one object a billion times, so the walk counts.
    """
    number = 0
    waiting: list[tuple[Any, tuple[str, ...]]] = [(_root(data, name), ())]
    while waiting:
        node, path = waiting.pop()
        number += 1
        place = f"{name}, item {number}"
        if number > MAX_NODES:
            raise SourceError(
                f"{name} unfolds to more than {MAX_NODES:,} bookmarks; it is damaged or malicious."
            )
        if not isinstance(node, Mapping):
            yield Skipped(place, f"not a bookmark but {type(node).__name__}")
            continue
        kind = node.get("WebBookmarkType")
        if kind == "WebBookmarkTypeProxy":
            continue  # the history button
        if kind == "WebBookmarkTypeLeaf":
            yield _item(node, path, place, source)
            continue
        title = text_of(node.get("Title"))
        title = one_line(_NAMES.get(title, title))
        if title and len(path) < MAX_DEPTH:
            path = (*path, title)
            yield SavedFolder(source, path, place=place)
        children = node.get("Children")
        if isinstance(children, list):
            waiting.extend((child, path) for child in reversed(children))


def _root(data: bytes, name: str) -> Mapping[str, Any]:
    try:
        root = plistlib.loads(data)
    except (
        plistlib.InvalidFileException,
        ExpatError,
        ValueError,
        RecursionError,
        OverflowError,
    ) as problem:
        raise SourceError(
            f"{name} is not a property list that can be read: {problem}."
        ) from problem
    except (LookupError, TypeError, AttributeError, MemoryError) as problem:  # on damaged files
        raise SourceError(
            f"{name} is a damaged property list ({type(problem).__name__})."
        ) from problem
    if not isinstance(root, Mapping) or "Children" not in root:
        raise SourceError(f"{name} has no `Children`, so it is not Safari's Bookmarks.plist.")
    return root


def _item(
    node: Mapping[str, Any], path: tuple[str, ...], place: str, source: str
) -> SavedItem | Skipped:
    url, why = page_of(text_of(node.get("URLString"), 100_000))
    words, reading = node.get("URIDictionary"), node.get("ReadingList")
    title = one_line(text_of(words.get("title"))) if isinstance(words, Mapping) else ""
    if why:
        return Skipped(place, f"{why}: {title or url[:60]}")
    if not isinstance(reading, Mapping):
        return SavedItem(source, url, title, folder=path, place=place)
    viewed = _moment(reading.get("DateLastViewed"))
    return SavedItem(
        source,
        url,
        title,
        about=text_of(reading.get("PreviewText")).strip(),
        folder=path,
        saved_at=_moment(reading.get("DateAdded")),
        place=place,
        state="read" if viewed else "to read",
        read_at=viewed,
    )


def _moment(date: object) -> str | None:
    return iso(date.isoformat()) if isinstance(date, datetime) else None
