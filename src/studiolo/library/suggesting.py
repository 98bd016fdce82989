"""What to read next: what the pools have that belongs beside some entries, or which of the unread ones.

Nothing is suggested that is on a list, in the inbox, passed over or said no to; by any key of its work, and by its title.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from studiolo.errors import UsageError
from studiolo.keys import Key, find_key
from studiolo.lists import Document, Entry, Section, find_section

from .edges import SHORTEST, folded
from .entries import Listed, find_entries
from .finding import Pool, entry_row, library_index, open_pool
from .folder import Library
from .reading import Kept, load_kept, state_of, tags_of
from .vocabulary import load_vocabulary
from .waiting import Waiting, load_waiting, passed_names, refused_names


if TYPE_CHECKING:
    from studiolo.index import Row, Suggestion


_MORE = 40  # suggestions beyond those asked for: some are had under another key


@dataclass(frozen=True, slots=True)
class Wanted:
    """What suggestions are asked for: entries that are there, and the headings they stand under.

    Attributes:
        entries: the seeds.
        heading: the heading path, outermost first.
        place: names of the list and its file.
        others: seeds that are on no list.
        is_named: the reader named each of them, not a section, tag or list where they stand.
    """

    entries: tuple[Listed, ...] = ()
    heading: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    others: tuple[Key, ...] = ()
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Suggested:
    """Suggestions, best first, and sentences for the reader."""

    suggestions: list[Suggestion] = field(default_factory=list)
    says: list[str] = field(default_factory=list)


def wanted_by_section(library: Library, name: str, path: Path | None = None) -> Wanted:
    """Return what a section asks for: the entries in it and in the sections below it, and its headings.

    Raises:
        UsageError: there is no such section, or there are several.
    """
    path = path or library.list_with_section(name) or library.main_list()
    if path is None:
        raise UsageError(f"There is no list in {library.folder}. Create one with: studiolo init")
    document = _document(library, path)
    return wanted_in(document, find_section(document, name, prefer="to read"))


def wanted_in(document: Document, section: Section) -> Wanted:
    """Return what a section of a list asks for."""
    entries = [e for e in document.entries if e.section[: len(section.path)] == section.path]
    return Wanted(
        tuple(Listed(document, entry) for entry in entries), section.path, _place(document)
    )


def wanted_by_tag(library: Library, tag: str, path: Path | None = None) -> Wanted:
    """Return what a tag asks for: the entries that carry it, or else those of the lists that do.

    Raises:
        UsageError: neither carries it.
    """
    vocabulary = load_vocabulary(library)
    has_tag = vocabulary.having([tag])
    kept = load_kept(library.folder)
    found = [listed for listed in _listed(library, path) if has_tag(tags_of(listed.entry, kept))]
    if not found:
        tagged = [one for one in _documents(library, path) if has_tag(one.tags)]
        found = [Listed(document, entry) for document in tagged for entry in document.entries]
    if not found:
        raise UsageError(f"No entry has the tag {tag!r}. To see which there are: studiolo tags")
    return Wanted(tuple(found), (vocabulary.name(tag.lstrip("#")).replace("-", " "),))


def wanted_by_words(library: Library, words: Sequence[str], path: Path | None = None) -> Wanted:
    """Return what some things ask for: entries by key, name or title, and papers that are on no list by their keys.

    Raises:
        UsageError: a word is neither.
    """
    documents = _documents(library, path)
    entries: list[Listed] = []
    others: list[Key] = []
    for word in words:
        try:
            entries.append(find_entries(word, documents)[0])
        except UsageError:
            try:
                others.append(find_key(word))
            except UsageError:
                raise UsageError(
                    f"{word!r} is neither on a list nor a key. To look for it: studiolo find {word!r}"
                ) from None
    return Wanted(tuple(entries), others=tuple(others), is_named=True)


def wanted_by_list(library: Library, path: Path | None = None) -> Wanted:
    """Return what a whole list asks for, or all lists."""
    found = tuple(_listed(library, path))
    return Wanted(found, place=_place(found[0].document) if path and found else ())


class Suggester:
    """Suggests for one library as it is at this moment."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._says: list[str] = []

    def suggest(self, wanted: Wanted, *, since: str = "", limit: int = 20) -> Suggested:
        """Suggest from the pools and from the lists that the reader follows.

        Args:
            since: ISO 8601; only what appeared on that day or later.
        """
        says: list[str] = []
        with open_pool(self.library, says) as pool:
            if pool is None:
                says.append(
                    "There is nothing to suggest from yet. Fetch papers with `studiolo fetch-pool cs.LG`, or follow somebody's list."
                )
                return Suggested([], says)
            found = self.suggest_from(pool, wanted, since=since, limit=limit)
            if wanted.is_named:  # what only stands on a list that is followed is like nothing
                found = [one for one in found if one.reasons]
                says += self._unknown([self._known(pool, row) for row in self._rows(wanted)])
            return Suggested(found, says)

    def suggest_from(
        self, pool: Pool, wanted: Wanted, *, since: str = "", limit: int = 20
    ) -> list[Suggestion]:
        """Suggest from a pool that is open."""
        found = pool.index.suggest(
            [self._known(pool, row) for row in self._rows(wanted)],
            heading=wanted.heading,
            place=wanted.place,
            lists=pool.lists,
            leave_out=self._had,
            not_for_me=self._refused,
            since=since,
            limit=limit + _MORE,
        )
        return self._new(found)[:limit]

    def similar(self, word: str, *, limit: int = 20) -> tuple[Suggested, Suggested]:
        """Return what is like one thing: on the reader's lists and in the inbox, and in the pools.

        Raises:
            UsageError: the word is neither on a list nor a key.
        """
        wanted = wanted_by_words(self.library, [word])
        says: list[str] = []
        with open_pool(self.library, says) as pool:
            rows = self._rows(wanted)
            seeds = [self._known(pool, row) for row in rows]
            there = self.suggest_from(pool, wanted, limit=limit) if pool else []
            says += self._unknown(seeds)
        with library_index(self.library, says=says) as index:
            own = {str(key) for row in rows for key in self._works_of(row.key)}
            here = index.suggest(seeds, leave_out=own, only=self._things(), limit=limit)
        # what only stands on a list that is followed is like nothing
        return Suggested(here, says), Suggested([one for one in there if one.reasons])

    @staticmethod
    def _unknown(seeds: Iterable[Row]) -> Iterator[str]:
        """Yield a sentence for each seed of which there is nothing but a key, so that nothing is like it."""
        for row in seeds:
            if not (row.title or row.abstract or row.notes):
                yield f"Nothing is known of {row.key} but its key. To ask what it is called: studiolo lookup {row.key}"

    def next_unread(self, wanted: Wanted, *, limit: int = 20) -> Suggested:
        """Return which of the unread entries come next, and of the inbox where no headings are given: like what was read.

        Seeds are the entries that were read or begun, of those wanted or else of all; where the reader names entries, these,
        and the unread are those of all lists. Without any, and behind what is like them, the unread follow in the order of
        the lists.
        """
        everywhere = _listed(self.library, None)
        seeds = self._rows(wanted) if wanted.is_named else []
        if not seeds:
            read = [one for one in wanted.entries if self._was_begun(one.entry)]
            read = read or [one for one in everywhere if self._was_begun(one.entry)]
            seeds = [self._row(one) for one in read]
        names_of_seeds = {str(key) for row in seeds for key in self._works_of(row.key)}
        unread = [
            self._row(one)
            for one in (everywhere if wanted.is_named else wanted.entries)
            if one.entry.key
            and str(one.entry.key) not in names_of_seeds
            and not self._was_begun(one.entry)
        ]
        # an entry that stands on two lists is found under its key or under its place
        names = {name: row for row in reversed(unread) for name in (row.key, row.place)}
        inbox = [] if wanted.heading else [p.name for p in self.waiting.pending if p.is_paper]
        said_no = {str(key) for key in self._refused}
        says: list[str] = []
        found: list[Suggestion] = []
        if wanted.heading and not wanted.entries:
            name = wanted.heading[-1]
            says.append(
                f'“{name}” has no entries yet. To fill it: studiolo suggest --section "{name}"'
            )
        elif seeds:
            with library_index(self.library, says=says) as index:
                found = index.suggest(
                    seeds,
                    heading=wanted.heading,
                    place=wanted.place,
                    not_for_me=self._refused,
                    only=[*names, *inbox],
                    limit=limit,
                )
        else:
            says.append("Nothing is marked as read yet, so these come in the order of the list.")
        there = {one.key for one in found} | {
            names[one.key].key for one in found if one.key in names
        }
        rest = [row for row in unread if row.key not in there | said_no]
        return Suggested([*found, *map(_unranked, rest)][:limit], says)

    @cached_property
    def waiting(self) -> Waiting:
        """What waits in the inbox, and which keys are one work."""
        return load_waiting(self.library)

    @cached_property
    def _kept(self) -> dict[Key, Kept]:
        return load_kept(self.library.folder)

    @cached_property
    def _refused(self) -> list[str]:
        return sorted(
            {str(k) for name in refused_names(self.library) for k in self._works_of(name)}
        )

    @cached_property
    def _had(self) -> set[str]:
        """Keys of all that is on a list, in the inbox, passed over or said no to, and of their works."""
        names = {*passed_names(self.library), *self._refused}
        names.update(str(key) for one in _listed(self.library, None) for key in one.entry.keys)
        names.update(str(p.key) for p in self.waiting.pending if p.key)
        names.update(map(str, self._kept))
        return {str(key) for name in names for key in self._works_of(name)} | names

    @cached_property
    def _had_titles(self) -> set[tuple[str, ...]]:
        titles = [one.entry.title for one in _listed(self.library, None)]
        titles += [pending.title for pending in self.waiting.pending]
        titles += [self.waiting.facts[k].title for k in self.waiting.facts if str(k) in self._had]
        return {words for words in map(folded, titles) if len(words) >= SHORTEST}

    def _works_of(self, name: str) -> frozenset[Key]:
        try:
            return frozenset(self.waiting.works.keys(Key.parse(name)))
        except UsageError:
            return frozenset()  # the name of a thing without a key

    def _new(self, found: Iterable[Suggestion]) -> list[Suggestion]:
        """Leave out what one has under another key, and what is twice in the pools: by the title."""
        seen = set(self._had_titles)
        new: list[Suggestion] = []
        for one in found:
            words = folded(one.title)
            if words not in seen:
                new.append(one)
            if len(words) >= SHORTEST:
                seen.add(words)
        return new

    def _things(self) -> list[str]:
        """Return the names of the rows of the library that are things with a key, not pages."""
        rows = [self._row(one) for one in _listed(self.library, None) if one.entry.key]
        return [
            *(n for row in rows for n in (row.key, row.place)),
            *(p.name for p in self.waiting.pending),
        ]

    def _was_begun(self, entry: Entry) -> bool:
        return state_of(entry, self._kept)[0] in ("read", "reading")

    def _row(self, one: Listed) -> Row:
        assert one.document.path is not None
        name = self.library.relative(one.document.path)
        return entry_row(one.entry, name, self.waiting, self._kept)

    def _rows(self, wanted: Wanted) -> list[Row]:
        from studiolo.index import Row

        rows = [self._row(one) for one in wanted.entries]
        for key in wanted.others:
            known = self.waiting.facts.get(key)
            rows.append(
                Row(key=str(key), title=known.title, authors=known.authors, abstract=known.abstract, categories=known.categories)
                if known
                else Row(key=str(key))
            )  # fmt: skip
        return rows

    def _known(self, pool: Pool | None, row: Row) -> Row:
        """Return a seed, or what the pool has of its work where that says more."""
        if row.abstract or pool is None:
            return row
        names = [row.key, *sorted(map(str, self._works_of(row.key)))]
        return next(filter(None, map(pool.index.row, names)), row)


