"""The entries of a list as a reader scans them: each with its state, tags, sources and what hangs on it; and filters over them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from studiolo.errors import UsageError
from studiolo.lists import STATES, Document, Entry

from .finding import things_of
from .reading import Kept, state_of, tags_of
from .references import Sayings
from .vocabulary import Vocabulary


if TYPE_CHECKING:
    from studiolo.metadata import Facts


THINGS = ("question", "code", "talk", "claims", "note")  # that an entry may have
FROM_THE_LIST = "list"  # the source of what nobody collected


@dataclass(frozen=True)
class Line:
    """One entry of a list with what is known of it. What needs its title read is read when it is asked for.

    Attributes:
        state, since: the reading state and the day it is known since.
        tags: what those that the list shows and those kept beside it mean.
        tag_names: of all of them, as the vocabulary compares tags.
        tag_words: the tags and their synonyms, for a filter by words.
        sources: where it was collected; `list` where it was not.
        has: which of `THINGS` it has.
        kept: what is kept of it beside the list.
        known: what services say of it.
    """

    entry: Entry
    state: str
    since: str
    tags: tuple[str, ...]
    tag_names: frozenset[str]
    tag_words: tuple[str, ...]
    sources: tuple[str, ...]
    has: tuple[str, ...]
    kept: Kept | None
    known: Facts | None

    @property
    def year(self) -> int | None:
        """As the list says it, else as services do."""
        return self.entry.year or (self.known.year if self.known else None)

    @property
    def authors(self) -> tuple[str, ...]:
        """As the list says them, else as services do."""
        return self.entry.authors or (self.known.authors if self.known else ())

    @cached_property
    def words(self) -> str:
        """All that a filter by words looks at, folded."""
        entry, kept = self.entry, self.kept
        said = (
            entry.name or "",
            entry.title or (self.known.title if self.known else ""),
            *self.authors,
            *(note.text for note in entry.notes),
            *(f"{question.text} {question.answer or ''}" for question in entry.questions),
            *(kept.notes if kept else ()),
            *self.tag_words,
        )
        return plain(" ".join(said))


def lines_of(
    document: Document, sayings: Sayings, can_run: frozenset[str] = frozenset()
) -> list[Line]:
    """Return the entries of a list, in the order of the file.

    Args:
        can_run: the keys of papers whose claims can be run.
    """
    return [_line(entry, sayings, can_run) for entry in document.entries]


_NO_TAGS: tuple[tuple[str, ...], frozenset[str], tuple[str, ...]] = (), frozenset(), ()


def _line(entry: Entry, sayings: Sayings, can_run: frozenset[str]) -> Line:
    key = entry.key
    keys = sayings.keys(key) if key else []
    known = next((f for key in keys if (f := sayings.facts.get(key)) and f.title), None)
    kept = next((sayings.kept[key] for key in (*keys, *entry.keys) if key in sayings.kept), None)
    state, since = state_of(entry, sayings.kept)
    tags = tags_of(entry, sayings.kept)
    every = (str(key) for own in entry.keys for key in sayings.keys(own)) if can_run else ()
    has = [*things_of(entry, can_run.intersection(every))]
    if entry.notes or (kept and kept.notes):
        has.append("note")
    sources = tuple(sorted({item.source for item in sayings.items(keys)})) or (FROM_THE_LIST,)
    meant, names, alike = _NO_TAGS  # as most have
    if tags:
        vocabulary = sayings.vocabulary
        meant, alike = vocabulary.all_meant(tags), vocabulary.all_alike(tags)
        names = frozenset(map(vocabulary.name, tags))
    return Line(
        entry,
        state or "",
        since,
        meant,
        names,
        alike,
        sources,
        tuple(has),
        kept,
        known,
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines a reader wants to see; an empty field asks for nothing.

    Attributes:
        words: all of them must be there, in any order, each as it is typed or as a part of a word.
        tags: names of tags, as the vocabulary compares them.
        years: first and last.
        section: of this heading path, and what is below it.
    """

    words: tuple[str, ...] = ()
    state: str = ""
    tags: tuple[str, ...] = ()
    years: tuple[int, int] | None = None
    source: str = ""
    has: tuple[str, ...] = ()
    section: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Filter()

    def takes(self, line: Line) -> bool:
        """Whether a line is wanted."""
        return (
            (not self.state or line.state == self.state)
            and all(word in line.words for word in self.words)
            and line.tag_names.issuperset(self.tags)
            and (not self.years or self.years[0] <= (line.year or 0) <= self.years[1])
            and (not self.source or self.source in line.sources)
            and all(thing in line.has for thing in self.has)
            and (not self.section or line.entry.section[: len(self.section)] == self.section)
        )


def read_filter(
    *,
    words: str = "",
    state: str = "",
    tags: Iterable[str] = (),
    year: str = "",
    source: str = "",
    has: Iterable[str] = (),
    section: str = "",
    vocabulary: Vocabulary | None = None,
) -> Filter:
    """Return the filter that a reader's words mean.

    Args:
        vocabulary: of the tags.

    Raises:
        UsageError: there is no such state or thing; or the years are none.
    """
    has = tuple(dict.fromkeys(filter(None, has)))
    if state and state not in STATES:
        raise UsageError(f"{state!r} is not a reading state. Choose one of: {', '.join(STATES)}.")
    for thing in has:
        if thing not in THINGS:
            raise UsageError(f"Entries do not have {thing!r}. Choose from: {', '.join(THINGS)}.")
    return Filter(
        tuple(plain(words).split()),
        state,
        tuple((vocabulary or Vocabulary()).name(tag.lstrip("#")) for tag in tags if tag),
        _years(year) if year.strip() else None,
        source,
        has,
        tuple(part for part in section.split(" > ") if part),
    )


def _years(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{4})?\s*(?:(\.\.|-|–)\s*(\d{4})?)?\s*", text, re.ASCII)
    if found is None or not (found[1] or found[3]):
        raise UsageError(f"{text!r} is not a year. Write 2021, 2019..2021 or 2019.. instead.")
    first = int(found[1] or 0)
    last = int(found[3]) if found[3] else 9999 if found[2] else first
    return first, last


def plain(text: str) -> str:
    """Return text without capitals, accents and runs of blanks."""
    text = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in text if not unicodedata.combining(c)).split())


def choices(lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    """Return what lines can be filtered by, and how many have each: states, tags, sources, things."""
    found: dict[str, dict[str, int]] = {"state": {}, "tag": {}, "source": {}, "has": {}}

    def count(name: str, value: str) -> None:
        found[name][value] = found[name].get(value, 0) + 1

    for line in lines:
        if line.state:
            count("state", line.state)
        for name, values in (("tag", line.tags), ("source", line.sources), ("has", line.has)):
            for value in values:
                count(name, value)
    states: dict[str, int] = {
        state: found["state"][state] for state in STATES if state in found["state"]
    }
    has = {thing: found["has"][thing] for thing in THINGS if thing in found["has"]}
    by_number = {
        name: dict(sorted(found[name].items(), key=lambda one: (-one[1], one[0].casefold())))
        for name in ("tag", "source")
    }
    return {"state": states, "tag": by_number["tag"], "source": by_number["source"], "has": has}
