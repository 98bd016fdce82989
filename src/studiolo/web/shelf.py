"""The library as the pages see it: read once, and again what has changed on the disk.

A `Moment` is the library at one time and never changes, so a page is drawn from one state even while an editor writes.
What was read for one moment is kept for the next where its files are as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from studiolo.claims import Paper
from studiolo.collector import collector_paused
from studiolo.errors import FileError, PaperError, StudioloError, UsageError
from studiolo.index import Found
from studiolo.keys import Key
from studiolo.library import (
    Library,
    Line,
    Listed,
    Sayings,
    Waiting,
    find_in,
    library_index,
    lines_of,
    load_waiting,
)
from studiolo.lists import Document, Entry
from studiolo.report import PaperView, View, join, load_paper, note_seen, now, papers_on
from studiolo.runs import discover, this_environment, this_machine


T = TypeVar("T")

LOOK_EVERY_S = 0.1  # how old what a page shows may be
COUNT_AFTER_S = 2.0  # after a list changed: whoever waits for the page comes first
_STATE_FILES = ("config.toml", "edges.jsonl", "inbox.jsonl", "metadata.jsonl", "reading.jsonl", "tags.toml", "triage.jsonl")  # fmt: skip
_DIGEST = 6  # bytes
_log = logging.getLogger("studiolo")

Stamp = tuple[int, int, int]


class Gone(StudioloError):
    """An entry is not where the page saw it."""


class Shelf:
    """One library, read for many requests in several threads."""

    def __init__(self, library: Library) -> None:
        self.folder = library.folder
        self.writing = threading.Lock()  # held by whoever changes the library
        self._lock = threading.RLock()
        self._library = library
        self._stamps: dict[Path, Stamp] = {}
        self._looked = float("-inf")
        self._moment: Moment | None = None
        self._memo: dict[Hashable, tuple[Any, Any]] = {}
        self._index: _OpenIndex | None = None
        self._building: threading.Thread | None = None
        self._counting: threading.Timer | None = None

    def moment(self, *, fresh: bool = False) -> Moment:
        """Return the library as it is now, at most `LOOK_EVERY_S` old.

        Args:
            fresh: look at the disk even if that was done a moment ago.

        Raises:
            ListError: a list cannot be read.
        """
        with self._lock:
            if self._moment and not fresh and time.monotonic() < self._looked + LOOK_EVERY_S:
                return self._moment
            stamps = _stamps(_files(Library(self.folder)))
            if self._moment is None or stamps != self._stamps:
                self._library = self._library.again()
                self._stamps = stamps
                self._moment = Moment(self, self._library, stamps)
            self._looked = time.monotonic()
            return self._moment

    def adopt(self, document: Document) -> None:
        """Take what was found in a list that was just written, so that it need not be read again.

        The library of the moments there are stays as it was: another one takes its place.
        """
        with self._lock:
            documents = self._library.documents
            if document.path in documents:
                self._library = Library(self.folder)
                self._library.documents = {**documents, document.path: document}

    def kept(self, name: Hashable, of: object, make: Callable[[], T]) -> T:
        """Return what `make` made when `of` was last as it is now, else make it again."""
        with self._lock:
            found = self._memo.get(name)
            if found is None or found[0] != of:
                found = self._memo[name] = (of, make())
            return found[1]

    def forget(self, kept: Callable[[Hashable], bool]) -> None:
        """Drop what was kept under names that are not asked for any more."""
        with self._lock:
            for name in [name for name in self._memo if not kept(name)]:
                del self._memo[name]

    def num_waiting(self, moment: Moment) -> int | None:
        """Return how many papers wait in the inbox, as counted last; None before.

        All lists are read for it, so nobody who looks at one waits for that: it is counted a moment later.
        """
        with self._lock:
            found: tuple[object, Waiting] | None = self._memo.get("waiting")
            if found is None or found[0] != moment.waiting_of:
                if self._counting is None or not self._counting.is_alive():
                    self._counting = threading.Timer(COUNT_AFTER_S, self._count, (moment,))
                    self._counting.daemon = True
                    self._counting.start()
                if found is None:
                    return None
            pending = found[1].pending
            return self.kept(
                "num waiting", (pending,), lambda: sum(one.is_paper for one in pending)
            )

    def _count(self, moment: Moment) -> None:
        with self._lock:  # what somebody waits for is read first
            pass
        try:
            with collector_paused():
                of, waiting = moment.waiting_of, load_waiting(moment.library)
        except StudioloError as error:
            _log.warning("%s", error)
            return
        self.kept("waiting", of, lambda: waiting)

    def index(self, moment: Moment) -> _OpenIndex:
        """Return an index of the library: of this moment, or the last one while that of this moment is being built."""
        with self._lock:
            index = self._index
            if index is not None and index.stamp == moment.stamp:
                return index
            if index is None:
                self._index = _OpenIndex(moment)
                return self._index
            if self._building is None or not self._building.is_alive():
                self._building = threading.Thread(target=self._build, args=(moment,), daemon=True)
                self._building.start()
            return index

    def _build(self, moment: Moment) -> None:
        try:
            index = _OpenIndex(moment)
        except StudioloError as error:
            _log.warning("%s", error)
            return
        with self._lock:
            self._index = index  # whoever searches the one before keeps it until the end


class _OpenIndex:
    """An index that stays open as long as somebody has it."""

    def __init__(self, moment: Moment) -> None:
        self.stamp = moment.stamp
        self._open = contextlib.ExitStack()
        papers = moment.can_run
        self._index = self._open.enter_context(library_index(moment.library, lambda: papers))

    def search(self, query: str, limit: int) -> Found:
        """Search; see `find_in`."""
        return find_in(self._index, query, limit)

    def __del__(self) -> None:
        self._open.close()


class Moment:
    """The library at one time.

    Attributes:
        stamp: differs from that of any other state of the library.
    """

    def __init__(self, shelf: Shelf, library: Library, stamps: dict[Path, Stamp]) -> None:
        self.shelf = shelf
        self.library = library
        self._stamps = stamps
        text = repr(sorted((str(path), stamp) for path, stamp in stamps.items()))
        self.stamp = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def documents(self) -> dict[str, Document]:
        """The Markdown files by their names; those that a symbolic link shows from outside of the library left out."""
        return self.shelf.kept("documents", self.stamp, lambda: dict(_documents(self.library)))

    @property
    def lists(self) -> list[str]:
        """Names of the files that are lists, the main one first."""
        return self.shelf.kept("lists", self.stamp, lambda: _lists(self.library, self.documents))

    @property
    def pages(self) -> list[str]:
        """Names of the files that are not lists."""
        lists = set(self.lists)
        return [name for name in self.documents if name not in lists]

    def document(self, name: str) -> Document:
        """Return a list or page by its name.

        Raises:
            UsageError: the library has none of that name.
        """
        document = self.documents.get(name)
        if document is None:
            raise UsageError(f"There is no list {name!r} in this library.")
        return document

    @property
    def sayings(self) -> Sayings:
        """What is known of works beside the lists."""
        state = [self._stamps.get(self.library.state / name) for name in _STATE_FILES]
        return self.shelf.kept("sayings", state, lambda: Sayings.load(self.library))

    @property
    def waiting(self) -> Waiting:
        """What waits in the inbox."""
        return self.shelf.kept("waiting", self.waiting_of, lambda: load_waiting(self.library))

    @property
    def waiting_of(self) -> object:
        """What that is made from."""
        return self.sayings, list(self.documents.values()), self._stamp_of("triage.jsonl")

    @property
    def num_waiting(self) -> int | None:
        """How many papers wait in the inbox; see `Shelf.num_waiting`."""
        return self.shelf.num_waiting(self)

    @property
    def shown(self) -> str:
        """What differs where a page of this moment would: its stamp, and what is counted later."""
        return f"{self.stamp}-{self.num_waiting}"

    def _stamp_of(self, name: str) -> Stamp | None:
        return self._stamps.get(self.library.state / name)

    @property
    def papers(self) -> tuple[tuple[Paper, ...], tuple[PaperError, ...]]:
        """The papers that can run, and what is wrong with other folders."""
        of = [stamp for path, stamp in self._stamps.items() if path.name == "paper.toml"]
        return self.shelf.kept("papers", of, lambda: _discover(self.library.folder))

    @property
    def can_run(self) -> frozenset[str]:
        """The keys of the papers that can run."""
        return frozenset(key for paper in self.papers[0] for key in (paper.key, *paper.also))

    def paper_view(self, paper: Paper) -> PaperView:
        """Return a paper with what was measured.

        Raises:
            PaperError: its folder cannot be read.
        """
        results = self.library.state / "results" / paper.slug
        folders = (paper.folder, paper.folder / "results", results)
        of = (paper, _stamps(p for f in folders for p in f.glob("*") if p.suffix in _OF_A_PAPER))
        return self.shelf.kept(
            ("paper", paper.slug), of, lambda: load_paper(paper, self.library.folder)
        )

    def lines(self, name: str) -> list[Line]:
        """Return the entries of a list with what is known of them."""
        document = self.document(name)
        of = (document, self.sayings, self.can_run)
        return self.shelf.kept(("lines", name), of, lambda: lines_of(document, *of[1:]))

    def view(self, name: str) -> View:
        """Return a list joined with the papers that can run and their verdicts, without suggestions."""
        document, sayings = self.document(name), self.sayings
        papers, problems = self.papers
        of = (document, sayings, papers)
        rows = self.shelf.kept(("rows", name), of, lambda: join(document, papers, sayings.works))
        views: dict[str, PaperView] = {}
        wrong = list(problems)
        for paper in papers_on(rows):
            try:
                views[paper.slug] = self.paper_view(paper)
            except PaperError as error:
                wrong.append(error)

        def make() -> View:
            view = View(
                document,
                self.library.folder,
                rows,
                sayings.kept,
                views,
                wrong,
                this_machine(),
                this_environment(),
                now(),
                sayings.works,
            )
            note_seen(view)  # who saw a verdict cannot change its rule unnoticed
            return view

        return self.shelf.kept(("view", name), (*of, list(views.values())), make)  # fmt: skip

    @property
    def places(self) -> Places:
        """Where each key stands and is mentioned."""
        documents = self.documents
        return self.shelf.kept("places", documents, lambda: _places(documents))

    def find(self, query: str, limit: int) -> Found:
        """Search everything that is in the library."""
        return self.shelf.index(self).search(query, limit)

    def listed(self, address: str) -> Listed:
        """Return the entry that a page means by `lists/a.md:12:3f9a…`: at that line, or wherever it has moved to since.

        Raises:
            Gone: it was changed since the page was drawn, or is not there.
        """
        name, _, rest = address.rpartition(":")
        name, _, line = name.rpartition(":")
        document = self.documents.get(name)
        if document is not None:
            same = [entry for entry in document.entries if digest_of(entry) == rest]
            at = [entry for entry in same if str(entry.line) == line]
            if len(found := at or same) == 1:
                return Listed(document, found[0])
        raise Gone(
            "This entry was changed or moved since the page was shown. Nothing was written: look at the list as it is now."
        )

    def address_of(self, name: str, entry: Entry) -> str:
        """Return what a page calls an entry, so that it is found again, or not mistaken for another."""
        return f"{name}:{entry.line}:{digest_of(entry)}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where keys stand: (list, number of the entry) of each key that is an entry's own, and of each that is mentioned."""

    own: Mapping[Key, Sequence[tuple[str, int]]]
    mentioned: Mapping[Key, Sequence[tuple[str, int]]]


