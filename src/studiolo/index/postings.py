"""Which rows hold a term, and how much: built in one streaming pass over the rows and one over its own notes.

The terms of a row stand in four blocks (words, pairs of words, authors, categories), each a vector of length 1 per row:
(1 + ln tf) (ln((1 + N) / (1 + df)) + 1). Postings are stored by term, rows ascending, in two flat files; a third has the
days of all rows.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .rows import Row
from .words import END, PART, fold, is_telling, name_of, tokens


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

WORDS, PAIRS, AUTHORS, CATEGORIES = BLOCKS = range(4)
CHUNK = 4096  # rows of a chunk: 12 bits; with 25 bits for each word of a pair fill an integer
_WORD_BITS = 25
_LOW = (1 << 32) - 1
_PAIR = (1 << 2 * _WORD_BITS) - 1
_FEW_ROWS = 2000
_PART_ROWS = 250_000  # pairs of so many rows are sorted in memory at once


def least_rows(count: int) -> tuple[int, int, int, int]:
    """Return in how many of `count` rows a word, a pair, an author and a category must stand to be a term.

    Among few rows one is enough: seeds may come from elsewhere, and share what only one row has.
    """
    least = 1 if count < _FEW_ROWS else 2
    return (
        min(10, max(least, count // 5000)),
        min(20, max(2, count // 2500)),
        least,
        min(5, max(least, count // 10_000)),
    )


def text_of(row: Row) -> bytes:
    """Return what suggestions read of a row: its title twice, then abstract and notes."""
    title = fold(row.title)
    return b" %b %b %b %b %b %b %b %b" % (
        title, PART, title, PART, fold(row.abstract), PART, fold(row.notes), END
    )  # fmt: skip


class _Names(dict[str, int]):
    """Numbers names as they come; spellings of one name share their number.

    Args:
        named: returns a name as names are compared.
    """

    def __init__(self, named: Callable[[str], str]) -> None:
        super().__init__()
        self._named = named
        self.numbers: dict[str, int] = defaultdict(itertools.count().__next__)

    def __missing__(self, written: str) -> int:
        self[written] = number = self.numbers[self._named(written)]
        return number


class Postings:
    """Collects rows, then writes the postings of all.

    Args:
        folder: an empty folder; spilled notes and the three files are written there.
    """

    def __init__(self, folder: Path) -> None:
        import numpy as np

        self._np = np
        self._folder = folder
        self._words: dict[bytes, int] = defaultdict(itertools.count().__next__)
        self._break = self._words[PART]
        self._end = self._words[END]
        self._telling = np.zeros(0, bool)
        self._named = (_Names(name_of), _Names(str))
        self._frequency = np.zeros(len(self._words), np.int64)
        self._chunks: list[tuple[int, list[int]]] = []
        self._spill: BinaryIO = (folder / "spill").open("w+b")
        self._days: list[int] = []
        self.count = 0

    def __enter__(self) -> Postings:
        return self

    def __exit__(self, *_: object) -> None:
        self._spill.close()
        (self._folder / "spill").unlink()

    def add(self, rows: Sequence[Row]) -> None:
        """Take the next rows, at most CHUNK of them."""
        np = self._np
        self._days += [row.day or 0 for row in rows]
        words, pairs = self._terms([text_of(row) for row in rows])
        self._frequency = _longer(np, self._frequency, len(self._words))
        self._frequency += np.bincount(words[0] & _LOW, minlength=len(self._words))
        sizes = []
        for keys, counts in (words, pairs):
            keys.tofile(self._spill)
            np.minimum(counts, 255).astype(np.uint8).tofile(self._spill)
            sizes.append(len(keys))
        several = ([row.authors for row in rows], [row.categories for row in rows])
        for named, names in zip(self._named, several, strict=True):
            row = np.repeat(np.arange(len(rows)), [len(some) for some in names])
            ids = np.fromiter(
                map(named.__getitem__, itertools.chain.from_iterable(names)), np.int64
            )
            keys = np.unique(row << 32 | ids)
            keys.tofile(self._spill)
            sizes.append(len(keys))
        self._chunks.append((len(rows), sizes))
        self.count += len(rows)

    def _terms(self, texts: list[bytes]) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Return (row and term in one integer, how often) for words and for pairs, ascending by row."""
        np = self._np
        known = len(self._telling)
        found = tokens(b"".join(texts))
        ids = np.fromiter(map(self._words.__getitem__, found), np.int64, len(found))
        new = [is_telling(word) for word in itertools.islice(self._words, known, None)]
        self._telling = np.concatenate([self._telling, np.array(new, bool)])
        row = np.cumsum(ids == self._end)
        telling = self._telling[ids]
        kept = ids[telling]
        words = np.unique(row[telling] << 32 | kept, return_counts=True)
        sequence = telling | (ids == self._break) | (ids == self._end)
        kept, row, telling = ids[sequence], row[sequence], telling[sequence]
        both = telling[:-1] & telling[1:]
        keys = (row[:-1] << _WORD_BITS | kept[:-1]) << _WORD_BITS | kept[1:]
        return words, np.unique(keys[both], return_counts=True)

    def save(self, database: sqlite3.Connection) -> None:
        """Write `docs`, `days` (int32) and `values` (float32) into the folder, terms and words into the database.

        A row without a date has day 0.
        """
        np = self._np
        np.array(self._days or [0], np.int32).tofile(self._folder / "days")
        word_least, pair_least, author_least, category_least = least_rows(self.count)
        pair_keys, pair_frequency = self._pairs_in(pair_least)
        frequencies = [self._frequency, pair_frequency]
        for which, named in enumerate(self._named):
            frequencies.append(self._count_named(2 + which, len(named.numbers)))
        leasts = (word_least, 1, author_least, category_least)
        at: list[Any] = []
        idfs: list[Any] = []
        offset = 0
        for frequency, least in zip(frequencies, leasts, strict=True):
            size = np.where(frequency >= least, frequency, 0)
            ends = offset + np.cumsum(size)
            at.append(np.concatenate([[offset], ends]))
            offset = int(at[-1][-1])
            idfs.append(np.log((1 + self.count) / (1 + frequency)) + 1)
        self._scatter(pair_keys, frequencies, leasts, at, idfs, offset)
        self._save_terms(database, pair_keys, at, idfs)
        self._save_words(database, frequencies)

    def _pairs_in(self, least: int) -> tuple[Any, Any]:
        """Return the pairs that stand in at least so many rows, ascending, and in how many."""
        np = self._np
        may = self._frequency >= least  # both words of a frequent pair are frequent
        parts = 1 + self.count // _PART_ROWS
        found, counts = [], []
        for part in range(parts):
            some = []
            for _, (_, (keys, _), *_) in self._read():
                pair = keys & _PAIR
                first, second = pair >> _WORD_BITS, pair & ((1 << _WORD_BITS) - 1)
                some.append(pair[may[first] & may[second] & (first % parts == part)])
            pairs = np.concatenate(some) if some else np.zeros(0, np.int64)
            pairs.sort()
            starts = np.flatnonzero(np.diff(pairs, prepend=-1))
            lengths = np.diff(starts, append=len(pairs))
            found.append(pairs[starts[lengths >= least]])
            counts.append(lengths[lengths >= least])
        keys = np.concatenate(found)
        order = np.argsort(keys)
        return keys[order], np.concatenate(counts)[order]

    def _count_named(self, block: int, size: int) -> Any:
        np = self._np
        frequency = np.zeros(size, np.int64)
        for _, blocks in self._read():
            frequency += np.bincount(blocks[block][0] & _LOW, minlength=size)
        return frequency

    def _read(self) -> Iterator[tuple[int, list[tuple[Any, Any]]]]:
        """Yield (rows, [(keys, counts) of each block]) of each chunk that was spilled."""
        np = self._np
        self._spill.seek(0)
        for rows, sizes in self._chunks:
            blocks = []
            for block, size in enumerate(sizes):
                keys = np.fromfile(self._spill, np.int64, size)
                counts = np.fromfile(self._spill, np.uint8, size) if block < 2 else None
                blocks.append((keys, counts))
            yield rows, blocks

    def _scatter(
        self,
        pair_keys: Any,
        frequencies: list[Any],
        leasts: Sequence[int],
        at: list[Any],
        idfs: list[Any],
        size: int,
    ) -> None:
        np = self._np
        docs = np.memmap(self._folder / "docs", np.int32, "w+", shape=(max(1, size),))
        values = np.memmap(self._folder / "values", np.float32, "w+", shape=(max(1, size),))
        log_counts = 1 + np.log(np.maximum(1, np.arange(256)))
        following = [ends[:-1].copy() for ends in at]
        first = 0
        for rows, blocks in self._read():
            for block, (keys, counts) in enumerate(blocks):
                if block == PAIRS:
                    row, pair = keys >> 2 * _WORD_BITS, keys & _PAIR
                    term = np.searchsorted(pair_keys, pair)
                    there = term < len(pair_keys)
                    there[there] = pair_keys[term[there]] == pair[there]
                else:
                    row, term = keys >> 32, keys & _LOW
                    there = frequencies[block][term] >= leasts[block]
                # term, row and count in one integer: sorting it is several times faster than an argsort
                keys = (
                    term[there] << 21 | row[there] << 8 | (1 if counts is None else counts[there])
                )
                keys.sort()
                term, row = keys >> 21, keys >> 8 & (CHUNK - 1)
                weight = idfs[block][term] * log_counts[keys & 255]
                norm = np.sqrt(np.bincount(row, weight * weight, rows))
                starts = np.flatnonzero(np.diff(term, prepend=-1))
                lengths = np.diff(starts, append=len(term))
                within = np.arange(len(term)) - np.repeat(starts, lengths)
                target = following[block][term] + within
                docs[target] = first + row
                values[target] = weight / norm[row]
                following[block][term[starts]] += lengths
            first += rows
        docs.flush()
        values.flush()

    def _save_terms(
        self, database: sqlite3.Connection, pair_keys: Any, at: list[Any], idfs: list[Any]
    ) -> None:
        words = [word.decode("utf-8", "replace") for word in self._words]
        mask = (1 << _WORD_BITS) - 1
        pairs = [
            f"{words[a]} {words[b]}"
            for a, b in zip(
                (pair_keys >> _WORD_BITS).tolist(), (pair_keys & mask).tolist(), strict=True
            )
        ]
        names: list[Iterable[str]] = [words, pairs, *(named.numbers for named in self._named)]
        database.execute(
            "CREATE TABLE terms (block INTEGER, term TEXT, idf REAL, start INTEGER, stop INTEGER, PRIMARY KEY (block, term)) WITHOUT ROWID"
        )
        for block in BLOCKS:
            starts, stops = at[block][:-1].tolist(), at[block][1:].tolist()
            rows = zip(
                itertools.repeat(block),
                names[block],
                idfs[block].tolist(),
                starts,
                stops,
                strict=False,
            )
            database.executemany(
                "INSERT OR IGNORE INTO terms VALUES (?, ?, ?, ?, ?)",
                sorted(row for row in rows if row[4] > row[3]),
            )

    def _save_words(self, database: sqlite3.Connection, frequencies: list[Any]) -> None:
        """Write all words with their rows, those of authors' names among them: what a mistyped word may have meant."""
        counts: Counter[str] = Counter()
        for word, count in zip(self._words, self._frequency.tolist(), strict=True):
            if count and not word.isdigit():
                counts[word.decode("utf-8", "replace")] = count
        for name, count in zip(self._named[0].numbers, frequencies[AUTHORS].tolist(), strict=True):
            for part in name.split():
                counts[part] += count
        least = 1 if self.count < 20_000 else 2
        database.execute("CREATE TABLE words (word TEXT PRIMARY KEY, rows INTEGER) WITHOUT ROWID")
        database.executemany(
            "INSERT INTO words VALUES (?, ?)",
            sorted(
                (word, count) for word, count in counts.items() if count >= least and len(word) > 1
            ),
        )


def _longer(np: Any, values: Any, size: int) -> Any:
    return np.concatenate([values, np.zeros(size - len(values), values.dtype)])
