"""Which rows belong beside some rows and under a heading, and why.

The score of a row is a sum over terms, so the reasons shown are the whole reason:

    score(row) = sum over blocks of weight x cosine(query, row)

The query is the mean of the seeds' vectors, of length 1 in each block, and a small vector of the heading's words. The
sum counts up to half as much again for rows of the seeds' time. What other people's lists say is added.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from studiolo.errors import UsageError

from .query import JOINT
from .ranking import Ranking
from .rows import Row, day_of
from .searching import READ, SHOWN, row_from, split_names
from .vectors import (
    HEADING_WEIGHT,
    Reason,
    Term,
    Weights,
    heading_vector,
    mean_vector,
    reasons_of,
    telling,
    terms_in,
    terms_of_headings,
    weighed,
)
from .words import heading_words, name_of


if TYPE_CHECKING:
    from mmap import mmap as Buffer

    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float32]

NOT_FOR_ME, SURE = 0.15, 3  # what was said no to, from so many seeds on: beside fewer it does harm
CLOSE, YEARS = (
    0.5,
    2 * 365.25,
)  # what the seeds' time adds at most; so many days from a seed it is half of that
_FAR = 15 * 366  # days from all seeds, beyond which all is equally far
SHARED, POPULAR = 0.3, 0.05  # of other people's lists
FEEDBACK = 20  # best rows of a search for the heading, taken for seeds where there are none
_KEPT = ((4, 150), (10, 300), (20, 400))  # below so many seeds, so many terms are kept
_KEPT_OF_MANY = 600
_AT_ONCE = 500  # values of one SQL statement
_ROWS_OF_A_PIECE = 128  # of which the best is looked at first
_PIECE = 1 << 15  # postings that are added at once: they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A row that may belong there.

    Attributes:
        key: of the row.
        title: of the row.
        score: larger is better; comparable within one answer.
        reasons: all terms that count, largest share first; the shares add up to 1.
        lists: names of the lists that have it.
        authors, date, place, url: of the row.
    """

    key: str
    title: str
    score: float
    reasons: tuple[Reason, ...]
    lists: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    date: str = ""
    place: str = ""
    url: str = ""

    def shown(self, count: int = 3) -> tuple[Reason, ...]:
        """Return the words and pairs that say most, at most `count`; no word that a pair before it has already."""
        return telling(self.reasons, count)

    def named(self, kind: str, count: int = 2) -> tuple[Reason, ...]:
        """Return the "author"s or "category"s that say most, at most `count`; authors as the row writes them."""
        names = {name_of(name): name for name in self.authors}
        found = [reason for reason in self.reasons if reason.kind == kind][:count]
        return tuple(replace(one, term=names.get(one.term, one.term)) for one in found)


class _Slot(NamedTuple):
    """Where the postings of a term lie."""

    idf: float
    start: int
    stop: int


