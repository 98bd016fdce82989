"""Edges between keys: what relates two of them, who says so, and where it can be read.

*same* merges two keys into one work; *about* attaches a repository, talk or post to a paper; *maybe* only suggests; *different*
is the reader's word that two things are not one, and is stronger than all others. Most edges follow from the lists and the
inbox each time they are read; only the reader's own decisions are kept, in `.studiolo/edges.jsonl`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from studiolo.files import append_json_lines, json_line, load_records
from studiolo.keys import Key, find_mention, papers_in
from studiolo.lists import Document
from studiolo.sources import SavedItem

from .folder import Library


if TYPE_CHECKING:
    from studiolo.metadata import Facts


_MAY_NAME = re.compile(r"(?i)https?://|arxiv")
Grade = Literal["same", "about", "maybe", "different"]
GRADES: tuple[Grade, ...] = get_args(Grade)
READER = "reader"

# What a link's role in a saved thing is worth, and how to say it.
ROLES: Mapping[str, tuple[Grade, str]] = {
    "same": ("same", "one entry of BibTeX names both"),
    "target": ("about", "the post links to it"),
    "post": ("about", "the comment is on this post"),
    "description": ("about", "the repository's description names it"),
    "homepage": ("about", "it is the repository's homepage"),
    "name": ("about", "the repository's citation block has an entry of this name"),
    "bibtex": ("about", "it is the only paper of the repository's citation block"),
    "badge": ("about", "the README's arXiv badge"),
    "readme": (
        "about",
        "it is the only paper of the README, and the description or a citation agrees",
    ),
    "date": ("about", "it is the paper of the README that appeared together with the repository"),
    "row": ("about", "they stand in one table row"),
    "mention": ("maybe", "the README names it and no other paper, but nothing confirms it"),
    "several": ("maybe", "the README names it among several papers"),
}


@dataclass(frozen=True, slots=True)
class Edge:
    """A reason to relate two keys.

    Attributes:
        a, b: for *about*, `a` is the thing and `b` the paper.
        grade: same, about, maybe or different.
        evidence: in words.
        said_by: `list`, a source, a metadata service, or `reader`.
        place: `file:line`, where the evidence can be read.
    """

    a: Key
    b: Key
    grade: Grade
    evidence: str
    said_by: str
    place: str = ""

    def __str__(self) -> str:
        word = {"same": "is", "about": "is about", "maybe": "may be about", "different": "is not"}[
            self.grade
        ]
        place = f", {self.place}" if self.place else ""
        return f"{self.a} {word} {self.b}: {self.evidence} ({self.said_by}{place})"


@lru_cache(maxsize=1 << 18)
def key_at(url: str) -> Key | None:
    """Return the key of an address, or None where it has none; remembered, because an inbox asks for each several times."""
    mention = find_mention(url) if url else None
    return mention.key if mention else None


def edges_of_item(item: SavedItem) -> Iterator[Edge]:
    """Yield what a saved thing says about its own key."""
    own = key_at(item.url)
    if own is None:
        return
    if own.kind == "github" and item.native.isdigit():
        number = Key("github", item.native)
        yield Edge(
            own, number, "same", "GitHub's number of the repository", item.source, item.place
        )
    yield from _edges_of_text(item, own)
    for link in item.links:
        other = key_at(link.url)
        if other is None or other == own or link.role not in ROLES:
            continue
        grade, evidence = ROLES[link.role]
        a, b = own, other
        if link.role == "row":
            if a.names_paper == b.names_paper:
                continue
            a, b = (b, a) if a.names_paper else (a, b)
        elif grade == "same" and not (a.names_paper and b.names_paper):
            grade, (a, b) = "about", ((b, a) if a.names_paper else (a, b))
        yield Edge(a, b, grade, evidence, item.source, item.place)


def _edges_of_text(item: SavedItem, own: Key) -> Iterator[Edge]:
    """Yield what the words around a thing that is not a paper say: one paper named is what it is about, several are guesses."""
    text = f"{item.title} {item.note} {item.about}"
    if own.names_paper or item.source == "github-stars" or not _MAY_NAME.search(text):
        return
    named = [key for key in papers_in(text[:20_000]) if key != own]
    grade: Grade = "about" if len(named) == 1 else "maybe"
    evidence = {
        "about": "its text names this paper and no other",
        "maybe": "its text names it among several papers",
    }[grade]
    for key in named[:20]:
        yield Edge(own, key, grade, evidence, item.source, item.place)


def edges_of_document(document: Document, name: str) -> Iterator[Edge]:
    """Yield what the entries of a list say: an entry with exactly one paper is about it, with everything it links to."""
    for entry in document.entries:
        papers = [key for key in entry.keys if key.names_paper]
        if len(papers) != 1:
            continue
        for key in entry.keys:
            if key != papers[0]:
                yield Edge(
                    key,
                    papers[0],
                    "about",
                    "they stand in one entry of the list",
                    "list",
                    f"{name}:{entry.line}",
                )


def edges_of_facts(facts: Facts) -> Iterator[Edge]:
    """Yield what a metadata service says: its cross-walk to other keys, and the papers a repository names."""
    place = f"asked {facts.fetched}" if facts.fetched else ""
    for key in facts.same:
        yield Edge(
            facts.key, key, "same", "the service lists both for one work", facts.said_by, place
        )
    for key in facts.about:
        yield Edge(
            facts.key, key, "about", "the repository or its README names it", facts.said_by, place
        )


def edges_path(library: Library) -> Path:
    """Return the file of kept edges."""
    return library.state / "edges.jsonl"


def load_edges(library: Library) -> Iterator[Edge]:
    """Yield the kept edges; of the reader's words about one pair the last counts."""
    latest: dict[tuple[str, ...], Edge | None] = {}
    for edge, is_forgotten in load_records(edges_path(library), _edge):
        pair = (str(min(edge.a, edge.b)), str(max(edge.a, edge.b)), edge.said_by)
        latest[pair] = None if is_forgotten else edge
    yield from (edge for edge in latest.values() if edge)


