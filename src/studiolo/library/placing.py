"""Where on a list a new entry belongs, and why: the reader's own headings are the only vocabulary."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from studiolo.keys import Key
from studiolo.lists import Document, Section
from studiolo.metadata import Facts

from .waiting import Pending


_WORD = re.compile(r"[^\W\d_][\w+]{1,40}")
_STOP_WORDS = """
    a an and are as at based be but by can do does for from get has have how in into is it its
    more new not of on or our over paper papers show than that the their them these this to
    towards toward using via was we what when where which while with without your you misc
    other others review read reading todo list links general uncategorized deep learning
    neural network networks model models method methods arxiv pdf https http www com org
"""
_STOP = frozenset(_STOP_WORDS.split())


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


def telling_words(text: str) -> list[str]:
    """Return the telling words of a text, small letters, a plural's s taken off."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return [
        word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith("ss") else word
        for word in words
        if word not in _STOP
    ]


def sections_of(document: Document) -> list[Section]:
    """Return the sections that a new entry may go to, in order: those with entries, and empty ones.

    The page's own title and a heading that only holds others are no place unless entries stand right below them.
    """
    full = {document.section_of(entry) for entry in document.entries}
    outer = {section.above for section in document.sections}
    first = next((section for section in document.sections if section.path), None)
    return [
        section
        for section in document.sections
        if section.path and (section in full or (section is not first and section not in outer))
    ]


def propose(pending: Pending, document: Document, facts: Mapping[Key, Facts]) -> list[Proposal]:
    """Return sections for a pending thing, best first, never empty unless the list has no headings.

    In this order: a section that holds something of the same work; one whose heading says what the reader's folder or tag says;
    one whose entries share the most telling words; else the section that grows the most.
    """
    places = sections_of(document)
    if not places:
        return []
    proposals: dict[Section, Proposal] = {}

    def offer(section: Section, reason: str, score: float) -> None:
        if section not in proposals or proposals[section].score < score:
            proposals[section] = Proposal(section, reason, score)

    names = [
        *(("folder", part) for item in pending.items for part in item.folder),
        *(("tag", tag) for tag in pending.tags),
    ]
    for what, name in names:
        wanted = set(telling_words(name))
        if not wanted:
            continue
        for section in places:
            have = set(telling_words(section.path[-1]))
            if have and (wanted <= have or have <= wanted):
                offer(
                    section,
                    f"you saved it with the {what} “{name}”",
                    0.9 + 0.1 * len(wanted & have) / len(wanted | have),
                )

    for section, score, shared in _alike(_text_of(pending, facts), document, places):
        offer(section, f"shares {_join(shared)} with its entries", min(0.8, score))
    if not proposals:
        sizes = Counter(map(document.section_of, document.entries))
        section = max(places, key=lambda section: sizes[section])
        offer(section, "nothing matches; this section has the most entries", 0.0)
    return sorted(proposals.values(), key=lambda proposal: -proposal.score)


def _text_of(pending: Pending, facts: Mapping[Key, Facts]) -> str:
    known = facts.get(pending.key) if pending.key else None
    parts = [
        pending.title,
        *(item.about for item in pending.items),
        *(item.note for item in pending.items),
    ]
    if known:
        parts += [known.title, known.abstract]
    return " ".join(parts)


def _alike(
    text: str, document: Document, places: Iterable[Section]
) -> list[tuple[Section, float, list[str]]]:
    """Return (section, cosine, its three strongest shared words), by tf-idf over the list's own sections."""
    bags = {section: Counter(telling_words(" ".join(section.path))) for section in places}
    for entry in document.entries:
        bag = bags.get(document.section_of(entry))
        if bag is not None:
            bag.update(
                telling_words(
                    f"{entry.title} {entry.name or ''} {' '.join(note.text for note in entry.notes)}"
                )
            )
    frequency = Counter(word for bag in bags.values() for word in bag)
    idf = {word: math.log((1 + len(bags)) / count) for word, count in frequency.items()}
    query = {
        word: (1 + math.log(count)) * idf[word]
        for word, count in Counter(telling_words(text)).items()
        if word in idf
    }
    length = math.sqrt(sum(weight**2 for weight in query.values()))
    found = []
    for section, bag in bags.items():
        weights = {word: (1 + math.log(count)) * idf[word] for word, count in bag.items()}
        parts = {word: query[word] * weights[word] for word in query if word in weights}
        norm = length * math.sqrt(sum(weight**2 for weight in weights.values()))
        if norm and parts and (score := sum(parts.values()) / norm) > 0.03:
            shared = sorted(parts, key=lambda word: (-parts[word], word))[:3]
            found.append((section, score, shared))
    return sorted(found, key=lambda one: -one[1])


def _join(words: list[str]) -> str:
    quoted = [f"“{word}”" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
