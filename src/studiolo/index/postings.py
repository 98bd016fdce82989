"""Which rows hold a term, and how much: built in one streaming pass over the rows and one over its own notes.

The terms of a row stand in four blocks (words, pairs of words, authors, categories), each a vector of length 1 per row:
(1 + ln tf) (ln((1 + N) / (1 + df)) + 1). Postings are stored by term, rows ascending, in flat files: rows, values, and for
words what they count in BM25. Two more have the days and the lengths of all rows.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .numbering import Numbering
from .query import TOKENIZE
from .rows import Row
from .words import END, PART, fold, is_telling, name_of


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

WORDS, PAIRS, AUTHORS, CATEGORIES = BLOCKS = range(4)
# a row of a chunk and both words of a pair fill an integer
_ROW_BITS, _WORD_BITS = 12, 25
CHUNK = 1 << _ROW_BITS
_WORD = (1 << _WORD_BITS) - 1
_FEW_ROWS = 2000
_COUNTED = (2, 1, 0, 0)  # arrays beside the keys of a block
_WEIGHT_BITS = 4
# of the title, the title again, the abstract, the notes: as search weighs these columns
_COLUMN_WEIGHTS = (10, 0, 1, 2)
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
        folder: an empty folder; spilled notes and the files are written there.
    """

    def __init__(self, folder: Path) -> None:
        import numpy as np

        self._np = np
        self._folder = folder
        self._numbering = Numbering()
        self._words = self._numbering.words
        self._break = self._words[PART]
        self._end = self._words[END]
        self._telling = np.zeros(0, bool)
        self._named = (_Names(name_of), _Names(str))
        self._frequencies = [np.zeros(0, np.int64) for _ in BLOCKS]  # of pairs: none yet
        self._chunks: list[tuple[int, list[tuple[int, int]]]] = []
        self._spill: BinaryIO = (folder / "spill").open("w+b")
        self._days: list[int] = []
        self._lengths: list[Any] = []
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
        blocks = self._terms([text_of(row) for row in rows])
        several = ([row.authors for row in rows], [row.categories for row in rows])
        for named, names in zip(self._named, several, strict=True):
            row = np.repeat(np.arange(len(rows)), [len(some) for some in names])
            ids = np.fromiter(
                map(named.__getitem__, itertools.chain.from_iterable(names)), np.int64
            )
            blocks.append((np.unique(ids << _ROW_BITS | row),))
        spilled = []
        for block, (keys, *counted) in enumerate(blocks):
            if block != PAIRS:
                here = np.bincount(keys >> _ROW_BITS)
                here[: len(self._frequencies[block])] += self._frequencies[block][: len(here)]
                self._frequencies[block] = np.concatenate(
                    [here, self._frequencies[block][len(here) :]]
                )
            spilled.append((self._spill.tell(), len(keys)))
            keys.tofile(self._spill)
            for counts in counted:
                np.minimum(counts, 255).astype(np.uint8).tofile(self._spill)
        self._chunks.append((len(rows), spilled))
        self.count += len(rows)

    def _terms(self, texts: list[bytes]) -> list[tuple[Any, ...]]:
        """Return (term and row in one integer, how often) for words and for pairs, ascending, and what words count in BM25."""
        np = self._np
        known = len(self._telling)
        ids = self._numbering.number(b"".join(texts))
        new = [is_telling(word) for word in itertools.islice(self._words, known, None)]
        self._telling = np.concatenate([self._telling, np.array(new, bool)])
        ends, breaks = ids == self._end, ids == self._break
        row = np.cumsum(ends)
        weight = np.array(_COLUMN_WEIGHTS)[np.cumsum(breaks) - (len(_COLUMN_WEIGHTS) - 1) * row]
        words = np.flatnonzero((weight > 0) & ~ends & ~breaks)
        self._lengths.append(np.bincount(row[words], minlength=len(texts)).astype(np.int32))
        telling = self._telling[ids]
        words = (ids[telling].astype(np.int64) << _ROW_BITS | row[telling]) << _WEIGHT_BITS
        words |= weight[telling]
        words.sort()
        keys = words >> _WEIGHT_BITS
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(starts, append=len(keys))
        weights = np.add.reduceat(words - (keys << _WEIGHT_BITS), starts) if len(keys) else keys
        sequence = telling | breaks | ends
        kept, row, telling = ids[sequence].astype(np.int64), row[sequence], telling[sequence]
        both = np.flatnonzero(telling[:-1] & telling[1:])
        pairs = (kept[both] << _WORD_BITS | kept[both + 1]) << _ROW_BITS | row[both]
        return [(keys[starts], counts, weights), _counted(np, pairs)]

    def save(self, database: sqlite3.Connection) -> None:
        """Write the files into the folder, terms and words into the database.

        Of each posting `docs` (int32) has the row, `values` (float32) the weight, `counts` (uint8, of words only) what BM25
        counts, of each row `days` (int32) its day, 0 if it has no date, and `lengths` (int32) its number of words.
        """
        np = self._np
        np.array(self._days or [0], np.int32).tofile(self._folder / "days")
        lengths = np.concatenate(self._lengths or [np.zeros(1, np.int32)])
        lengths.tofile(self._folder / "lengths")
        least = least_rows(self.count)
        pairs, self._frequencies[PAIRS] = self._pairs_in(least[PAIRS])
        at: list[Any] = []
        idfs: list[Any] = []
        offset = 0
        for frequency, few in zip(self._frequencies, least, strict=True):
            ends = offset + np.cumsum(np.where(frequency >= few, frequency, 0))
            at.append(np.concatenate([[offset], ends]))
            offset = int(at[-1][-1])
            idfs.append(np.log((1 + self.count) / (1 + frequency)) + 1)
        self._scatter(pairs, at, idfs, offset)
        self._save_terms(database, pairs, at, idfs)
        self._save_words(database)

    def _pairs_in(self, least: int) -> tuple[Any, Any]:
        """Return the pairs that stand in at least so many rows, ascending, and in how many."""
        np = self._np
        may = self._frequencies[WORDS] >= least  # both words of a frequent pair are frequent
        parts = 1 + self.count // _PART_ROWS
        # by first words, so that the parts are of one size: the first words that come are the frequent ones
        ends = np.cumsum(self._frequencies[WORDS])
        shares = np.arange(1, parts) / parts * (ends[-1] if len(ends) else 0)
        bounds = np.array([0, *np.searchsorted(ends, shares), len(may)], np.int64) << _WORD_BITS
        found, counts = [], []
        for low, high in itertools.pairwise(bounds.tolist()):
            some = []
            for _, ((keys, *_),) in self._read(PAIRS):
                pair = keys[slice(*np.searchsorted(keys, (low << _ROW_BITS, high << _ROW_BITS)))]
                pair >>= _ROW_BITS
                some.append(pair[may[pair >> _WORD_BITS] & may[pair & _WORD]])
            pairs, frequency = _counted(np, np.concatenate(some)) if some else (bounds[:0],) * 2
            found.append(pairs[frequency >= least])
            counts.append(frequency[frequency >= least])
        return np.concatenate(found), np.concatenate(counts)

    def _read(self, *blocks: int) -> Iterator[tuple[int, list[list[Any]]]]:
        """Yield (rows, [(keys, what was counted) of each of the blocks]) of each chunk that was spilled."""
        np = self._np
        for rows, spilled in self._chunks:
            found = []
            for block in blocks:
                start, size = spilled[block]
                self._spill.seek(start)
                keys = np.fromfile(self._spill, np.int64, size)
                counted = range(_COUNTED[block])
                found.append([keys, *(np.fromfile(self._spill, np.uint8, size) for _ in counted)])
            yield rows, found

    def _scatter(self, pairs: Any, at: list[Any], idfs: list[Any], size: int) -> None:
        np = self._np
        kinds = {"docs": np.int32, "values": np.float32, "counts": np.uint8}
        for name, kind in kinds.items():
            count = int(at[WORDS][-1]) if name == "counts" else size
            with (self._folder / name).open("wb") as file:
                file.truncate(np.dtype(kind).itemsize * max(1, count))
        log_counts = 1 + np.log(np.maximum(1, np.arange(256)))
        for block in BLOCKS:  # one after the other: what is mapped counts as memory
            here, beyond = int(at[block][0]), int(at[block][-1])
            if beyond == here:
                continue
            mapped: dict[str, Any] = {
                name: np.memmap(
                    self._folder / name,
                    kind,
                    "r+",
                    here * np.dtype(kind).itemsize,
                    (beyond - here,),
                )
                for name, kind in kinds.items()
                if block == WORDS or name != "counts"
            }
            following = at[block][:-1] - here
            first = 0
            for rows, [(keys, *counted)] in self._read(block):
                term = keys >> _ROW_BITS
                if block == PAIRS:
                    number = np.searchsorted(pairs, term)
                    there = number < len(pairs)
                    there[there] = pairs[number[there]] == term[there]
                    term = number
                else:
                    there = at[block][term + 1] > at[block][term]
                there = np.flatnonzero(there)
                term, row = term[there], keys[there] & (CHUNK - 1)
                starts = np.flatnonzero(np.diff(term, prepend=-1))
                lengths = np.diff(starts, append=len(term))
                each = term[starts]
                weight = np.repeat(idfs[block][each], lengths)
                if counted:
                    weight *= log_counts[counted[0][there]]
                norm = np.sqrt(np.bincount(row, weight * weight, rows))
                target = np.repeat(following[each] - starts, lengths)
                target += np.arange(len(term))
                mapped["docs"][target] = first + row
                mapped["values"][target] = weight / norm[row]
                if block == WORDS:
                    mapped["counts"][target] = counted[1][there]
                following[each] += lengths
                first += rows

    def _save_terms(
        self, database: sqlite3.Connection, pairs: Any, at: list[Any], idfs: list[Any]
    ) -> None:
        words = list(self._words)
        names: list[Callable[[int], str]] = [
            lambda n: _decoded(words[n]),
            lambda n: (
                f"{_decoded(words[pairs[n] >> _WORD_BITS])} {_decoded(words[pairs[n] & _WORD])}"
            ),
            *(list(named.numbers).__getitem__ for named in self._named),
        ]
        database.execute(
            "CREATE TABLE terms (block INTEGER, term TEXT, idf REAL, start INTEGER, stop INTEGER, PRIMARY KEY (block, term)) WITHOUT ROWID"
        )
        for block in BLOCKS:
            starts, stops = at[block][:-1], at[block][1:]
            which = self._np.flatnonzero(stops > starts)
            rows = zip(
                itertools.repeat(block),
                map(names[block], which.tolist()),
                idfs[block][which].tolist(),
                starts[which].tolist(),
                stops[which].tolist(),
                strict=False,
            )
            database.executemany("INSERT OR IGNORE INTO terms VALUES (?, ?, ?, ?, ?)", sorted(rows))
        # which words a heading's word may be inflected to
        database.execute(
            f"CREATE VIRTUAL TABLE stems USING fts5 (word, detail=none, tokenize={TOKENIZE})"
        )
        database.execute("INSERT INTO stems SELECT term FROM terms WHERE block = ?", (WORDS,))

    def _save_words(self, database: sqlite3.Connection) -> None:
        """Write all words with their rows, those of authors' names among them: what a mistyped word may have meant."""
        counts: Counter[str] = Counter()
        frequency = self._frequencies[WORDS].tolist()  # shorter where the last words tell nothing
        for word, count in zip(self._words, frequency, strict=False):
            if count and not word.isdigit():
                counts[_decoded(word)] = count
        names = zip(self._named[0].numbers, self._frequencies[AUTHORS].tolist(), strict=True)
        for name, count in names:
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


def _decoded(word: bytes) -> str:
    return word.decode("utf-8", "replace")


def _counted(np: Any, keys: Any) -> tuple[Any, Any]:
    """Sort keys in place; return each that is there, ascending, and how often."""
    keys.sort()
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.diff(starts, append=len(keys))
