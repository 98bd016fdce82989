"""Where on a list a new entry belongs, and why: the reader's own headings are the only vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studiolo.keys import Key
from studiolo.lists import Document, Entry, Section

from .vocabulary import Vocabulary
from .waiting import Pending


if TYPE_CHECKING:
    from studiolo.index import Placement, Row, Shelf
    from studiolo.metadata import Facts


_LEAST = 0.03  # a likeness below says nothing


@dataclass(frozen=True, slots=True)
class Proposal:
    """A section and the reason to propose it.

    Attributes:
        section: where it would go, or the path of one that the reader named.
        reason: one sentence.
        score: 1 for a folder or tag of the section's name, less for alike words, 0 for a fallback.
        below: `file:line` of the entry it belongs below, instead of a section.
    """

    section: Section | tuple[str, ...]
    reason: str
    score: float
    below: str = ""


def sections_of(document: Document) -> list[Section]:
    """Return the sections that a new entry may go to, in order: those with entries, and empty ones.

    The page's own title and a heading that only holds others are not places unless entries stand right below them.
    """
    full = {document.section_of(entry) for entry in document.entries}
    outer = {section.above for section in document.sections}
    first = next((section for section in document.sections if section.path), None)
    return [
        section
        for section in document.sections
        if section.path and (section in full or (section is not first and section not in outer))
    ]


def propose(
    pending: Pending,
    document: Document,
    facts: Mapping[Key, Facts],
    vocabulary: Vocabulary | None = None,
) -> list[Proposal]:
    """Return sections for a pending thing, best first, never empty unless the list has no headings.

    In this order: a section that holds something of the same work; one whose heading says what the reader's folder or tag says
    or means; one whose entries share the most telling words; else the section that grows the most.
    """
    places = sections_of(document)
    from studiolo.index import place, subjects

    if not places:
        return []
    proposals: dict[Section, Proposal] = {}

    def offer(section: Section, reason: str, score: float) -> None:
        if section not in proposals or proposals[section].score < score:
            proposals[section] = Proposal(section, reason, score)

    alike = (vocabulary or Vocabulary()).all_alike
    names = [
        *(("folder", part, part) for item in pending.items for part in item.folder),
        *(("tag", tag, said) for tag in pending.tags for said in alike([tag])),
    ]
    for what, name, said in names:
        wanted = subjects(said)
        if not wanted:
            continue
        for section in places:
            have = subjects(section.path[-1])
            if have and (wanted <= have or have <= wanted):
                offer(
                    section,
                    f"you saved it with the {what} “{name}”",
                    0.9 + 0.1 * len(wanted & have) / len(wanted | have),
                )

    for found in place(_pending_row(pending, facts), _shelves(document, places, facts)):
        if found.score >= _LEAST:
            most = 0.8 if found.by_subject else 0.0
            offer(places[found.number], _shared(found), min(most, found.score / 2))
    if not proposals:
        sizes = Counter(map(document.section_of, document.entries))
        section = max(places, key=lambda section: sizes[section])
        offer(section, "nothing matches; this section has the most entries", 0.0)
    return sorted(proposals.values(), key=lambda proposal: -proposal.score)


def _shelves(
    document: Document, places: Iterable[Section], facts: Mapping[Key, Facts]
) -> list[Shelf]:
    from studiolo.index import Shelf

    rows: dict[Section, list[Row]] = {section: [] for section in places}
    for entry in document.entries:
        if (section := document.section_of(entry)) in rows:
            rows[section].append(_entry_row(entry, facts))
    return [Shelf(section.path, some) for section, some in rows.items()]


def _entry_row(entry: Entry, facts: Mapping[Key, Facts]) -> Row:
    from studiolo.index import Row

    known = _known(entry.key, facts)
    return Row(
        key="", title=entry.title or known.title, authors=known.authors or entry.authors, abstract=known.abstract,
        notes=" ".join(filter(None, [entry.name, *(note.text for note in entry.notes)])), categories=known.categories,
    )  # fmt: skip


def _pending_row(pending: Pending, facts: Mapping[Key, Facts]) -> Row:
    from studiolo.index import Row

    known = _known(pending.key, facts)
    said = (text for item in pending.items for text in (item.about, item.note))
    return Row(
        key="", title=pending.title if pending.has_title or not known.title else known.title, authors=known.authors, abstract=known.abstract, categories=known.categories,
        notes=" ".join(filter(None, said)),
    )  # fmt: skip


def _known(key: Key | None, facts: Mapping[Key, Facts]) -> Facts:
    from studiolo.metadata import Facts

    return (facts.get(key) if key else None) or Facts(Key("url", ""))


def _shared(found: Placement) -> str:
    """Return the reason for a section in words."""
    terms = [reason.term for reason in found.shown()] or [found.reasons[0].term]
    whose = "heading" if found.by_heading else "entries"
    if not found.by_subject:
        return f"no subject matches; shares only {_join(terms)} with its {whose}"
    return f"shares {_join(terms)} with its {whose}"


def _join(words: list[str]) -> str:
    quoted = [f"“{word}”" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