def _edge(record: Mapping[str, Any]) -> tuple[Edge, bool]:
    """Return a kept edge and whether it was taken back."""
    grade = record["grade"]
    if grade not in (*GRADES, "forgotten"):
        raise ValueError(grade)
    edge = Edge(
        Key.parse(record["a"]),
        Key.parse(record["b"]),
        grade,
        str(record.get("evidence", "")),
        str(record["said_by"]),
        str(record.get("place", "")),
    )
    return edge, grade == "forgotten"


def said_by_reader(library: Library, one: Key, other: Key) -> Edge | None:
    """Return the reader's last word about two keys, if it was not taken back."""
    said = (edge for edge in load_edges(library) if edge.said_by == READER)
    return next((edge for edge in said if {edge.a, edge.b} == {one, other}), None)


def save_edges(library: Library, edges: Iterable[Edge], *, forgotten: Iterable[Edge] = ()) -> None:
    """Append edges to `.studiolo/edges.jsonl`, and those that are taken back."""
    library.prepare()
    back = [{**edge_record(edge), "grade": "forgotten"} for edge in forgotten]
    append_json_lines(edges_path(library), [*map(edge_record, edges), *back])


def diff_of_edges(edges: Iterable[Edge]) -> list[str]:
    """Return the lines that `save_edges` would append to `edges.jsonl`, each after a `+`."""
    return [f"+{json_line(edge_record(edge))}" for edge in edges]


def edge_record(edge: Edge) -> dict[str, Any]:
    """Return an edge as plain JSON values."""
    return {
        "a": str(edge.a),
        "b": str(edge.b),
        "grade": edge.grade,
        "evidence": edge.evidence,
        "said_by": edge.said_by,
        **({"place": edge.place} if edge.place else {}),
    }


def edge_from(record: Mapping[str, Any]) -> Edge:
    """Return what `edge_record` wrote.

    Raises:
        UsageError, KeyError, TypeError, ValueError, AttributeError: the record is not one of ours.
    """
    return _edge(record)[0]


SHORTEST = 4  # words; "Attention Is All You Need" has five, "Deep Learning" is not evidence
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
