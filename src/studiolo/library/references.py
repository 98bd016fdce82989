"""What is exported: the entries of lists, completed by what sources gave and services said of them, each once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from studiolo.keys import Key, address_of, find_mention
from studiolo.lists import Document
from studiolo.sources import SavedItem

from .facts import load_facts
from .folder import Library
from .given import Given, given_by, items_by_key
from .inbox import load_items
from .kinds import Kind, kind_of
from .reading import Kept, load_kept, state_of, tags_of
from .vocabulary import Vocabulary, load_vocabulary
from .waiting import Waiting, facts_of, tidy_title
from .works import Works, load_same


if TYPE_CHECKING:
    from studiolo.metadata import Facts


@dataclass(frozen=True, slots=True)
class Reference:
    """One work of an export.

    Attributes:
        authors: as a source tells family and given names apart (`Family, Given`, `{Organisation}`), else as they are said.
        notes: the reader's own, which are private.
        keys: its own, and those of what is about it.
        kind: what it is; `entry_type` is the type that a bibliography gave, in BibTeX's words.
        cite_key: what a bibliography calls it.
        fields: further fields of a bibliography, by their names in BibTeX.
        spelt: the addresses that a bibliography gave, which `doi`, `eprint` and `page` follow; `url` is where a reader
            finds it.
    """

    key: Key | None
    url: str
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    section: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    saved_at: str = ""
    state: str = ""
    keys: tuple[Key, ...] = ()
    category: str = ""
    abstract: str = ""
    place: str = ""
    entry_type: str = ""
    cite_key: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    spelt: tuple[str, ...] = ()

    def key_of(self, kind: str) -> str:
        """Return the value of its key of a kind, or ''."""
        return next((key.value for key in self.keys if key.kind == kind), "")

    @property
    def kind(self) -> Kind:
        """What it is."""
        papers = [key for key in self.keys if key.names_paper]
        return kind_of(self.key, papers, self.venue, self.entry_type)

    @property
    def doi(self) -> str:
        """Its DOI, as its source spelt it."""
        value = self.key_of("doi")
        for url in self.spelt:
            found = re.search(r"10\.\d{4,9}/.+", unquote(url))
            if value and found and found[0].casefold() == value:
                return found[0]
        return value

    @property
    def eprint(self) -> str:
        """Its arXiv id, with the version that its source pinned."""
        value = self.key_of("arxiv")
        for url in self.spelt:
            mention = find_mention(url)
            if value and mention and mention.key.value == value and mention.version:
                return f"{value}v{mention.version}"
        return value

    @property
    def page(self) -> str:
        """Its address, unless a bibliography gave none but its DOI, its arXiv id or its ISBN."""
        if not self.spelt:
            return self.url
        for url in self.spelt:
            mention = find_mention(url)
            by_isbn = self.fields.get("isbn") and "openlibrary.org/isbn/" in url
            if mention and mention.key.kind not in ("doi", "arxiv") and not by_isbn:
                return url
        return ""


def family_and_given(author: str) -> tuple[str, str]:
    """Return (family, given) of a name written either way round; an organisation in braces has no given name."""
    if author.startswith("{") and author.endswith("}"):
        return author[1:-1], ""
    parts = [part.strip() for part in author.split(",")]
    if len(parts) == 3:
        return f"{parts[0]}, {parts[1]}", parts[2]
    if len(parts) == 2:
        return parts[0], parts[1]
    words = author.split()
    at = len(words) - 1
    while at > 0 and words[at - 1][:1].islower():  # van der Maaten, de Freitas
        at -= 1
    return " ".join(words[at:]), " ".join(words[:at])


class Sayings:
    """What is known of the works of a library beside its lists.

    Attributes:
        facts: what services said.
        kept: what is kept beside the lists.
        works: which keys are one work.
        vocabulary: which tags mean the same.
    """

    def __init__(
        self,
        facts: Mapping[Key, Facts] | None = None,
        kept: Mapping[Key, Kept] | None = None,
        works: Works | None = None,
        items: Iterable[SavedItem] = (),
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.facts = facts or {}
        self.kept = kept or {}
        self.works = works or Works(())
        self.vocabulary = vocabulary or Vocabulary()
        self._items = items_by_key(items)

    @classmethod
    def load(cls, library: Library) -> Sayings:
        """Return what is known in a library."""
        facts = load_facts(library)
        return cls(
            facts,
            load_kept(library.folder),
            load_same(library),
            load_items(library),
            load_vocabulary(library),
        )

    def keys(self, key: Key) -> list[Key]:
        """Return all keys of a key's work, itself first."""
        work = self.works.keys(key)
        return [key, *sorted(work - {key})] if len(work) > 1 else [key]

    def items(self, keys: Iterable[Key]) -> list[SavedItem]:
        """Return what was saved of any of these keys."""
        return [item for key in keys for item in self._items.get(key, ())]


