"""What waits in the inbox: collected things grouped by work, without those that are on a list or were passed over."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from studiolo.errors import UsageError
from studiolo.files import append_json_lines, load_json_lines
from studiolo.keys import Key, address_of, find_key
from studiolo.sources import SavedItem

from .edges import key_at
from .entries import few
from .facts import load_facts
from .folder import Library
from .given import Given, given_by
from .inbox import load_items
from .vocabulary import Vocabulary, load_vocabulary
from .works import Works, load_works


if TYPE_CHECKING:
    from studiolo.metadata import Facts


@dataclass(slots=True)
class Pending:
    """One thing to decide about.

    Attributes:
        name: how it is called in commands: its key, or the item's own id where it has no key.
        key: the work's key, or that of the thing itself; None for an address that has no key (`?lY47tw`).
        title: what a service, a citation or the saved thing itself calls it, else its key or address; never empty. A page
            about a paper does not give it its title.
        items: everything that was saved of it.
        keys: all keys of its work.
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
    keys: Collection[Key] = ()

    @property
    def own(self) -> list[SavedItem]:
        """Return what was saved of the work itself, and not of something about it."""
        return [
            item for item in self.items if not self.keys or key_at(item.url) in (None, *self.keys)
        ]

    @property
    def others(self) -> tuple[Key, ...]:
        """Return the keys of what is about it."""
        keys = (key_at(item.url) for item in self.items)
        return tuple(dict.fromkeys(key for key in keys if key and key not in self.keys))

    @property
    def is_typed(self) -> bool:
        """Whether it was never saved: the reader typed its key."""
        return all(item.source == "typed" for item in self.items)

    @property
    def given(self) -> Given:
        """Return what the sources gave of the work itself."""
        return given_by(self.own)

    @property
    def seen_in(self) -> str:
        """Return what the first page about it is called, where nothing says what it is called itself; else ''."""
        if self.title not in (str(self.key), address_of(self.key) if self.key else ""):
            return ""
        return next((title for item in self.items if (title := tidy_title(item.title))), "")

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

    def says(self, words: Iterable[str], vocabulary: Vocabulary) -> bool:
        """Whether all words stand in its name, titles, folders, notes or tags, or in what these mean."""
        text = " ".join(
            (
                self.name,
                self.title,
                *(item.title for item in self.items),
                *self.folders,
                *vocabulary.all_alike(self.tags),
                *self.notes,
            )
        ).casefold()
        return all(word.casefold() in text for word in words)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The inbox at one moment: what waits, and what it was derived from."""

    pending: list[Pending]
    works: Works
    facts: Mapping[Key, Facts]
    on_lists: Mapping[Key, str]
    vocabulary: Vocabulary

    def find(self, name: str) -> Pending | None:
        """Return the pending thing of a name or of any key of its work; where it has no key, of the beginning of its id.

        Raises:
            UsageError: several ids begin so.
        """
        for pending in self.pending:
            if pending.name == name:
                return pending
        with contextlib.suppress(UsageError):
            keys = self.works.keys(find_key(name))
            for pending in self.pending:
                if pending.key in keys or any(key_at(item.url) in keys for item in pending.items):
                    return pending
            return None
        if not re.fullmatch(r"[0-9a-f]{6,24}", name):
            return None
        found = [p for p in self.pending if p.key is None and p.name.startswith(name)]
        if len(found) > 1:
            shown = few((f"{p.name} ({p.title})" for p in found), 6, "; ")
            raise UsageError(f"{name!r} may be one of: {shown}. Give more of it.")
        return found[0] if found else None

    def like(self, name: str, count: int = 5) -> list[Pending]:
        """Return the pending things whose names or titles are nearest to a word that names none, the nearest first."""
        wanted = name.casefold().strip()
        bare = wanted.partition(":")[2] or wanted
        names: dict[str, Pending] = {}
        for pending in self.pending:
            for one in (pending.name, *map(str, pending.keys), pending.title):
                names.setdefault(one.casefold(), pending)
        begin = [one for one in names if len(bare) > 2 and bare in one]
        near = difflib.get_close_matches(wanted, names, n=count, cutoff=0.75)
        return list({id(p): p for one in (*begin, *near) for p in (names[one],)}.values())[:count]


def keys_on_lists(library: Library) -> dict[Key, str]:
    """Return where each key first stands in an entry: `file:line`. A paper that is only mentioned is on no list."""
    found: dict[Key, str] = {}
    for path, document in library.lists.items():
        name = library.relative(path)
        for entry in document.entries:
            own = set(entry.keys)
            for link in entry.links:
                if link.mention is not None and link.mention.key in own:
                    found.setdefault(link.mention.key, f"{name}:{link.line}")
    return found


def load_waiting(library: Library, *, with_passed: bool = False) -> Waiting:
    """Return what waits in the inbox, newest first.

    Args:
        with_passed: also what was passed over or said no to.
    """
    items = list(load_items(library))
    facts = load_facts(library)
    works = load_works(library, items, facts, guessing=bool(items))  # what waits is guessed about
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
        if pending.key:
            keys = works.keys(pending.key)
            pending.keys = keys if len(keys) > 1 else (pending.key,)  # a set takes 200 bytes
        pending.title = title_of(pending, facts)
        pending.guesses = works.guesses(pending.key) if pending.key else ()
    ordered = sorted(groups.values(), key=lambda pending: pending.saved_at, reverse=True)
    return Waiting(ordered, works, facts, on_lists, load_vocabulary(library))


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
    """Return what to call a pending thing: what a service says, else a citation, else the title it was saved with itself.

    The title of a page about a paper (a digest, a post, a repository) is not the paper's; without any other it is called
    by its key, or by its address where that says more.
    """
    if known := facts_of(pending, facts):
        return known.title
    for item in pending.items:
        for link in item.links:
            if link.title and key_at(link.url) in pending.keys:
                return link.title
    own = pending.own
    for item in own:
        title = tidy_title(item.title)
        if title and not re.fullmatch(r"\S+://\S+|\d{4}\.\d{4,5}(v\d+)?(\.pdf)?", title):
            return title
    if pending.key is None or pending.key.kind == "url":
        return own[0].url if own else address_of(pending.key) if pending.key else pending.name
    return str(pending.key)


def facts_of(pending: Pending, facts: Mapping[Key, Facts]) -> Facts | None:
    """Return what a service says of a pending work under any of its keys, None where none knows its title."""
    keys = (*([pending.key] if pending.key else ()), *sorted(pending.keys))
    return next((known for key in keys if (known := facts.get(key)) and known.title), None)


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
