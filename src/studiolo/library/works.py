"""Works: which keys are one paper, what is attached to it, and why. No line of a list is ever deleted because of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from studiolo.keys import Key
from studiolo.sources import SavedItem

from .edges import (
    GRADES,
    READER,
    Edge,
    edges_of_document,
    edges_of_facts,
    edges_of_item,
    edges_of_titles,
    load_edges,
)
from .facts import load_facts
from .folder import Library
from .inbox import load_items


if TYPE_CHECKING:
    from studiolo.metadata import Facts


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
        for edge in sorted(given, key=lambda edge: edge.said_by != READER):
            if edge in refused or (
                edge.grade != "different" and frozenset((edge.a, edge.b)) in self._apart
            ):
                continue
            self._edges.setdefault(edge.a, []).append(edge)
            self._edges.setdefault(edge.b, []).append(edge)
            if edge.grade == "about":
                self._about.setdefault(edge.a, {}).setdefault(edge.b, edge)

    def _root(self, key: Key) -> Key:
        if key not in self._parent:
            return key
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
        members = self._members.get(self._root(key)) if self._members else None
        return frozenset(members or (key,))

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

    def guesses(self, key: Key) -> tuple[Key, ...]:
        """Return the works that a thing may be, or be about, by its title alone."""
        found: dict[Key, None] = {}
        for member in sorted(self.keys(key)):
            for edge in self._edges.get(member, ()):
                other = self.work(edge.b if edge.a == member else edge.a)
                if edge.grade == "maybe" and edge.said_by == "title" and other != self.work(key):
                    found[other] = None
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


def load_works(
    library: Library,
    items: Iterable[SavedItem] | None = None,
    facts: Mapping[Key, Facts] | None = None,
    *,
    guessing: bool = True,
) -> Works:
    """Return the works of a library from its lists, its inbox, what services said, likeness of titles, and its kept edges.

    Args:
        items, facts: of the library, where they were read already.
        guessing: whether titles are compared, for which every entry of the lists is read.
    """
    items = list(load_items(library) if items is None else items)
    facts = load_facts(library) if facts is None else facts
    documents = {library.relative(path): document for path, document in library.documents.items()}

    def edges() -> Iterator[Edge]:
        for name, document in documents.items():
            yield from edges_of_document(document, name)
        for item in items:
            yield from edges_of_item(item)
        for known in facts.values():
            yield from edges_of_facts(known)
        if guessing:
            yield from edges_of_titles(items, documents, facts)
        yield from load_edges(library)

    return Works(edges())


def load_same(library: Library) -> Works:
    """Return which keys are one work, without what is about them; no list is read, because lists do not say that."""

    def edges() -> Iterator[Edge]:
        for item in load_items(library):
            yield from edges_of_item(item)
        for known in load_facts(library).values():
            yield from edges_of_facts(known)
        yield from load_edges(library)

    return Works(edge for edge in edges() if edge.grade in ("same", "different"))