def references_in_document(document: Document, name: str, sayings: Sayings) -> list[Reference]:
    """Return the entries of a list that have an address, completed by what is known of them; what the list says stands."""
    found = []
    for entry in document.entries:
        if entry.key is None:
            continue
        keys = sayings.keys(entry.key)
        known = next((f for key in keys if (f := sayings.facts.get(key)) and f.title), None)
        items = sayings.items(keys)
        given = given_by(items)
        link = next((x.url for x in entry.links if x.mention and x.mention.key == entry.key), "")
        beside = next((sayings.kept[key] for key in keys if key in sayings.kept), None)
        notes = (*(note.text for note in entry.notes), *(beside.notes if beside else ()))
        found.append(
            _reference(
                entry.key,
                link,
                given,
                known,
                items,
                title="" if entry.title in (str(entry.key), link) else entry.title,
                authors=entry.authors,
                year=entry.year,
                section=entry.section,
                tags=tuple(dict.fromkeys((*tags_of(entry, sayings.kept), *given.tags))),
                notes=tuple(dict.fromkeys(notes)),
                state=state_of(entry, sayings.kept)[0] or "",
                keys=tuple(dict.fromkeys((*entry.keys, *keys))),
                place=f"{name}:{entry.line}",
            )
        )
    return found


def references_in_library(library: Library, sayings: Sayings | None = None) -> list[Reference]:
    """Return the works of all lists, a work that stands twice once."""
    sayings = sayings or Sayings.load(library)
    seen: set[Key] = set()
    found = []
    for path, document in library.lists.items():
        for work in references_in_document(document, library.relative(path), sayings):
            assert work.key is not None
            if work.key not in seen:
                found.append(work)
            seen.update(sayings.keys(work.key))
    return found


def references_in_inbox(view: Waiting) -> list[Reference]:
    """Return what waits in the inbox and has an address."""
    found = []
    for pending in view.pending:
        if pending.key is None:
            continue
        own = pending.own
        found.append(
            _reference(
                pending.key,
                own[0].url if own else "",
                pending.given,
                facts_of(pending, view.facts),
                own,
                title=pending.title,
                section=next((item.folder for item in pending.items if item.folder), ()),
                tags=pending.tags,
                notes=pending.notes,
                saved_at=pending.saved_at,
                state="inbox",
                keys=tuple(dict.fromkeys((pending.key, *sorted(pending.keys), *pending.others))),
                place=pending.items[0].place,
            )
        )
    return found


def _reference(
    key: Key,
    link: str,
    given: Given,
    known: Facts | None,
    items: Iterable[SavedItem],
    *,
    title: str,
    section: tuple[str, ...],
    tags: tuple[str, ...],
    notes: tuple[str, ...],
    state: str,
    keys: tuple[Key, ...],
    place: str,
    authors: tuple[str, ...] = (),
    year: int | None = None,
    saved_at: str = "",
) -> Reference:
    if known:
        keys = tuple(dict.fromkeys((*keys, *known.same)))
    fields = _in_bibtex(given.fields)
    cited = [item for item in items if item.cite_key or item.entry_type]
    spelt = [address for item in cited for address in (item.url, *(x.url for x in item.links))]
    return Reference(
        key=key,
        url=_address(key, link),
        title=title or (known.title if known else "") or tidy_title(given.title) or str(key),
        authors=_people(authors, given, known),
        year=year or given.year or (known.year if known else None),
        venue=given.venue or (known.venue if known else ""),
        section=section,
        tags=tags,
        notes=notes,
        saved_at=saved_at or given.saved_at,
        state=state,
        keys=keys,
        category=known.categories[0] if known and known.categories else "",
        abstract=fields.get("abstract", "") or (known.abstract if known else ""),
        place=place,
        entry_type=given.entry_type,
        cite_key=given.cite_key,
        fields=fields,
        spelt=tuple(dict.fromkeys(spelt)),
    )


# what CSL, RIS and Zotero call the fields of a bibliography, and what of theirs is not one
_BIBTEX_NAMES = {
    "page": "pages", "issue": "number", "collection-title": "series", "publisher-place": "address", "place": "address",
    "event-title": "eventtitle", "accessdate": "urldate", "access date": "urldate", "y2": "urldate", "t3": "series",
    "cy": "address", "et": "edition", "la": "language", "a2": "editor",
}  # fmt: skip
_NOT_IN_BIBTEX = frozenset({"note", "extra", "item type", "date modified", "archive", "archiveid"})


def _in_bibtex(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a reference by their names in BibTeX, whichever format it came in."""
    found: dict[str, str] = {}
    from_table = "item type" in fields
    for name, value in fields.items():
        if name in _NOT_IN_BIBTEX or (name == "key" and from_table):
            continue
        if name == "editor" and from_table:
            value = re.sub(r"\s*;\s*", " and ", value)
        if name in ("y2", "access date", "accessdate"):
            day = re.match(r"(\d{4})[/-](\d\d)[/-](\d\d)", value)
            value = "-".join(day.groups()) if day else value
        if name == "issue" or name not in _BIBTEX_NAMES:
            found[_BIBTEX_NAMES.get(name, name)] = value
        else:
            found.setdefault(_BIBTEX_NAMES[name], value)
    return found


def _people(listed: tuple[str, ...], given: Given, known: Facts | None) -> tuple[str, ...]:
    """Return the authors: as a source or a service has them, unless the list names others than these."""
    for said in (given.authors, known.authors if known else ()):
        families = {family_and_given(author)[0].casefold() for author in said}
        if said and all(family_and_given(one)[0].casefold() in families for one in listed):
            return said
    return listed or given.authors or (known.authors if known else ())


def _address(key: Key, link: str) -> str:
    return address_of(key) if key.kind in {"arxiv", "doi", "github"} or not link else link.strip()


def in_section(works: Iterable[Reference], section: str) -> list[Reference]:
    """Return the works below a heading of this name (or this beginning of a path), small and capital letters alike."""
    wanted = section.casefold().strip()
    return [work for work in works if any(part.casefold() == wanted for part in work.section)]
