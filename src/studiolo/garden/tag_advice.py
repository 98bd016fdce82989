"""Which of the reader's own tags a page without any may deserve, by the words that it shares with pages that have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studiolo.library import Library, load_vocabulary, spelling
from studiolo.lists import Document, folded_tag

from .catalogue import NO_WORDS, is_page, title_of
from .page_text import text_of_page


if TYPE_CHECKING:
    from studiolo.index import Placer, Row

FEWEST_PAGES = 2  # with a tag, before it is suggested: one page says too little
COMMON = 0.5  # of what a tag shares with any page: a tag on every second page would be everybody's first otherwise
SAMPLE = 60  # pages by which that is known
LEAST = 0.05  # of what is left of a score
LONGEST = 40_000  # letters of a page that are looked at


@dataclass(frozen=True, slots=True)
class Advised:
    """A tag that a page may deserve, and the words that say so."""

    tag: str
    words: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What is suggested for a page without tags."""

    page: str
    title: str
    tags: tuple[Advised, ...]


def suggest_tags(
    library: Library, pages: Collection[str] | None = None, *, limit: int = 3
) -> list[Advice]:
    """Return which tags of the reader's vocabulary the pages without tags may deserve, in the order of the pages.

    Nothing but words in common is looked at, and nothing is written.

    Args:
        pages: only these, named as seen from the library, whether or not they have tags.
        limit: at most so many tags a page.
    """
    from studiolo.index import Placer, Shelf

    vocabulary = load_vocabulary(library)
    documents = {
        library.relative(path): document
        for path, document in library.documents.items()
        if is_page(library, path, document)
    }
    tags = {name: vocabulary.all_meant(document.tags) for name, document in documents.items()}
    spelled = spelling(tag for some in tags.values() for tag in some)
    rows = {name: _row(library, name, document) for name, document in documents.items()}
    shelves: dict[str, list[str]] = defaultdict(list)
    for name, some in tags.items():
        for tag in some if pages is None or name not in pages else ():
            shelves[spelled[folded_tag(tag)]].append(name)
    known = [tag for tag in sorted(shelves) if len(shelves[tag]) >= FEWEST_PAGES]
    placer = Placer(
        [Shelf((tag.replace("_", " "),), [rows[name] for name in shelves[tag]]) for tag in known]
    )
    usual = _usual(placer, known, [(rows[name], tags[name]) for name in documents if tags[name]])
    wanted = [
        name for name in documents if (name in pages if pages is not None else not tags[name])
    ]
    found = []
    for name in wanted:
        advised = [
            Advised(
                known[one.number],
                tuple(reason.term for reason in one.shown()),
                one.score - COMMON * usual[one.number],
            )
            for one in placer.place(rows[name])
        ]
        advised.sort(key=lambda one: (-one.score, one.tag))
        best = [one for one in advised if one.score >= LEAST and one.words][:limit]
        found.append(Advice(name, rows[name].title, tuple(best)))
    return found


def _usual(
    placer: Placer, known: Sequence[str], tagged: Sequence[tuple[Row, Sequence[str]]]
) -> list[float]:
    """Return the mean score of each tag over pages that do not have it."""
    step = max(1, len(tagged) // SAMPLE)
    sums, counts = [0.0] * len(known), [0] * len(known)
    for row, own in tagged[::step]:
        have = set(map(folded_tag, own))
        scores = {one.number: one.score for one in placer.place(row)}
        for number, tag in enumerate(known):
            if folded_tag(tag) not in have:
                sums[number] += scores.get(number, 0.0)
                counts[number] += 1
    return [total / max(1, count) for total, count in zip(sums, counts, strict=True)]


def _row(library: Library, name: str, document: Document) -> Row:
    from studiolo.index import Row

    text = NO_WORDS.sub(" ", text_of_page(document.data).decode("utf-8", "replace")[:LONGEST])
    return Row(name, title_of(document, library.folder / name), notes=text)