def _places(documents: Mapping[str, Document]) -> Places:
    own: dict[Key, list[tuple[str, int]]] = {}
    mentioned: dict[Key, list[tuple[str, int]]] = {}
    for name, document in documents.items():
        for number, entry in enumerate(document.entries):
            for keys, found in ((entry.keys, own), (entry.mentioned, mentioned)):
                for key in keys:
                    found.setdefault(key, []).append((name, number))
    return Places(own, mentioned)


_OF_A_PAPER = (".py", ".toml", ".jsonl", ".md")


def digest_of(entry: Entry) -> str:
    """Return a digest of an entry's own bytes."""
    return hashlib.blake2b(entry.text.encode("utf-8", "replace"), digest_size=_DIGEST).hexdigest()


def _documents(library: Library) -> Iterator[tuple[str, Document]]:
    for path, document in library.documents.items():
        name = library.relative(path)
        with contextlib.suppress(FileError):
            library.inside(name)
            yield name, document


def _lists(library: Library, documents: Mapping[str, Document]) -> list[str]:
    main = library.main_list()
    names = [library.relative(path) for path in library.lists]
    if not names:  # a README that links more than papers is still what its reader wants to scan
        names = [name for name, document in documents.items() if document.entries]
    first = library.relative(main) if main else ""
    return [name for name in sorted(names, key=lambda n: n != first) if name in documents]


def _discover(folder: Path) -> tuple[tuple[Paper, ...], tuple[PaperError, ...]]:
    problems: list[PaperError] = []
    return tuple(discover(folder, problems=problems)), tuple(problems)


def _files(library: Library) -> Iterator[Path]:
    """Yield the files that pages are drawn from."""
    yield from library.list_paths()
    yield from (library.state / name for name in _STATE_FILES)
    yield from (library.folder / "papers").glob("*/paper.toml")
    yield from (library.state / "results").glob("*/*.jsonl")


def _stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    found: dict[Path, Stamp] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            about = os.stat(path)  # noqa: PTH116  (thousands of them)
            found[path] = (about.st_mtime_ns, about.st_size, about.st_ino)
    return found
