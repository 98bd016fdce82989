"""What putting something on a list would change: an entry in its neighbours' style, with what the list shows of entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from studiolo.errors import StudioloError
from studiolo.keys import find_mention, papers_in
from studiolo.lists import (
    Document,
    Entry,
    Item,
    annotate,
    edited,
    find_section,
    insert,
    mark,
    new_section,
    notes_left,
    retag,
)

from .edges import key_at
from .folder import Library
from .items import given_tags
from .placing import Proposal
from .plan import Plan, difference, joined
from .reading import Kept, load_kept
from .waiting import Pending


def plan_entry(document: Document, item: Item, place: Proposal) -> Plan:
    """Plan to put an item at the end of a section, in its neighbours' style.

    Raises:
        UsageError: there is no such section.
        ListError: the list cannot be edited so.
    """
    section = find_section(document, place.section, prefer="to read")
    edits = insert(document, item, section)
    key = key_at(item.url)
    left = notes_left(item, edits) if key else ()
    return Plan(
        f"added {item.title!r}",
        document,
        edited(document, edits, added=1),
        edits,
        (Kept(key, notes=left),) if key and left else (),
        reason=place.reason,
        section=section.path,
    )


def plan_pending(
    library: Library, pending: Pending, document: Document, item: Item, place: Proposal
) -> Plan:
    """Plan to put a pending thing into a section, with its tags and its state: where the list shows such, else beside it.

    A note that names another paper, below a thing that is not one, would be an entry of its own: it is kept beside too.
    """
    mention = find_mention(item.url)
    beside: tuple[str, ...] = ()
    if mention is not None and not mention.key.names_paper:
        beside = tuple(note for note in item.notes if papers_in(note))
        item = replace(item, notes=tuple(note for note in item.notes if note not in beside))
    plan = plan_entry(document, item, place)
    assert plan.after is not None
    after, tags, state = plan.after, given_tags(pending), pending.given.state
    at = plan.edits[0].start
    number = next(i for i, entry in enumerate(after.entries) if entry.span[1] > at)
    left: list[str] = []
    for one in tags:
        try:
            edits = retag(after, after.entries[number], [one])
            now = edited(after, edits, touched=[after.entries[number]]) if edits else None
        except StudioloError:
            now = None
        if now is None or now.entries[number].tags != (*after.entries[number].tags, one):
            left.append(one)
        else:
            after = now
    entry = after.entries[number]
    if state and state != entry.state and entry.state_by != "section":
        edits = mark(after, entry, state)
        if edits:
            after, state = edited(after, edits, touched=[entry]), None
    kept = None
    left += [tag for tag in pending.tags if tag not in tags]
    if pending.key is not None and (left or beside or state):
        before = load_kept(library.folder).get(pending.key) if left else None
        left = [*((before and before.tags) or ()), *left]
        since = (pending.given.read_at or datetime.now(UTC).isoformat())[:10] if state else ""
        kept = Kept(
            pending.key,
            state=state,
            since=since,
            notes=beside,
            tags=tuple(dict.fromkeys(left)) or None,
        )
    reason = place.reason
    if pending.key is not None and item.title == str(pending.key):
        reason = "; ".join(
            part
            for part in (reason, "what it is called is not known, so its key stands for it")
            if part
        )
    return replace(
        plan,
        reason=reason,
        after=after,
        edits=(one_edit,) if (one_edit := difference(document.data, after.data)) else (),
        keeping=(*plan.keeping, *((kept,) if kept else ())),
        collecting=() if document.path and library.holds(document.path) else tuple(pending.items),
    )


def plan_section(
    library: Library, pending: Pending, document: Document, item: Item, name: str
) -> Plan:
    """Plan to make a section and put an item into it, as one change.

    Raises:
        UsageError: there is such a section; or the one it belongs below does not exist.
        ListError: the list cannot be edited so.
    """
    edits, path = new_section(document, name)
    with_section = edited(document, edits)
    second = plan_pending(library, pending, with_section, item, Proposal(path, "", 1.0))
    what = f"{second.what} in the new section {path[-1]!r}"
    return joined(Plan(what, document, with_section, edits, section=path), second)


def plan_notes(document: Document, entry: Entry, notes: Iterable[str]) -> Plan:
    """Plan to note things (a repository, a talk) below an entry that is on the list already.

    Raises:
        ListError: the entry cannot carry notes.
    """
    edits = tuple(edit for text in notes for edit in annotate(document, entry, text))
    after = edited(document, edits, touched=[entry])
    said = " and ".join(repr(text) for text in notes)
    return Plan(f"noted {said} below {entry.title!r}", document, after, edits)
