"""The index: search and suggestions over rows of text."""

from __future__ import annotations

import contextlib
import gc
import itertools
import mmap
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from studiolo.errors import FileError, UsageError

from . import store
from .postings import CHUNK, Postings
from .rows import Row, as_text, rows_of
from .searching import READ, Found, add_rows, create_tables, finish_tables, row_from, search
from .suggesting import Scorer, Suggestion


class Index:
    """Rows that can be searched, and from which rows like others are suggested.

    Made by `Index.build` or `load_or_build`. It may be used by several threads, and is closed with `close` or `with`.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._folder = folder
        build = folder / about["build"]
        self._remove: Callable[[], object] = bool  # a temporary folder goes with the index
        self.count: int = about["count"]
        self.stamp: str = about["stamp"]
        self._database = sqlite3.connect(
            f"{(build / 'text.sqlite').absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )  # fmt: skip
        self._database.execute("PRAGMA mmap_size = 1000000000")
        # opened now: another process may replace the index before the first suggestion
        self._files = [_mapped(build / name) for name in store.ARRAYS]
        self._scorer: Scorer | None = None

    @classmethod
    def build(
        cls, rows: Iterable[Row | Mapping[str, Any]], folder: Path | None = None, *, stamp: str = ""
    ) -> Index:
        """Build an index, streaming: a million rows take less than 2 GB of memory.

        Args:
            rows: `Row`s, or mappings with the fields of `Row`, read once, in any order.
            folder: where it is kept, and replaces what was built there before when it is complete. Left out: in a
                temporary folder that goes with the index.
            stamp: what the rows were made from; `load_or_build` builds anew where it differs.

        Raises:
            FileError: the folder cannot be written.
            UsageError: a mapping is not a row.
        """
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="studiolo-index-"))
            try:
                index = cls.build(rows, folder, stamp=stamp)
            except BaseException:
                shutil.rmtree(folder)
                raise
            index._remove = weakref.finalize(index, shutil.rmtree, folder, ignore_errors=True)
            return index
        with store.locked(folder):
            return cls(folder, _build(folder, rows, stamp))

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.count

    def row(self, key: str) -> Row | None:
        """Return the row of a key as suggestions read it (title, authors, abstract, notes, categories, date), or None.

        Raises:
            FileError: the index is damaged; it is put aside and built anew next time.
        """
        with self._healing():
            found = self._database.execute(
                f"SELECT {READ} FROM rows WHERE key = ?", (as_text(key),)
            )
            return next(map(row_from, found), None)

    def close(self) -> None:
        """Let go of the files."""
        self._scorer = None
        self._database.close()
        self._remove()

    def search(self, query: str, *, limit: int = 20) -> Found:
        """Find rows by what a person types.

        Words are found in any inflection, with or without accents, the last one also half typed; "…" finds a phrase.
        First come rows that have all words in title or authors (in the order of the words, as they were typed, close
        together, short), then those that have all of them anywhere, stop words not counted; where these are fewer than
        three, rows that have all but one; where there are none, rows that have any. A word that stands nowhere is
        replaced by the most frequent word one edit away, and `Found.says` says so.

        Fields: `author:`, `title:`, `section:`, `note:` (words or "…"), `year:2021`, `year:2019..2021`, `tag:`,
        `state:`, `source:`, `has:`, `list:` (whole values). A `-` before a word or field leaves out what has it. With
        fields alone the newest come first.

        Raises:
            UsageError: a field has no value, or `year:` no year.
            FileError: the index is damaged; it is put aside and built anew next time.
        """
        with self._healing():
            return search(self._database, as_text(query), max(0, limit))

    def suggest(
        self,
        seeds: Iterable[str | Row | Mapping[str, Any]] = (),
        *,
        heading: str | Sequence[str] = (),
        place: Sequence[str] = (),
        lists: Mapping[str, Iterable[str]] | None = None,
        leave_out: Iterable[str] = (),
        not_for_me: Iterable[str | Row | Mapping[str, Any]] = (),
        only: Iterable[str] | None = None,
        since: str = "",
        limit: int = 20,
    ) -> list[Suggestion]:
        """Suggest rows that belong beside the seeds, or under a heading, best first.

        Args:
            seeds: what is there already: keys of rows, or rows from elsewhere (as `build` takes them). Keys that the index
                does not have are passed over; with `lists` they still count there. Seeds are never suggested.
            heading: the section's heading path, outermost first; one text is one heading.
            place: names of the list and its file, outermost first: they count less than any heading, and help where a
                heading says nothing ("2019").
            lists: lists of other people by name, each with its keys.
            leave_out: keys never to be suggested: what one has, passed over or said no to.
            not_for_me: keys or rows that are never suggested, and from three seeds on pull the other way.
            only: if given, the keys to choose from.
            since: ISO 8601: rows with an earlier date, or none, are left out, and so is what `lists` add, which favours
                what has been known for long.
            limit: how many.

        Returns:
            Fewer than `limit` where no more rows share a term; none without a seed and a heading that say something.

        Raises:
            FileError: the index is damaged; it is put aside and built anew next time.
        """
        with self._healing():
            if self._scorer is None:
                self._scorer = Scorer(self._database, self._files, self.count)
            return self._scorer.suggest(
                _seeds(seeds),
                headings=[*_texts(place), *_texts(heading)],
                lists={name: _texts(keys) for name, keys in (lists or {}).items()},
                leave_out=_texts(leave_out),
                not_for_me=_seeds(not_for_me),
                only=None if only is None else _texts(only),
                since=as_text(since),
                limit=limit,
            )

    @contextlib.contextmanager
    def _healing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError as error:
            raise UsageError(f"This index cannot be asked: {error}") from error
        except (sqlite3.DatabaseError, IndexError, OSError) as error:
            store.put_aside(self._folder)
            raise FileError(
                f"The index in {self._folder} is damaged ({error}). It was put aside: the same command builds it anew."
            ) from error


def load_or_build(
    folder: Path, rows: Callable[[], Iterable[Row | Mapping[str, Any]]], *, stamp: str = ""
) -> tuple[Index, str]:
    """Return the index kept in a folder, built if it is missing, damaged, of another version or made of other things.

    Args:
        rows: gives the rows to build from; not called if the index is fresh.
        stamp: says what the rows are made from (e.g. names, sizes and times of files); equal stamps, equal rows.

    Returns:
        The index, and one sentence for the reader where something was wrong with the old one, else "".

    Raises:
        FileError: the folder cannot be written.
    """
    if (index := _load(folder, stamp)[0]) is not None:
        return index, ""
    with store.locked(folder):
        index, why = _load(folder, stamp)  # another process may have built it meanwhile
        if index is not None:
            return index, ""
        try:
            index = Index(folder, _build(folder, rows(), stamp))
        except (sqlite3.OperationalError, OSError) as error:
            raise FileError(f"The index in {folder} cannot be written: {error}.") from error
    return index, f"{why}; it was built anew." if why else ""


def _load(folder: Path, stamp: str) -> tuple[Index | None, str]:
    about, why = store.current(folder)
    if about is None or about["stamp"] != stamp:
        return None, why
    try:
        return Index(folder, about), ""
    except (sqlite3.DatabaseError, OSError):  # replaced by another process just now
        return None, ""


def _build(folder: Path, rows: Iterable[Row | Mapping[str, Any]], stamp: str) -> dict[str, Any]:
    about: dict[str, Any] = {"stamp": stamp}
    with store.building(folder, about) as here, _no_collecting():
        database = sqlite3.connect(here / "text.sqlite", isolation_level=None)
        try:
            database.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE"
            )
            create_tables(database)
            database.execute("BEGIN")
            with Postings(here) as postings:
                for some in _chunks(_once(rows_of(rows))):
                    add_rows(database, some, postings.count)
                    postings.add(some)
                postings.save(database)
            finish_tables(database)
            database.execute("COMMIT")
        finally:
            database.close()
        about["count"] = postings.count
    return about


@contextlib.contextmanager
def _no_collecting() -> Iterator[None]:
    """Let the garbage collector rest: a build makes millions of objects and no circles, and it would look at all of them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _seeds(given: Any) -> list[str | Row]:
    """Return keys and rows as suggestions take them; one alone is a list of one."""
    if given is None or isinstance(given, str | Row | Mapping):
        given = [given]
    found: list[str | Row] = []
    for one in given:
        found += rows_of([one]) if isinstance(one, Row | Mapping) else filter(None, [as_text(one)])
    return found


def _texts(given: Any) -> list[str]:
    """Return texts that can be stored; one alone is a list of one."""
    given = [given] if given is None or isinstance(given, str) else given
    return [text for one in given if (text := as_text(one))]


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _once(rows: Iterator[Row]) -> Iterator[Row]:
    seen: set[str] = set()
    for row in rows:
        if row.key not in seen:
            seen.add(row.key)
            yield row


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(itertools.islice(rows, CHUNK)):
        yield some
