"""Chrome's and Edge's own `Bookmarks` file (JSON). It is only ever read: its checksum makes writing unsafe.

Dates are text: microseconds since 1601-01-01 UTC. The reading list lives elsewhere and comes with the HTML export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studiolo.errors import SourceError

from .dates import iso
from .guard import one_line, page_of, text_of
from .netscape import MAX_DEPTH
from .saved import Reading, SavedFolder, SavedItem, Skipped


def parse_chrome(document: Any, name: str, source: str = "bookmarks") -> Reading:
    """Yield the links and folders of a `Bookmarks` file, parsed, in the order in which Chrome shows them."""
    roots = document.get("roots") if isinstance(document, Mapping) else None
    if not isinstance(roots, Mapping):
        raise SourceError(
            f"{name} has no `roots`, so it is not the Bookmarks file of Chrome or Edge."
        )
    yield from _walk(list(roots.values()), name, source)


def _date(value: Any) -> str | None:
    """Return Chrome's date; '0' means that there is none."""
    return iso(value) if isinstance(value, str) and value not in {"", "0"} else None


def _walk(roots: list[Any], name: str, source: str) -> Reading:
    number = 0
    waiting: list[tuple[Any, tuple[str, ...]]] = [(node, ()) for node in reversed(roots)]
    while waiting:
        node, path = waiting.pop()
        if not isinstance(node, Mapping):
            continue  # `sync_transaction_version` and the like stand beside the folders
        number += 1
        place = f"{name}, item {number}"
        title = one_line(text_of(node.get("name")))
        children = node.get("children")
        if isinstance(children, list):
            path = (*path, title) if title and len(path) < MAX_DEPTH else path
            added, modified = _date(node.get("date_added")), _date(node.get("date_modified"))
            if title:
                yield SavedFolder(source, path, "", added, modified, place)
            waiting.extend((child, path) for child in reversed(children))
            continue
        url, why = page_of(text_of(node.get("url"), 100_000))
        if not url and node.get("type") != "url":
            continue
        if why:
            yield Skipped(place, f"{why}: {title or url[:60]}")
            continue
        extra = {}
        if used := _date(node.get("date_last_used")):
            extra["last_visit"] = used
        meta = node.get("meta_info")
        note = text_of(meta.get("Description")) if isinstance(meta, Mapping) else ""  # Vivaldi
        yield SavedItem(
            source,
            url,
            title,
            note.strip(),
            "",
            path,
            (),
            _date(node.get("date_added")),
            "",
            (),
            extra,
            place,
        )
