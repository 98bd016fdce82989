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
from .arguments import folder_of, keys_of, limit_of, lists_of, query_of, seeds_of, texts_of
from .postings import CHUNK, Postings
from .ranking import Ranking
from .rows import Row, as_text, rows_of
from .searching import (
    FEW_ROWS,
    READ,
    Found,
    add_rows,
    create_tables,
    finish_tables,
    row_from,
    search,
)
from .suggesting import Scorer, Suggestion


class Index:
    """Rows that can be searched, and from which rows like others are suggested.

    Made by `Index.build` or `load_or_build`. It may be used by several threads, and is closed with `close` or `with`.
    The same rows give the same answers, in the same order, whatever the machine.

    >>> rows = [
    ...     {"key": "a", "title": "Softmax attention", "abstract": "Kernels for attention.", "date": "2017-06"},
    ...     {"key": "b", "title": "Linear attention", "abstract": "Kernels without softmax.", "date": "2020-09"},
    ...     {"key": "c", "title": "Causal inference", "abstract": "What would have been.", "date": "2009"},
    ... ]
    >>> with Index.build(rows) as index:
    ...     print(*(hit.key for hit in index.search("linear atten").hits))
    ...     print(*(one.key for one in index.suggest(["a"])))
    ...     print(*(one.key for one in index.suggest(heading=["Statistics", "Causal Inference"])))
    ...     print(*(one.lists for one in index.suggest(["a"], lists={"ada/list": ["a", "b"]})))
    b
    b
    c
    ('ada/list',)
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
        self._ranking: Ranking | None = None

    @classmethod
    def build(
        cls, rows: Iterable[Row | Mapping[str, Any]], folder: Path | None = None, *, stamp: str = ""
    ) -> Index:
        """Build an index, streaming: a million rows take less than 2 GB of memory.

        Args:
            rows: `Row`s, or mappings with the fields of `Row`, of which only `key` is needed, as any iterable, read once. Of
                rows with one key the first counts. The order matters only where scores are equal: earlier rows come first.
            folder: where it is kept, and replaces what was built there before when it is complete. Left out: in a
                temporary folder that goes with the index.
            stamp: what the rows were made from; `load_or_build` builds anew where it differs.

        Raises:
            FileError: the folder cannot be written.
            UsageError: a mapping is not a row: it has no key, or a field that rows do not have.
        """
        if folder is not None:
            folder = folder_of(folder)
        else:
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
        self._scorer = self._ranking = None
        self._database.close()
        self._remove()

    def search(self, query: str, *, limit: int = 20) -> Found:
        """Find rows by what a person types.

        Words are found in any inflection, with or without accents, the last one also half typed; "…" finds a phrase.
        First come rows that have all words in title or authors (in the order of the words, as they were typed, close
        together, short), then those that have all of them anywhere, stop words not counted; where these are fewer than
        three, rows that have all but one; where there are none, rows that have any. A word that stands nowhere is
        replaced by the most frequent word one edit away, and `Found.says` says so. A last word of one or two letters is
        taken for the beginning of a word in titles and authors only.

        Fields: `author:`, `title:`, `section:`, `note:` (words or "…"), `year:2021`, `year:2019..2021`, `tag:`,
        `state:`, `source:`, `has:`, `list:`, `key:` (whole values; of `list:` also the name of the file). `section:` takes
        a path of headings too, "To Review > Theory". A `-` before a word or field leaves out what has it. With fields
        alone the newest come first. At most 32 words and 32 fields are read.

        Args:
            query: what was typed. An empty one finds nothing, and says so.
            limit: how many hits at most.

        Returns:
            `Found`: `hits`, best first, each with `key`, `title`, `score`, a `snippet` and whether it has "all" words or
            "some"; and `says`, sentences for the reader.

        Raises:
            UsageError: a field has no value, `year:` no year, or the query is not a text, the limit not a whole number.
            FileError: the index is damaged; it is put aside and built anew next time.
        """
        with self._healing():
            ranking = self._ranked() if self.count > FEW_ROWS else None
            return search(self._database, query_of(query), limit_of(limit), ranking)

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
            lists: lists of other people: a mapping from the name of each to the keys that stand on it, in any order,
                `{"owner/name": ["arxiv:2105.03824", …]}`. Keys that the index does not have count as seeds and for the size
                of a list.
            leave_out: keys never to be suggested: what one has, passed over or said no to.
            not_for_me: keys or rows that are never suggested, and from three seeds on pull the other way.
            only: if given, the keys to choose from.
            since: ISO 8601, `2024`, `2024-05` or `2024-05-01`: rows with an earlier date, or none, are left out, and so is what `lists` add, which favours
                what has been known for long.
            limit: how many at most.

        Returns:
            `Suggestion`s, each with `key`, `title`, `score`, `reasons` (terms with their shares of the score, from 0 to 1) and
            the `lists` that have it. Fewer than `limit` where no more rows share a term; none without a seed and a heading
            that say something (stop words, years and words such as "papers" say nothing).

        Raises:
            UsageError: an argument is of another type than is said here, or `since` is not a date.
            FileError: the index is damaged; it is put aside and built anew next time.
        """
        with self._healing():
            if self._scorer is None:
                ranking = self._ranked()
                self._scorer = Scorer(self._database, self._files, self.count, ranking)
            return self._scorer.suggest(
                seeds_of(seeds, "seeds"),
                headings=[*texts_of(place, "place"), *texts_of(heading, "heading")],
                lists=lists_of(lists),
                leave_out=keys_of(leave_out, "leave_out"),
                not_for_me=seeds_of(not_for_me, "not_for_me"),
                only=None if only is None else keys_of(only, "only"),
                since=as_text(since),
                limit=limit_of(limit),
            )

    def _ranked(self) -> Ranking:
        """Return what ranks rows by BM25, made when it is first needed: it loads numpy."""
        if self._ranking is None:
            self._ranking = Ranking(self._database, self._files, self.count)
        return self._ranking

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
