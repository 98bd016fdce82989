"""What a list could say of a pending thing: the list's own style decides what of it is written."""

from __future__ import annotations

import re

from studiolo.keys import Key, address_of, why_not_a_page
from studiolo.lists import Item, escape
from studiolo.sources import spoken_name

from .edges import key_at
from .waiting import Pending, Waiting, facts_of, tidy_title


def item_of(pending: Pending, waiting: Waiting) -> Item:
    """Return what a list could say of a pending thing; the list's own style decides what of it is written.

    The reader's notes become notes, and so does each further thing about the paper (a repository, a talk).
    """
    known, given = facts_of(pending, waiting.facts), pending.given
    url = pending.items[0].url
    if pending.key and pending.key.kind in {"arxiv", "doi", "github", "reddit"}:
        url = address_of(pending.key)
    elif own := next((item.url for item in pending.items if key_at(item.url) == pending.key), ""):
        url = own
    elif pending.key:  # it was saved with something about it
        url = address_of(pending.key)
    notes = [_escaped(line) for note in pending.notes for line in note.splitlines() if line.strip()]
    told: set[Key] = set()
    for item in pending.items:
        key = key_at(item.url)
        if key is None or key in pending.keys or key in told or why_not_a_page(item.url):
            continue
        told.add(key)
        title = tidy_title(item.title)
        says_more = " " in title or title.casefold() not in item.url.casefold()
        named = title and says_more and title.casefold() != pending.title.casefold()
        address = re.sub(r"[\s<>]", lambda m: f"%{ord(m[0]):02X}", item.url)
        notes.append(f"{escape(title)}: {address}" if named else address)
    name = re.match(r"([A-Za-z][\w+.-]{1,24}):\s+\S", pending.title)
    return Item(
        title=" ".join(pending.title.split()),
        url=url,
        name=name[1] if name else None,
        authors=tuple(map(spoken_name, given.authors)) or (known.authors if known else ()),
        year=given.year or (known.year if known else None) or _year_of(pending.key),
        notes=tuple(notes),
    )


_ADDRESS = re.compile(r"(https?://[^\s<>]+)")


def _escaped(line: str) -> str:
    """Return a line of a note as Markdown shows it, with the addresses in it as they are."""
    parts = _ADDRESS.split(" ".join(line.split()))
    return "".join(part if i % 2 else _keeping_spaces(part) for i, part in enumerate(parts))


def _keeping_spaces(text: str) -> str:
    start = " " if text[:1] == " " else ""
    end = " " if text.strip() and text[-1:] == " " else ""
    return f"{start}{escape(text)}{end}"


def _year_of(key: Key | None) -> int | None:
    """Return the year that an arXiv id tells: its first two digits."""
    if key is None or key.kind != "arxiv":
        return None
    digits = re.search(r"(?:^|/)(\d\d)(?:0[1-9]|1[0-2])", key.value)
    if digits is None:
        return None
    year = int(digits[1])
    return 1900 + year if year > 90 else 2000 + year


def given_tags(pending: Pending) -> list[str]:
    """Return the tags that the reader gave it; the topics of a repository about it are the repository's."""
    own = pending.own
    return list(
        dict.fromkeys(
            tag
            for item in pending.items
            if item in own or item.source != "github-stars"
            for tag in item.tags
        )
    )
