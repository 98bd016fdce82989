"""What waits in the inbox: collected things grouped by work, without those that are on a list or were passed over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from studiolo.files import append_json_lines, load_json_lines
from studiolo.keys import Key, find_key
from studiolo.metadata import Facts
from studiolo.sources import SavedItem

from .edges import key_at
from .facts import load_facts
from .folder import Library
from .inbox import load_items
from .works import Works, load_works


@dataclass(slots=True)
class Pending:
    """One thing to decide about.

    Attributes:
        name: how it is called in commands: its key, or the item's own id where it has no key.
        key: the work's key, or that of the thing itself; None for an address that has no key (`?lY47tw`).
        title: the best there is; never empty.
        items: everything that was saved of it.
        on_list: `file:line` of its paper, if that is on a list already and this is a thing about it.
        papers: papers it is about, where they are several.
        guesses: papers it may be, or be about, by its title alone.
    """

    name: str
    key: Key | None
    title: str
    items: list[SavedItem] = field(default_factory=list)
    on_list: str = ""
    papers: tuple[Key, ...] = ()
    guesses: tuple[Key, ...] = ()

    @property
    def is_paper(self) -> bool:
        """Whether it is a paper, or known to be about one."""
        return bool(
            self.on_list or self.papers or self.guesses or (self.key and self.key.names_paper)
        )

    @property
    def has_title(self) -> bool:
        """Whether it is called by a title, and not by its key, its address or its repository's name."""
        return " " in self.title and "://" not in self.title

    @property
    def saved_at(self) -> str:
        """Return the earliest date on which any of it was saved; empty where none is known."""
        return min((item.saved_at for item in self.items if item.saved_at), default="")

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources it came from, sorted."""
        return tuple(sorted({item.source for item in self.items}))

    @property
    def folders(self) -> tuple[str, ...]:
        """Return the folders it was saved in, as paths."""
        return tuple(dict.fromkeys(" / ".join(item.folder) for item in self.items if item.folder))

    @property
    def tags(self) -> tuple[str, ...]:
        """Return all tags, each once."""
        return tuple(dict.fromkeys(tag for item in self.items for tag in item.tags))

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the owner's own words, each once."""
        return tuple(dict.fromkeys(item.note for item in self.items if item.note))


@dataclass(frozen=True, slots=True)
class Waiting:
    """The inbox at one moment: what waits, and what it was derived from."""

    pending: list[Pending]
    works: Works
    facts: Mapping[Key, Facts]
    on_lists: Mapping[Key, str]

    def find(self, name: str) -> Pending | None:
        """Return the pending thing of a name, of any key of its work, or of the beginning of its id."""
        for pending in self.pending:
            if pending.name == name:
                return pending
        key = key_at(name)
        if key is None and ":" in name:
            key = find_key(name)
        if key is not None:
            keys = self.works.keys(key)
            for pending in self.pending:
                if pending.key in keys or any(key_at(item.url) in keys for item in pending.items):
                    return pending
        return next(
            (
                pending
                for pending in self.pending
                if len(name) >= 6 and pending.name.startswith(name)
            ),
            None,
        )


def keys_on_lists(library: Library) -> dict[Key, str]:
    """Return where each key first stands in an entry: `file:line`. A link in a paragraph puts nothing on a list."""
    found: dict[Key, str] = {}
    for path, document in library.documents.items():
        name = library.relative(path)
        for entry in document.entries:
            for link in entry.links:
                if link.mention is not None:
                    found.setdefault(link.mention.key, f"{name}:{link.line}")
    return found


