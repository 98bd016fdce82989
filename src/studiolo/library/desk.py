"""The desk: the one place that decides what an action changes.

Each function here returns a `Plan`, which shows every byte of what it would change, and writes nothing;
`history.carry_out` makes it, `history.undo` takes it back. Commands and pages find words, show plans and ask.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from studiolo.errors import ListError, StudioloError, UsageError
from studiolo.keys import Key, address_of, find_key
from studiolo.lists import (
    STATES,
    Document,
    Entry,
    State,
    annotate,
    edited,
    escape,
    find_section,
    left_out,
    mark as mark_entry,
    move as move_entry,
    remove as remove_entry,
    title_from_url,
    without_emptied,
)
from studiolo.sources import SavedItem

from .entries import Listed, called
from .facts import load_facts
from .folder import Library
from .history import headings_made
from .items import item_of
from .placing import Proposal, propose
from .plan import Plan, joined
from .putting import plan_entry as plan_entry, plan_notes, plan_pending, plan_section
from .reading import Kept, kept_of, kept_path
from .waiting import Pending, Waiting, facts_of, refused_names


def note(library: Library, listed: Listed, text: str, *, below: bool = False) -> Plan:
    """Plan a note below an entry, as the list's other notes are written; beside the list where it has no place for it.

    Args:
        below: write what a table has no column for below the table, not beside the list.

    Raises:
        UsageError: the note is empty.
        ListError: the entry has neither a place for notes nor a key.
    """
    document, entry = listed
    words = " ".join(text.split())
    if not words:
        raise UsageError("The note is empty. Write what you want to remember.")
    what = f"note on {called(entry)}"
    keeping = tuple(_worth_keeping(library, entry))
    try:
        edits = annotate(document, entry, text, below=below)
        after = edited(document, edits, touched=[entry])
    except ListError as error:
        if entry.key is None:
            raise
        return Plan(
            what,
            keeping=(Kept(entry.key, notes=(words,)), *keeping),
            done=f"{error} Kept in {kept_path(library.folder)}.",
        )
    return Plan(
        what,
        document,
        after,
        edits,
        keeping,
        done=f"Noted below {called(entry)} in {document.path}",
    )


def mark(library: Library, listed: Listed, state: State) -> Plan:
    """Plan a new reading state: where the list shows states, there and nowhere else; else beside it.

    Title, authors, date and abstract are kept too, so that a dead link loses nothing.

    Raises:
        UsageError: there is no such state; or the entry has no link and the list no place that shows states.
        ListError: the list cannot be edited so.
    """
    if state not in STATES:
        raise UsageError(f"{state!r} is not a reading state. Choose one of: {', '.join(STATES)}.")
    document, entry = listed
    edits = mark_entry(document, entry, state)
    if edits:
        edits = without_emptied(document, entry, edits, lambda: headings_made(library, document))
    keeping = list(_worth_keeping(library, entry))
    if entry.key is not None:
        day = datetime.now(UTC).date().isoformat()
        keeping.append(Kept(entry.key, state=state, since=day))
    elif edits is None:
        raise UsageError(
            f"{called(entry)} has no link, and the list does not show reading states. Give the entry a link."
        )
    where = kept_path(library.folder) if edits is None else document.path
    word = {"read": "read", "reading": "started", "to read": "unread"}[state]
    return Plan(
        f"{word} {called(entry)}",
        document,
        edited(document, edits, touched=[entry]) if edits else document,
        edits or (),
        tuple(keeping),
        done=f"{called(entry)}: {state} ({where})",
    )


def move(library: Library, listed: Listed, section: str, *, below: bool = False) -> Plan | None:
    """Plan to move an entry, its words as they are, to the end of another section; None where it is already there.

    Args:
        below: write the cells that the table there has no column for below that table, not beside the list.

    Raises:
        UsageError: there is no such section, or there are several.
        ListError: the entry cannot stand there.
    """
    document, entry = listed
    place = find_section(document, section, prefer=entry.state)
    left = left_out(document, entry, place) if entry.key else ()
    edits = move_entry(document, entry, place, below=below if left else None)
    if not edits:
        return None
    edits = without_emptied(document, entry, edits, lambda: headings_made(library, document))
    after = edited(document, edits, touched=[entry])
    if not left and not any(_facts(one) == _facts(entry) for one in after.entries):
        raise ListError(
            f"{called(entry)} would read otherwise in {section}, so nothing was written. Move it by hand."
        )
    keeping = tuple(_worth_keeping(library, entry))
    tail = ""
    if left and entry.key and not below:
        keeping = (Kept(entry.key, notes=left), *keeping)
        tail = f". Its table has no column for {' and '.join(left)}: kept in {kept_path(library.folder)}"
    return Plan(
        f"move {called(entry)} to {section}",
        document,
        after,
        edits,
        keeping,
        done=f"{called(entry)} moved to {section} in {document.path}{tail}",
    )


def _facts(entry: Entry) -> tuple[object, ...]:
    return entry.title, entry.name, entry.authors, entry.year, entry.keys


def remove(library: Library, listed: Listed) -> Plan:
    """Plan to take an entry off its list with everything below it; what is kept beside the list stays.

    Raises:
        ListError: the list cannot be edited so.
    """
    document, entry = listed
    edits, below = remove_entry(document, entry)
    after = edited(document, edits, touched=[entry, *below], added=-1 - len(below))
    parts = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((len(entry.notes), "note"), (len(entry.questions), "question"))
        if number
    ]
    if below:
        parts.append("the entries below it: " + ", ".join(map(called, below)))
    tail = f", with {' and '.join(parts)}" if parts else ""
    return Plan(
        f"removed {called(entry)}",
        document,
        after,
        edits,
        done=f"Removed {called(entry)}{tail} from {document.path}. Take it back: studiolo undo",
    )


def pass_over(*things: Pending) -> Plan:
    """Plan never to show pending things again."""
    said = " and ".join(repr(pending.title) for pending in things)
    return Plan(f"passed over {said}", passing=tuple(pending.name for pending in things))


def say_no(library: Library, key: Key, title: str = "") -> Plan | None:
    """Plan never to suggest a paper again, and less of what is like it; None where the reader said so before."""
    if str(key) in refused_names(library):
        return None
    return Plan(
        f"not for me: {title or key}",
        refusing=(str(key),),
        done=f"{title or key} is not suggested any more. Take it back: studiolo undo",
    )


def _worth_keeping(library: Library, entry: Entry) -> Iterator[Kept]:
    """Yield what is worth holding on to: what metadata services said before, else what the list says."""
    own = kept_of(entry)
    if own is None:
        return
    facts = load_facts(library).get(own.key)
    if facts is None:
        yield own
        return
    yield Kept(
        own.key,
        title=facts.title,
        authors=facts.authors,
        year=facts.year,
        published=facts.published,
        abstract=facts.abstract,
        url=own.url,
    )


def thing_to_add(waiting: Waiting, word: str, *, title: str = "") -> Pending:
    """Return what a word means to somebody who wants it on a list: what waits under it, else the paper of that key.

    Args:
        title: what the reader calls it: then a key that nobody heard of before is meant as it was typed.

    Raises:
        UsageError: it is on a list already; or the word is not a key, or one that is almost that of something that waits.
    """
    pending = waiting.find(word)
    if pending is None:
        near = waiting.like(word)
        try:
            pending = _typed(waiting, word)
        except UsageError as error:
            raise UsageError(f"{error}{_did_you_mean(near)}") from None
        exact = {one for found in near for one in (found.name, *map(str, found.keys))}
        if (
            not title
            and "://" not in word
            and pending.key not in waiting.facts
            and _is_near(pending.name, exact)
        ):
            raise UsageError(
                f"{pending.name} is not in the inbox.{_did_you_mean(near)} To add {pending.name} itself, say what it is "
                "called with --title."
            )
    keys = waiting.works.keys(pending.key) if pending.key else frozenset()
    for key in sorted(keys):
        if key in waiting.on_lists:
            raise UsageError(f"{pending.key} is already on the list: {waiting.on_lists[key]}.")
    return pending


def _did_you_mean(near: Sequence[Pending]) -> str:
    shown = "; ".join(
        f"{one.name} ({one.title})" if one.title != one.name else one.name for one in near
    )
    return f" In the inbox there are: {shown}." if near else ""


def _is_near(name: str, others: Iterable[str]) -> bool:
    """Whether a key is the beginning of another, or one letter away from it, so that it may be a slip."""
    return any(
        one.startswith(name)
        or name.startswith(one)
        or difflib.SequenceMatcher(None, name, one).ratio() > 0.94
        for one in others
    )


def _typed(waiting: Waiting, word: str) -> Pending:
    key = find_key(word)
    keys = waiting.works.keys(key)
    url = word if "://" in word else address_of(key)
    pending = Pending(str(key), key, "", [SavedItem("typed", url)], keys=keys)
    known = facts_of(pending, waiting.facts)
    pending.title = known.title if known else title_from_url(url)
    return pending


def is_unknown(waiting: Waiting, pending: Pending) -> bool:
    """Whether it is a paper of which no service has said anything yet."""
    return bool(pending.key and pending.key.names_paper and not pending.keys & waiting.facts.keys())


def add(
    library: Library,
    waiting: Waiting,
    pending: Pending,
    *,
    section: str = "",
    new_section: str = "",
    path: Path | None = None,
    title: str = "",
    notes: Sequence[str] = (),
) -> Plan:
    """Plan to put a thing at the end of a section, in its neighbours' style, with your notes and what is about it below.

    Args:
        section: the heading, or the end of its path; the best proposal where empty.
        new_section: the heading of a section that is made for it.
        path: the list; where None the one that has the section, or the library's main list.
        title: instead of what is known.
        notes: further notes.

    Raises:
        UsageError: there is no list, no such section, or no title.
        ListError: the list cannot be edited so.
    """
    document = _list_for(library, path, section)
    if title:
        pending = replace(pending, title=title)
    if new_section:
        proposal = Proposal((), "", 1.0)
    elif section:
        proposal = Proposal(tuple(section.split(" > ")), "", 1.0)
    else:
        found = propose(pending, document, waiting.facts, waiting.vocabulary)
        if not found:
            raise UsageError(no_headings(document))
        proposal = found[0]
    if pending.key and pending.title == str(pending.key) and pending.is_typed:
        raise UsageError(
            f"No title is known for {pending.key}. Give one with --title, or run `studiolo lookup {pending.key}` online."
        )
    item = item_of(pending, waiting)
    item = replace(item, title=title or item.title, notes=(*item.notes, *map(escape, notes)))
    if new_section:
        return plan_section(library, pending, document, item, new_section)
    return plan_pending(library, pending, document, item, proposal)


def proposals(waiting: Waiting, pending: Pending, document: Document) -> list[Proposal]:
    """Return the places for a pending thing, best first; empty only where the list has no headings.

    What is about a paper that is on a list goes below that paper first.
    """
    found = propose(pending, document, waiting.facts, waiting.vocabulary)
    if pending.on_list and item_of(pending, waiting).notes:
        reason = f"{pending.on_list}: its paper is there"
        return [Proposal((), reason, 1.0, below=pending.on_list), *found]
    return found


def put(
    library: Library, waiting: Waiting, pending: Pending, document: Document, proposal: Proposal
) -> Plan:
    """Plan to put a pending thing where a proposal says: into a section of `document`, or below its paper.

    Raises:
        UsageError: there is no such section, or its paper is not on that list any more.
        ListError: the list cannot be edited so.
    """
    item = item_of(pending, waiting)
    if not proposal.below:
        return plan_pending(library, pending, document, item, proposal)
    name, _, _ = proposal.below.rpartition(":")
    home = Document.load(library.folder / name)
    keys = waiting.works.keys(pending.key) if pending.key else frozenset()
    entry = next((entry for entry in home.entries if keys & set(entry.keys)), None)
    if entry is None:
        raise UsageError(f"{pending.key} is not on {home.path} any more. Choose a section.")
    plan = plan_notes(home, entry, item.notes)
    return replace(plan, reason=f"below “{entry.title}”, {proposal.reason}")


def put_all(
    library: Library, waiting: Waiting, things: Sequence[Pending], document: Document
) -> tuple[Plan, list[Plan]]:
    """Plan to put several things on a list, each into the section that fits best, as one change; return its steps too.

    Raises:
        UsageError: the list has no headings; or one of them cannot be put there, says which and why.
    """
    steps: list[Plan] = []
    whole: Plan | None = None
    now = document
    for one in things:
        place = next((p for p in propose(one, document, waiting.facts, waiting.vocabulary)), None)
        if place is None:
            raise UsageError(no_headings(document))
        section = place.section if isinstance(place.section, tuple) else place.section.path
        try:
            step = put(library, waiting, one, now, replace(place, section=section))
        except StudioloError as error:
            raise UsageError(f"{one.title}: {error}") from error
        steps.append(step)
        whole = joined(whole, step) if whole else step
        assert whole.after is not None
        now = whole.after
    if whole is None:
        raise UsageError("Nothing is chosen to be put on the list.")
    what = f"added {len(steps)} {'thing' if len(steps) == 1 else 'things'}"
    return replace(whole, what=what, reason="", section=()), steps


def no_headings(document: Document) -> str:
    """Return the sentence for a list without a place to put anything."""
    return (
        f"{document.path} has no headings. Give it one, for example `## To Review`, and try again."
    )


def _list_for(library: Library, path: Path | None, section: str) -> Document:
    """Return the list to write into."""
    chosen = path or (section and library.list_with_section(section)) or library.main_list()
    if not chosen:
        raise UsageError(
            f"There is no list in {library.folder}. Create one with `studiolo init`, write a Markdown file with a heading, or name a list with --list."
        )
    return Document.load(chosen)
