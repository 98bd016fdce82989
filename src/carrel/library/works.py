"""Works: which keys are one paper, what is attached to it, and why.

Edges carry their evidence and a grade. *same* merges two keys into one work; *about* attaches a repository, talk or post to a
paper; *maybe* only suggests; *different* is the reader's word that two things are not one, and is stronger than all others.
Most edges follow from the lists and the inbox each time they are read; only what cannot be read there again (the reader's
decisions, the answers of metadata services) is kept in `.carrel/edges.jsonl`. No line of a list is ever deleted because of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from carrel.errors import CarrelError
from carrel.library.facts import load_facts
from carrel.library.folder import Library
from carrel.library.inbox import load_items
from carrel.library.journal import append_records, load_records
from carrel.lists import Document, Key
from carrel.lists.hosts import find_mention
from carrel.metadata import Facts
from carrel.sources import SavedItem


GRADES = ("same", "about", "maybe", "different")
READER = "reader"

# What a link's role in a saved thing is worth, and how to say it.
ROLES: Mapping[str, tuple[str, str]] = {
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
    "text": ("maybe", "the text names it"),
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
    grade: str
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
    for record in load_records(edges_path(library)):
        try:
            a, b = Key.parse(record["a"]), Key.parse(record["b"])
            grade, said_by = str(record["grade"]), str(record["said_by"])
        except (CarrelError, KeyError, TypeError, AttributeError):
            continue  # a line that somebody spoilt says nothing
        pair = (str(min(a, b)), str(max(a, b)), said_by)
        if grade in GRADES:
            latest[pair] = Edge(
                a, b, grade, str(record.get("evidence", "")), said_by, str(record.get("place", ""))
            )
        elif grade == "forgotten":
            latest[pair] = None
    yield from (edge for edge in latest.values() if edge)


def save_edges(library: Library, edges: Iterable[Edge]) -> None:
    """Append edges to `.carrel/edges.jsonl`."""
    library.prepare()
    append_records(
        edges_path(library),
        (
            {
                "a": str(edge.a),
                "b": str(edge.b),
                "grade": edge.grade,
                "evidence": edge.evidence,
                "said_by": edge.said_by,
                **({"place": edge.place} if edge.place else {}),
            }
            for edge in edges
        ),
    )


_KIND_ORDER = {
    kind: rank
    for rank, kind in enumerate(("arxiv", "doi", "openreview", "acl", "pmlr", "cvf", "url"))
}


class Works:
    """The works that a set of edges makes: union-find over *same*, kept apart by *different*."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        given = list(edges)
        self._parent: dict[Key, Key] = {}
        self._members: dict[Key, set[Key]] = {}
        self._apart = {frozenset((edge.a, edge.b)) for edge in given if edge.grade == "different"}
        self._of_apart: dict[Key, set[Key]] = {}
        for pair in self._apart:
            for key in pair:
                self._of_apart.setdefault(key, set()).update(pair - {key})
        self.refused: list[Edge] = []
        # The reader's word first, then in an order that does not depend on how the edges came in.
        for edge in sorted(
            (edge for edge in given if edge.grade == "same"),
            key=lambda edge: (edge.said_by != READER, edge.said_by, edge.a, edge.b),
        ):
            if not self._join(edge.a, edge.b):
                self.refused.append(edge)
        self._edges: dict[Key, list[Edge]] = {}
        self._about: dict[Key, dict[Key, Edge]] = {}
        refused = set(self.refused)
        for edge in given:
            if edge in refused or (
                edge.grade != "different" and frozenset((edge.a, edge.b)) in self._apart
            ):
                continue
            self._edges.setdefault(edge.a, []).append(edge)
            self._edges.setdefault(edge.b, []).append(edge)
            if edge.grade == "about":
                self._about.setdefault(edge.a, {}).setdefault(edge.b, edge)

    def _root(self, key: Key) -> Key:
        root = key
        while (parent := self._parent.get(root, root)) != root:
            root = parent
        while self._parent.get(key, key) != root:
            self._parent[key], key = root, self._parent.get(key, key)
        return root

    def _join(self, a: Key, b: Key) -> bool:
        a, b = self._root(a), self._root(b)
        if a == b:
            return True
        ours, theirs = self._members.get(a, {a}), self._members.get(b, {b})
        small, large = (ours, theirs) if len(ours) < len(theirs) else (theirs, ours)
        if any(other in large for key in small for other in self._of_apart.get(key, ())):
            return False
        self._parent[b] = a
        self._members[a] = ours | theirs
        self._members.pop(b, None)
        return True

    def work(self, key: Key) -> Key:
        """Return the key by which a key's work is called: its arXiv key if it has one, else its DOI, and so on."""
        return min(
            self.keys(key),
            key=lambda member: (_KIND_ORDER.get(member.kind, 99), member.value.isdigit(), member),
        )

    def keys(self, key: Key) -> frozenset[Key]:
        """Return all keys of a key's work, itself included."""
        root = self._root(key)
        return frozenset(self._members.get(root, {root}))

    def papers(self, key: Key) -> tuple[Key, ...]:
        """Return the works that a repository, talk or post is attached to, two steps deep (a comment on a post about a paper)."""
        found: dict[Key, None] = {}
        for middle in self._targets(key):
            if middle.names_paper:
                found[self.work(middle)] = None
            else:
                for end in self._targets(middle):
                    if end.names_paper:
                        found[self.work(end)] = None
        return tuple(found)

    def _targets(self, key: Key) -> list[Key]:
        return [
            target for member in sorted(self.keys(key)) for target in self._about.get(member, ())
        ]

    def why(self, a: Key, b: Key) -> list[Edge]:
        """Return the shortest chain of edges from one key to another, strong ones preferred; empty where there is none."""
        for grades in (("same",), ("same", "about"), ("same", "about", "maybe")):
            came: dict[Key, tuple[Key, Edge] | None] = {a: None}
            waiting = deque([a])
            while waiting and b not in came:
                key = waiting.popleft()
                for edge in self._edges.get(key, ()):
                    other = edge.b if edge.a == key else edge.a
                    if edge.grade in grades and other not in came:
                        came[other] = (key, edge)
                        waiting.append(other)
            if b in came:
                chain: list[Edge] = []
                at = b
                while step := came[at]:
                    chain.append(step[1])
                    at = step[0]
                return chain[::-1]
        return []

    def edges_of(self, key: Key) -> list[Edge]:
        """Return every edge at any key of a key's work, strongest first."""
        edges = {
            edge: None for member in sorted(self.keys(key)) for edge in self._edges.get(member, ())
        }
        return sorted(
            edges, key=lambda edge: (GRADES.index(edge.grade), edge.a, edge.b, edge.place)
        )

    def kept_apart(self, a: Key, b: Key) -> bool:
        """Whether the reader said that the two are not the same."""
        return any(
            frozenset((one, two)) in self._apart for one in self.keys(a) for two in self.keys(b)
        )


def load_works(library: Library, items: Iterable[SavedItem] | None = None) -> Works:
    """Return the works of a library from its lists, its inbox and its kept edges."""

    def edges() -> Iterator[Edge]:
        for path, document in library.documents.items():
            yield from edges_of_document(document, library.relative(path))
        for item in load_items(library) if items is None else items:
            yield from edges_of_item(item)
        for facts in load_facts(library).values():
            yield from edges_of_facts(facts)
        yield from load_edges(library)

    return Works(edges())