def load_waiting(library: Library, *, with_passed: bool = False) -> Waiting:
    """Return what waits in the inbox, newest first.

    Args:
        with_passed: also what was passed over or said no to.
    """
    items = list(load_items(library))
    facts = load_facts(library)
    works = load_works(library, items, facts)
    on_lists = keys_on_lists(library)
    listed_works = {works.work(key): place for key, place in reversed(on_lists.items())}
    passed = set() if with_passed else passed_names(library) | refused_names(library)
    groups: dict[str, Pending] = {}
    for item in items:
        own = key_at(item.url)
        if own is not None and own in on_lists:
            continue
        papers = () if own is None or own.names_paper else works.papers(own)
        key = own if own is None else works.work(papers[0] if len(papers) == 1 else own)
        name = str(key) if key else item.identity
        if name in passed or (own and str(own) in passed):
            continue
        place = listed_works.get(key, "") if key else ""
        if place and (own is None or own.names_paper):
            continue  # the paper itself is on a list, under another of its keys perhaps
        pending = groups.get(name)
        if pending is None:
            pending = groups[name] = Pending(
                name, key, "", on_list=place, papers=papers if len(papers) > 1 else ()
            )
        pending.items.append(item)
    for pending in groups.values():
        pending.title = title_of(pending, facts)
        pending.guesses = works.guesses(pending.key) if pending.key else ()
    ordered = sorted(groups.values(), key=lambda pending: pending.saved_at, reverse=True)
    return Waiting(ordered, works, facts, on_lists)


_TAIL = re.compile(
    r"\s*(?:[|·–—-]\s*(?:arXiv(?:\.org)?(?: e-?print archive)?|YouTube|OpenReview|alphaXiv|Papers With Code|Semantic Scholar|ACL Anthology"
    r"|GitHub|Reddit|Medium|Hugging ?Face)|: r/\w+)\s*$",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"^\s*(?:\[(?:arXiv:)?\d{4}\.\d{4,5}(?:v\d+)?\]|\[[a-z-]+(?:\.[A-Z]{2})?/\d{7}(?:v\d+)?\]|GitHub -|\(\d+\))\s*",
    re.IGNORECASE,
)


def tidy_title(title: str) -> str:
    """Return the title that a browser saved, without the site's own additions.

    >>> tidy_title("[2105.03824] FNet: Mixing Tokens with Fourier Transforms | arXiv")
    'FNet: Mixing Tokens with Fourier Transforms'
    """
    return _TAIL.sub("", _HEAD.sub("", title)).strip() or title.strip()


def title_of(pending: Pending, facts: Mapping[Key, Facts]) -> str:
    """Return what to call a pending thing: what a service says, else the best saved title, else the address."""
    if pending.key and (known := facts.get(pending.key)) and known.title:
        return known.title
    for item in pending.items:
        for link in item.links:
            if link.title and key_at(link.url) == pending.key:
                return link.title
    papers_first = sorted(pending.items, key=lambda item: key_at(item.url) != pending.key)
    for item in papers_first:
        title = tidy_title(item.title)
        if title and not re.fullmatch(r"\S+://\S+|\d{4}\.\d{4,5}(v\d+)?(\.pdf)?", title):
            return title
    return papers_first[0].url


def passed_names(library: Library) -> set[str]:
    """Return the names that were passed over and not taken back."""
    return _decided(library, "pass", "back")


def refused_names(library: Library) -> set[str]:
    """Return the keys that the reader said no to and did not take back."""
    return _decided(library, "no", "not no")


def _decided(library: Library, decision: str, back: str) -> set[str]:
    names: set[str] = set()
    for record in load_json_lines(library.state / "triage.jsonl"):
        if record.get("decision") == decision:
            names.add(str(record.get("name")))
        elif record.get("decision") == back:
            names.discard(str(record.get("name")))
    return names


def save_passed(library: Library, names: Iterable[str], *, back: bool = False) -> None:
    """Remember that things are not to be shown again, or take that back."""
    _save_decision(library, names, "back" if back else "pass")


def save_refused(library: Library, names: Iterable[str], *, back: bool = False) -> None:
    """Remember what the reader said no to, or take that back."""
    _save_decision(library, names, "not no" if back else "no")


def _save_decision(library: Library, names: Iterable[str], decision: str) -> None:
    library.prepare()
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    append_json_lines(
        library.state / "triage.jsonl",
        ({"name": name, "decision": decision, "on": day} for name in names),
    )
