"""Titles that are alike: a reason to suggest, never to merge. Different papers share titles, and one paper changes its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from studiolo.library.edges import Edge, key_at
from studiolo.lists import Document, Key
from studiolo.metadata import Facts
from studiolo.sources import SavedItem


SHORTEST = 4  # words; "Attention Is All You Need" has five, "Deep Learning" is no evidence
_THINGS = frozenset({"youtube", "reddit", "x"})


def folded(title: str) -> tuple[str, ...]:
    """Return the words of a title without LaTeX, accents' forms, capitals and punctuation."""
    text = unicodedata.normalize("NFKC", re.sub(r"[${}\\]", "", title)).casefold()
    return tuple(re.findall(r"[^\W_]+", text))


def edges_of_titles(
    items: Iterable[SavedItem], documents: Mapping[str, Document], facts: Mapping[Key, Facts]
) -> Iterator[Edge]:
    """Yield *maybe* edges: between papers of one title, and from a talk or post to the paper whose title it holds."""
    papers: dict[Key, tuple[str, ...]] = {}
    things: dict[Key, tuple[str, ...]] = {}

    def learn(key: Key | None, title: str) -> None:
        if key is None or not (key.names_paper or key.kind in _THINGS):
            return
        words = folded(title)
        if len(words) >= SHORTEST:
            (papers if key.names_paper else things).setdefault(key, words)

    for key, known in facts.items():
        learn(key, known.title)
    for document in documents.values():
        for entry in document.entries:
            learn(entry.key, entry.title)
    for item in items:
        learn(key_at(item.url), re.sub(r"^\s*\[[^\]]{4,20}\]\s*", "", item.title))
        for link in item.links:
            if link.title:
                learn(key_at(link.url), link.title)

    by_title: dict[tuple[str, ...], list[Key]] = {}
    by_start: dict[tuple[str, ...], list[Key]] = {}
    for key, words in papers.items():
        by_title.setdefault(words, []).append(key)
        by_start.setdefault(words[:SHORTEST], []).append(key)
    for keys in by_title.values():
        first, *others = sorted(keys)
        for other in others:
            yield Edge(first, other, "maybe", "their titles are the same", "title")
    for thing, words in things.items():
        for at in range(len(words) - SHORTEST + 1):
            for key in by_start.get(words[at : at + SHORTEST], ()):
                if words[at : at + len(papers[key])] == papers[key]:
                    yield Edge(thing, key, "maybe", "its title holds the paper's", "title")
