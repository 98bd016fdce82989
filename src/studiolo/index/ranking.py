"""What BM25 gives a row for words, from the postings of suggestions.

FTS5's own `bm25` reads every row of each word to count them, even where two rows have all words: among 100,000 rows that
is most of what a search takes. Postings know these counts. Words that they do not have (of too few rows, or of names and
sections) are looked up in FTS5.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from .postings import WORDS
from .query import Word, fts
from .words import fold, is_telling, says_nothing, tokens


if TYPE_CHECKING:
    from mmap import mmap as Buffer

    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int32]
    Scores = NDArray[np.float32]

K1, B = 1.2, 0.75
# what a word counts in columns that postings do not have or know, as `searching` weighs them
_OF_A_NAME, _OF_A_TITLE = 5.0, 10.0
_NAMED = 1.2  # with so many times the rows of its postings a word is a name too


class Ranking:
    """Ranks rows of one index by BM25."""

    def __init__(self, database: sqlite3.Connection, files: Sequence[Buffer], count: int) -> None:
        import numpy as np

        docs, _, counts, _, lengths = files
        self._np = np
        self._database = database
        self._slots_of = lru_cache(maxsize=1 << 8)(
            self._slots
        )  # one search asks for a word several times
        self._count = count
        self._docs: NDArray[np.int32] = np.frombuffer(docs, np.int32)
        self._counts: NDArray[np.uint8] = np.frombuffer(counts, np.uint8)
        self._lengths: NDArray[np.int32] = np.frombuffer(lengths, np.int32)[:count]

    def best(
        self, rows: Rows, words: Sequence[Word], limit: int, *, is_open: bool, have_all: bool
    ) -> list[tuple[int, float]]:
        """Return the best of some rows and what BM25 gives them; earlier rows come first where that is equal.

        Args:
            rows: their numbers, ascending.
            words: as they were typed.
            is_open: the last word may be half typed.
            have_all: all rows have all words, if only in columns that postings do not read.
        """
        if not len(rows):
            return []
        np = self._np
        scores: Scores = np.zeros(len(rows), np.float32)
        for number, word in enumerate(words):
            if says_nothing(word.text):
                continue
            counts, have = self._in(rows, word, is_open=is_open and number == len(words) - 1)
            if have_all:
                counts[counts == 0] = _OF_A_NAME
            scores += self._idf(have) * self._saturated(rows, counts)
        order = np.lexsort((rows, -scores))[:limit]
        return list(zip(rows[order].tolist(), scores[order].tolist(), strict=True))

    def without(self, rows: Rows, others: Collection[int]) -> Rows:
        """Return rows but some."""
        found: Rows = rows[~self._np.isin(rows, list(others))] if others else rows
        return found

    def add_word(self, scores: Scores, word: str) -> bool:
        """Add what a word, in any inflection, gives to each row of the index; return whether postings have it."""
        slots = self._slots_of(f'"{word}"')
        if not slots:
            return False
        if len(slots) == 1:
            [(start, stop)] = slots
            rows: Any
            rows, counts = self._docs[start:stop], self._counts[start:stop].astype(self._np.float32)
        else:
            together = self._everywhere(slots)
            rows = self._np.flatnonzero(together)
            counts = together[rows]
        scores[rows] += self._idf(len(rows)) * self._saturated(rows, counts)
        return True

    def _idf(self, have: int) -> Any:
        idf = math.log((self._count - have + 0.5) / (have + 0.5))
        return self._np.float32(max(idf, 1e-6))

    def _saturated(self, rows: Any, counts: Any) -> Any:
        return counts * (K1 + 1) / (counts + self._length_factors[rows])

    @cached_property
    def _length_factors(self) -> Scores:
        """What makes a word count less in a row that is longer than others."""
        mean = self._lengths.mean() or 1.0
        factors: Scores = (K1 * (1 - B + B / mean * self._lengths)).astype(self._np.float32)
        return factors

    def _in(self, rows: Rows, word: Word, *, is_open: bool) -> tuple[Scores, int]:
        """Return how much each of the rows has of a word, and how many of all rows have it."""
        np = self._np
        several = [token.decode() for token in tokens(fold(word.text)) if is_telling(token)]
        found: Scores | None = None
        have = 0
        for number, token in enumerate(several):
            last = is_open and number == len(several) - 1
            slots = self._slots_of(f'"{token}"{"*" if last else ""}')
            if not slots:
                continue
            here = self._counted(slots, rows)
            # a phrase stands at most as often as any of its words
            found = here if found is None else np.minimum(found, here)
            size = min(sum(stop - start for start, stop in slots), self._count)
            have = min(have, size) if have else size
        if found is not None and not self._is_name(several, have):
            return found, have
        expression = fts(word, as_prefix=is_open)
        where = self._matching("fts", expression)
        here = _at(np, where, np.ones(len(where), np.float32), rows)
        for column, counts in (("authors", _OF_A_NAME), ("title", _OF_A_TITLE)):
            some = self._matching("titles", f"{column} : ({expression})")
            here = np.maximum(here, _at(np, some, np.full(len(some), counts, np.float32), rows))
        return here if found is None else np.maximum(found, here), len(where)

    def _is_name(self, several: Sequence[str], have: int) -> bool:
        """Return whether many more rows have a word than its postings say."""
        if len(several) > 1:
            return False
        sql = "SELECT rows FROM words WHERE word = ?"
        [known] = self._database.execute(sql, several).fetchone() or (0,)
        return bool(known > _NAMED * have)

    def _matching(self, table: str, expression: str) -> Rows:
        sql = f"SELECT group_concat(rowid) FROM {table} WHERE {table} MATCH ?"
        return numbers_in(self._database.execute(sql, (expression,)))

    def _slots(self, expression: str) -> list[tuple[int, int]]:
        """Return where the postings of the words that match lie."""
        sql = "SELECT start, stop FROM stems JOIN terms ON block = ? AND term = word WHERE stems MATCH ?"
        return self._database.execute(sql, (WORDS, expression)).fetchall()

    def _counted(self, slots: Sequence[tuple[int, int]], rows: Rows) -> Scores:
        """Return how often some rows have words, by the weights of the columns."""
        if len(slots) * len(rows) > self._count:
            together: Scores = self._everywhere(slots)[rows]
            return together
        found: Scores = self._np.zeros(len(rows), self._np.float32)
        for start, stop in slots:
            found += _at(self._np, self._docs[start:stop], self._counts[start:stop], rows)
        return found

    def _everywhere(self, slots: Sequence[tuple[int, int]]) -> Scores:
        """Return how often each row of the index has words."""
        together: Scores = self._np.zeros(self._count, self._np.float32)
        for start, stop in slots:
            together[self._docs[start:stop]] += self._counts[start:stop]
        return together


def numbers_in(found: sqlite3.Cursor) -> Rows:
    """Return the numbers of the one text `group_concat` that was asked for, ascending: far quicker than as many rows."""
    import numpy as np

    [text] = found.fetchone()
    rows: Rows = np.fromstring(text or "", np.int32, sep=",")
    rows.sort()
    return rows


def _at(np: Any, where: Any, counts: Any, rows: Any) -> Any:
    """Return the counts of some rows, 0 of those that are not there."""
    if not len(where):
        return np.zeros(len(rows), np.float32)
    places = np.minimum(np.searchsorted(where, rows), len(where) - 1)
    return np.where(where[places] == rows, counts[places], np.float32(0))
