"""What the sources gave of one work, put together: of each thing the first that any of them says.

It is read from the inbox, where every saved thing stays, so it is there for the export of an entry that was on a list before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from studiolo.keys import Key
from studiolo.lists import STATES, State
from studiolo.sources import SavedItem

from .edges import key_at


@dataclass(frozen=True, slots=True)
class Given:
    """What the saved things of one work say of it.

    Attributes:
        authors: as the source tells family and given names apart; see `SavedItem.authors`.
        entry_type, cite_key, fields: what a bibliography says: the type, what it calls the work, and its other fields.
        tags, folder, saved_at: of all things that were saved of it.
        state, read_at: the furthest state that any source tells, and when it was read.
    """

    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    entry_type: str = ""
    cite_key: str = ""
    tags: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    saved_at: str = ""
    state: State | None = None
    read_at: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


NOTHING = Given()


def given_by(items: Iterable[SavedItem]) -> Given:
    """Return what things that are one work say of it; a bibliography has the first word on what it is."""
    every = list(items)
    if not every:
        return NOTHING
    cited = sorted(every, key=lambda item: not (item.cite_key or item.entry_type))
    states = [item.state for item in every if item.state]
    fields: dict[str, str] = {}
    for item in cited:
        if item.cite_key or item.entry_type:
            for name, value in item.extra.items():
                if value:
                    fields.setdefault(name, value)
    return Given(
        title=next((item.title for item in cited if item.title), ""),
        authors=next((item.authors for item in cited if item.authors), ()),
        year=next((item.year for item in cited if item.year), None),
        venue=next((item.venue for item in cited if item.venue), ""),
        entry_type=next((item.entry_type for item in cited if item.entry_type), ""),
        cite_key=next((item.cite_key for item in cited if item.cite_key), ""),
        tags=tuple(dict.fromkeys(tag for item in every for tag in item.tags)),
        folder=next((item.folder for item in every if item.folder), ()),
        saved_at=min((item.saved_at for item in every if item.saved_at), default=""),
        state=max(states, key=STATES.index, default=None),
        read_at=max((item.read_at for item in every if item.read_at), default=""),
        fields=fields,
    )


def items_by_key(items: Iterable[SavedItem]) -> dict[Key, list[SavedItem]]:
    """Return the saved things of each key."""
    found: dict[Key, list[SavedItem]] = {}
    for item in items:
        if key := key_at(item.url):
            found.setdefault(key, []).append(item)
    return found
