"""Pinboard's JSON: a list of `{href, description, extended, time, tags, shared, toread}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .dates import iso
from .guard import one_line, page_of, text_of
from .saved import Reading, SavedItem, Skipped


def parse_pinboard(posts: Sequence[Any], name: str, source: str = "bookmarks") -> Reading:
    """Yield the posts; Pinboard calls the title `description` and the note `extended`."""
    for number, post in enumerate(posts, 1):
        place = f"{name}, item {number}"
        if not isinstance(post, Mapping):
            yield Skipped(place, f"not a bookmark but {type(post).__name__}")
            continue
        url, why = page_of(text_of(post.get("href"), 100_000))
        title = one_line(text_of(post.get("description")))
        if why:
            yield Skipped(place, f"{why}: {title}" if title else why)
            continue
        yield SavedItem(
            source=source,
            url=url,
            title=title,
            note=text_of(post.get("extended")).strip(),
            tags=tuple(dict.fromkeys(text_of(post.get("tags")).split())),
            saved_at=iso(text_of(post.get("time")) or None),
            extra={
                field: value
                for field in ("shared", "toread")
                if (value := text_of(post.get(field)))
            },
            place=place,
            state="to read" if post.get("toread") in ("yes", True) else None,
        )