def suggest_for_empty(
    library: Library, document: Document, limit: int = 3
) -> dict[int, list[Suggestion]]:
    """Return suggestions for the sections of a list that hold nothing, by the line of their heading.

    Empty where nothing was fetched to suggest from; at most 20 sections.
    """
    holds = {document.section_of(entry) for entry in document.entries}
    holds |= {section.above for section in document.sections if section.above}
    empty = [section for section in document.sections if section.path and section not in holds]
    found: dict[int, list[Suggestion]] = {}
    if not empty:
        return found
    with open_pool(library) as pool:
        if pool is None:
            return found
        suggester = Suggester(library)
        for section in empty[:20]:
            wanted = wanted_in(document, section)
            found[section.line] = suggester.suggest_from(pool, wanted, limit=limit)
    return found


def _unranked(row: Row) -> Suggestion:
    from studiolo.index import Suggestion

    return Suggestion(
        row.key, row.title, 0.0, (), authors=row.authors, date=row.date, place=row.place, url=row.url
    )  # fmt: skip


def _document(library: Library, path: Path) -> Document:
    return library.documents.get(path) or Document.load(path)


def _documents(library: Library, path: Path | None) -> list[Document]:
    return [_document(library, path)] if path else list(library.documents.values())


def _listed(library: Library, path: Path | None) -> list[Listed]:
    return [Listed(d, entry) for d in _documents(library, path) for entry in d.entries]


def _place(document: Document) -> tuple[str, ...]:
    """Return what a list is called and its file, without its ending, as `Index.suggest` takes them."""
    title = next((section.path[0] for section in document.sections if section.path), "")
    return tuple(filter(None, (title, document.path.stem if document.path else "")))
