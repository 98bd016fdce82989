"""What pages a library has, and what is worth saying of each: its last change, its size, its entries, questions and tags."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from studiolo.keys import Key
from studiolo.library import (
    PAGES,
    Kept,
    Library,
    load_kept,
    load_vocabulary,
    spelling,
    state_of,
    tags_of,
)
from studiolo.lists import Document, Entry, folded_tag, part_of

from .commits import last_changes
from .topics import Named, named_in, names_of


Kind = Literal["list", "topic", "note"]
Sort = Literal["changed", "title", "words", "entries", "read", "questions"]
SORTS: tuple[Sort, ...] = get_args(Sort)
FEWEST_PAPERS = 3  # at least, and half of its entries, make a page outside of lists/ a list


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the contents say of a page.

    Attributes:
        name: its path as seen from the library.
        changed: the day of a person's last change, ISO 8601; empty where nobody knows.
        entries: of a list all of them; of other pages those that name a paper.
        read: how many of them are read.
        questions: open ones.
        words: of its text, without front matter, comments and what Studiolo writes.
        claims: how many claims of its papers hold, and how many were decided; None where none was.
        tags: of the whole page, as the vocabulary has them, sorted.
    """

    name: str
    kind: Kind
    title: str
    changed: str = ""
    entries: int = 0
    read: int = 0
    questions: int = 0
    words: int = 0
    claims: tuple[int, int] | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaggedEntry:
    """An entry with a tag, and the page that it stands on."""

    title: str
    url: str
    page: str


@dataclass(frozen=True)
class Catalogue:
    """The pages of a library.

    Attributes:
        tagged: the entries of each tag.
        named: what names each topic, by the name of its page.
    """

    pages: tuple[PageFacts, ...] = ()
    tagged: Mapping[str, tuple[TaggedEntry, ...]] = field(default_factory=dict)
    named: Mapping[str, Named] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, int]:
        """How many pages and entries have each tag, the most first."""
        counts: dict[str, int] = defaultdict(int)
        for page in self.pages:
            for tag in page.tags:
                counts[tag] += 1
        for tag, entries in self.tagged.items():
            counts[tag] += len(entries)
        return dict(
            sorted(counts.items(), key=lambda item: (-item[1], item[0].casefold(), item[0]))
        )

    def sorted_pages(self, kind: Kind, by: Sort, tag: str = "") -> list[PageFacts]:
        """Return the pages of a kind, the newest or largest first, by title where they are alike."""
        found = [page for page in self.pages if page.kind == kind and (not tag or tag in page.tags)]
        found.sort(key=lambda page: (page.title.casefold(), page.name))
        if by != "title":
            found.sort(key=lambda page: getattr(page, by), reverse=True)
        return found


def load_catalogue(
    library: Library, claims: Mapping[str, tuple[int, int]] | None = None
) -> Catalogue:
    """Return what is to be said of the pages of a library.

    README, changelog and the like are not pages, unless they are lists of papers; what Studiolo writes the contents into
    is none either.

    Args:
        claims: how many claims hold, and how many were decided, by the names of lists.

    Raises:
        FileError: as `last_changes` and `load_vocabulary`.
        ListError: a page cannot be read.
    """
    documents = {
        path: document
        for path, document in library.documents.items()
        if is_page(library, path, document)
    }
    kept = load_kept(library.folder)
    vocabulary = load_vocabulary(library)
    own = {path: vocabulary.all_meant(document.tags) for path, document in documents.items()}
    of_entries = [
        (library.relative(path), entry, vocabulary.all_meant(tags_of(entry, kept)))
        for path, document in documents.items()
        for entry in document.entries
    ]
    spelled = spelling(
        [
            *(tag for tags in own.values() for tag in tags),
            *(t for *_, tags in of_entries for t in tags),
        ]
    )
    dates = last_changes(library.folder, list(documents))
    tagged: dict[str, list[TaggedEntry]] = defaultdict(list)
    for name, entry, tags in of_entries:
        for tag in tags:
            tagged[spelled[folded_tag(tag)]].append(TaggedEntry(entry.title, _url_of(entry), name))
    pages = [
        _facts(
            library,
            path,
            document,
            kept,
            changed=dates[path],
            tags=sorted(
                {spelled[folded_tag(tag)] for tag in own[path]}, key=lambda t: (t.casefold(), t)
            ),
            claims=(claims or {}).get(library.relative(path)),
        )
        for path, document in documents.items()
    ]
    topics = {page.name: names_of(page.title, page.name) for page in pages if page.kind == "topic"}
    return Catalogue(
        tuple(pages),
        {tag: tuple(entries) for tag, entries in tagged.items()},
        named_in(library, documents, topics) if topics else {},
    )


def is_page(library: Library, path: Path, document: Document) -> bool:
    """Whether a Markdown file is a page of the contents: no page of a tag, and no README that is not a list."""
    parts = path.relative_to(library.folder).parts
    if parts[0] == "tags" and len(parts) > 1:
        return False
    if path.stem.casefold() not in PAGES:
        return True
    if part_of(document, "contents") or part_of(document, "topics"):
        return False
    return path in library.lists


def _kind_of(library: Library, path: Path, document: Document) -> Kind:
    parts = path.relative_to(library.folder).parts
    if parts[0] == "topics" and len(parts) > 1:
        return "topic"
    if (parts[0] == "lists" and len(parts) > 1) or library.relative(path) == library.config.list:
        return "list"
    papers = sum(map(_names_paper, document.entries))
    return "list" if papers >= max(FEWEST_PAPERS, len(document.entries) / 2) else "note"


def _names_paper(entry: Entry) -> bool:
    return entry.key is not None and entry.key.names_paper


def _url_of(entry: Entry) -> str:
    for link in entry.links:
        if link.mention and link.mention.key == entry.key:
            return link.url
    return ""


def _facts(
    library: Library,
    path: Path,
    document: Document,
    kept: Mapping[Key, Kept],
    *,
    changed: str,
    tags: Iterable[str],
    claims: tuple[int, int] | None,
) -> PageFacts:
    kind = _kind_of(library, path, document)
    counted = [entry for entry in document.entries if kind == "list" or _names_paper(entry)]
    return PageFacts(
        library.relative(path),
        kind,
        title_of(document, path),
        changed,
        len(counted),
        sum(state_of(entry, kept)[0] == "read" for entry in counted),
        sum(question.answer is None for question in document.questions),
        num_words(document),
        claims,
        tuple(tags),
    )


def title_of(document: Document, path: Path) -> str:
    """Return what a page is called: its first heading, else its file."""
    first = next((heading.text for heading in document.headings if heading.text), "")
    return first or path.stem.replace("_", " ").replace("-", " ").strip() or path.name


NO_WORDS = re.compile(r"<!--.*?-->|\]\([^()\s]*\)|https?://[^\s<>)]+|<[^<>]*>", re.DOTALL)
_WORD = re.compile(r"\w+(?:['’.-]\w+)*")


def num_words(document: Document) -> int:
    """Return how many words a page has, without front matter, comments, addresses and what Studiolo writes."""
    texts = [
        document.data[block.start : block.end].decode("utf-8", "replace")
        for block in document.blocks
        if block.kind not in ("front", "comment", "definition")
    ]
    return sum(len(_WORD.findall(NO_WORDS.sub(" ", text))) for text in texts)