class Scorer:
    """Suggests from the rows of one index."""

    def __init__(
        self, database: sqlite3.Connection, files: Sequence[Buffer], count: int, ranking: Ranking
    ) -> None:
        import numpy as np

        self._np = np
        self._ranking = ranking
        self._database = database
        self._count = count
        docs, values, _, days, _ = files
        self._docs: NDArray[np.int32] = np.frombuffer(docs, np.int32)
        self._values: NDArray[np.float32] = np.frombuffer(values, np.float32)
        self._days: NDArray[np.int32] = np.frombuffer(days, np.int32)[:count]
        self._undated = np.flatnonzero(self._days == 0)

    def suggest(
        self,
        seeds: Sequence[str | Row],
        *,
        headings: Sequence[str],
        lists: Mapping[str, Iterable[str]],
        leave_out: Iterable[str],
        not_for_me: Sequence[str | Row],
        only: Iterable[str] | None,
        since: str,
        limit: int,
    ) -> list[Suggestion]:
        """Suggest; see `Index.suggest`."""
        np = self._np
        earliest = day_of(since) if since else 0
        if earliest is None:
            raise UsageError(f"{since!r} is not a date. Write 2024, 2024-05 or 2024-05-01.")
        seed_keys = {seed if isinstance(seed, str) else seed.key for seed in seeds}
        seed_rows = self._rows(seeds)
        slots: dict[Term, _Slot] = {}
        found: Scores | None = None
        if seed_rows:
            weights = self._like(seed_rows, slots)
            for term, weight in self._of_headings(headings, slots).items():
                weights[term] = weights.get(term, 0.0) + HEADING_WEIGHT * weight / math.sqrt(
                    len(seed_rows)
                )
        else:
            found, best = self._search(headings)
            weights = self._like(self._rows_at(best), slots)
        if len(seed_rows) >= SURE:
            for term, weight in self._like(self._rows(not_for_me), slots).items():
                weights[term] = weights.get(term, 0.0) - NOT_FOR_ME * weight
        weights = _largest(weights, len(seed_rows))
        scores = self._score(weights, slots)
        if found is not None and self._count:
            scores = 0.5 * found / (found.max() or 1) + 0.5 * scores / (scores.max() or 1)
        if seed_days := [day for row in seed_rows if (day := row.day)]:
            scores *= self._closeness(seed_days)
        on_lists = self._add_lists(scores, seed_keys, lists) if lists and not since else {}
        scores[self._numbers({*seed_keys, *leave_out, *self._keys(not_for_me)})] = 0
        if only is not None:
            allowed = np.zeros(self._count, bool)
            allowed[self._numbers(only)] = True
            scores[~allowed] = 0
        if earliest:
            scores[self._days < earliest] = 0
        return self._explained(self._best(scores, limit), scores, weights, slots, on_lists)

    # what is asked for

    def _like(self, rows: Sequence[Row], slots: dict[Term, _Slot]) -> Weights:
        """Return the mean of the rows' vectors with the weights of the blocks, and note where the terms lie."""
        counted = [terms_in(row) for row in rows]
        wanted = {term for counts in counted for term in counts}
        return weighed(mean_vector(counted, self._idf_of(wanted, slots)))

    def _of_headings(self, headings: Sequence[str], slots: dict[Term, _Slot]) -> Weights:
        """Return the vector of a heading path, outermost first, of length 1, and note where its terms lie."""
        terms = terms_of_headings(headings)
        return heading_vector(terms, self._idf_of(terms, slots))

    def _search(self, headings: Sequence[str]) -> tuple[Scores, list[int]]:
        """Return what BM25 gives each row for the headings' words in any inflection, and its best rows."""
        scores: Scores = self._np.zeros(self._count, self._np.float32)
        words = dict.fromkeys(word for heading in headings for word in heading_words(heading))
        rare = [f'"{word}"' for word in words if not self._ranking.add_word(scores, word)]
        if rare:  # words of too few rows to be terms
            expression = f"{{title abstract notes}} : ({' OR '.join(rare)})"
            sql = "SELECT rowid, -rank FROM fts WHERE fts MATCH ?"
            for number, rank in self._database.execute(sql, (expression,)):
                scores[number] += rank
        return scores, self._best(scores, FEEDBACK)

    # rows and keys

    def _select(self, sql: str, values: Iterable[Any], *before: Any) -> Iterator[Any]:
        """Yield what SQL says of many values; `?*` in it stands for some of them."""
        values = list(values)
        for first in range(0, len(values), _AT_ONCE):
            some = values[first : first + _AT_ONCE]
            yield from self._database.execute(
                sql.replace("?*", ",".join("?" * len(some))), (*before, *some)
            )

    def _idf_of(self, terms: Iterable[Term], slots: dict[Term, _Slot]) -> dict[Term, float]:
        """Return the idf of the terms that the index has, and note where they lie."""
        by_block: dict[int, list[str]] = defaultdict(list)
        for block, term in terms:
            by_block[block].append(term)
        idf: dict[Term, float] = {}
        sql = "SELECT term, idf, start, stop FROM terms WHERE block = ? AND term IN (?*)"
        for block, names in by_block.items():
            for name, *slot in self._select(sql, names, block):
                slots[block, name] = _Slot(*slot)
                idf[block, name] = slot[0]
        return idf

    def _rows(self, seeds: Iterable[str | Row]) -> list[Row]:
        seeds = list(seeds)
        keys = [seed for seed in seeds if isinstance(seed, str)]
        return [seed for seed in seeds if isinstance(seed, Row)] + self._rows_at(
            self._numbers(keys)
        )

    def _rows_at(self, numbers: Iterable[int]) -> list[Row]:
        sql = f"SELECT {READ} FROM rows WHERE id IN (?*)"
        return [row_from(found) for found in self._select(sql, numbers)]

    def _keys(self, seeds: Iterable[str | Row]) -> set[str]:
        return {seed if isinstance(seed, str) else seed.key for seed in seeds}

    def _numbers(self, keys: Iterable[str]) -> list[int]:
        return [number for (number,) in self._select("SELECT id FROM rows WHERE key IN (?*)", keys)]

    # scores

    def _score(self, weights: Weights, slots: Mapping[Term, _Slot]) -> Scores:
        """Return the sum over terms for each row: exact, term by term in their order."""
        np = self._np
        scores: Scores = np.zeros(self._count, np.float32)
        # `add.at` is quick where the places are of the machine's own size
        places, values = np.empty(_PIECE, np.intp), np.empty(_PIECE, np.float32)
        for term, weight in weights.items():
            stop = slots[term].stop
            for first in range(slots[term].start, stop, _PIECE):
                part = slice(first, min(first + _PIECE, stop))
                size = part.stop - first
                places[:size] = self._docs[part]
                np.multiply(self._values[part], np.float32(weight), out=values[:size])
                np.add.at(scores, places[:size], values[:size])
        return scores

    def _places(self, starts: Any, stops: Any, wanted: Any) -> Any:
        """Return terms x rows: where the posting of a row lies among those of a term, or -1; all in one binary search."""
        np = self._np
        low = np.repeat(starts[:, None], len(wanted), axis=1)
        stops = stops[:, None]
        step = 1 << int((stops - starts[:, None]).max(initial=0)).bit_length()
        while step := step >> 1:
            # rows before low + step are smaller than the wanted one
            ahead = np.minimum(low + step, stops)
            low = np.where(self._docs[ahead - 1] < wanted, ahead, low)
        there = low < stops
        there &= self._docs[np.minimum(low, stops - 1)] == wanted
        return np.where(there, low, -1)

    def _closeness(self, seed_days: Sequence[int]) -> Scores:
        """Return what each row counts for its time: 1 + CLOSE x the mean over seeds of 1 / (1 + (distance / 2 years)²).

        A row without a date counts as much as rows do on average.
        """
        np = self._np
        first, last = min(seed_days) - _FAR, max(seed_days) + _FAR
        days = np.arange(first, last + 1, dtype=np.float32)
        near = np.mean([1 / (1 + ((days - day) / YEARS) ** 2) for day in seed_days], axis=0)
        places = np.clip(self._days, first, last)
        places -= first
        found: Scores = (1 + CLOSE * near).astype(np.float32)[places]
        if 0 < len(self._undated) < self._count:
            found[self._undated] = np.delete(found, self._undated).mean()
        return found

    def _add_lists(
        self, scores: Scores, seed_keys: set[str], lists: Mapping[str, Iterable[str]]
    ) -> dict[int, list[str]]:
        """Add what lists say: those that have seeds, and how many have a row. Return the names of a row's lists."""
        found: dict[int, list[str]] = defaultdict(list)
        shared: dict[int, float] = defaultdict(float)
        for name, keys in lists.items():
            keys = set(keys)
            common = len(keys & seed_keys)
            for number in self._numbers(keys):
                found[number].append(name)
                if common:
                    shared[number] += SHARED * common / (len(seed_keys) * math.sqrt(len(keys)))
        for number, names in found.items():
            scores[number] += shared[number] + POPULAR * math.log1p(len(names))
        return found

    def _best(self, scores: Scores, limit: int) -> list[int]:
        np = self._np
        limit = min(limit, self._count)
        if limit <= 0:
            return []
        # as many rows as are wanted have at least what the last of the best pieces has in one row: far fewer are put in order
        tops = np.maximum.reduceat(scores, np.arange(0, self._count, _ROWS_OF_A_PIECE))
        enough = len(tops) - limit
        least = np.partition(tops, enough)[enough] if enough >= 0 else 0
        some = np.flatnonzero(scores >= max(least, np.float32(1e-9)))
        order = np.lexsort((some, -scores[some]))[:limit]
        return [int(number) for number in some[order]]

    def _explained(
        self,
        best: list[int],
        scores: Scores,
        weights: Weights,
        slots: Mapping[Term, _Slot],
        lists: Mapping[int, list[str]],
    ) -> list[Suggestion]:
        np = self._np
        terms = list(weights)
        starts, stops = (
            np.array([getattr(slots[term], end) for term in terms], np.int64)
            for end in ("start", "stop")
        )
        places = self._places(starts, stops, np.array(best, np.int32))
        parts: dict[int, list[tuple[float, Term]]] = defaultdict(list)
        which, whose = np.nonzero(places >= 0)
        values = self._values[places[which, whose]]
        for term, row, value in zip(which.tolist(), whose.tolist(), values.tolist(), strict=True):
            parts[best[row]].append((weights[terms[term]] * value, terms[term]))
        sql = f"SELECT id, {SHOWN} FROM rows WHERE id IN (?*)"
        shown = {number: row for number, *row in self._select(sql, best)}
        found = []
        for number in best:
            key, title, authors, date, place, url = shown[number]
            found.append(
                Suggestion(
                    key=key,
                    title=title.replace(JOINT, ""),
                    score=float(scores[number]),
                    reasons=reasons_of(parts[number]),
                    lists=tuple(lists.get(number, ())),
                    authors=split_names(authors),
                    date=date,
                    place=place,
                    url=url,
                )
            )
        return found


def _largest(weights: Weights, seeds: int) -> Weights:
    """Return the terms that weigh most: few seeds say little, and what they say by the way is noise."""
    kept = next((kept for below, kept in _KEPT if seeds < below), _KEPT_OF_MANY)
    return dict(sorted(weights.items(), key=lambda item: (-abs(item[1]), item[0]))[:kept])
