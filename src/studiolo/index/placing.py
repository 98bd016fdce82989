"""Under which of some headings a row belongs, and why: like suggestions, with the sections in the place of the rows.

score(section) = sum over blocks of weight x cosine(row, mean of the section's rows) + .3 / sqrt(rows) x cosine(row, headings)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .postings import PAIRS
from .rows import Row
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
from .words import LIST_WORDS, names_subject, subjects


SIZE = 0.02  # where little speaks for any section, a large one is likelier


@dataclass(frozen=True, slots=True)
class Shelf:
    """A section: its headings, outermost first, and the rows that stand in it."""

    headings: Sequence[str]
    rows: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """A section that a row may belong to.

    Attributes:
        number: of the section among those given, from 0.
        score: larger is better.
        reasons: all terms that count, largest share first; the shares add up to 1.
        by_heading: whether the words that say most stand in its headings alone.
        by_subject: whether anything that it shares names a subject, or is all that its heading says; "learning" is of any.
    """

    number: int
    score: float
    reasons: tuple[Reason, ...]
    by_heading: bool
    by_subject: bool

    def shown(self, count: int = 3) -> tuple[Reason, ...]:
        """Return the words and pairs that say most, at most `count`; no word that a pair before it has already."""
        return telling(self.reasons, count)


class Placer:
    """Places rows among sections; rarity is counted over the sections' own rows."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        known: dict[int, Mapping[Term, int]] = {}  # a row may stand in several
        counted = [
            [known.setdefault(id(row), known.get(id(row)) or terms_in(row)) for row in shelf.rows]
            for shelf in shelves
        ]
        headings = [terms_of_headings(shelf.headings) for shelf in shelves]
        self._subjects = [subjects(" ".join(shelf.headings[-1:])) for shelf in shelves]
        self._idf = _rarity(counted, headings)
        self._sizes = [len(rows) for rows in counted]
        self._likeness = [mean_vector(rows, self._idf) for rows in counted]
        self._weights: list[Weights] = []
        for likeness, terms, size in zip(self._likeness, headings, self._sizes, strict=True):
            weights: Weights = dict(likeness)
            for term, weight in heading_vector(terms, self._idf).items():
                share = HEADING_WEIGHT * weight / math.sqrt(max(1, size))
                weights[term] = weights.get(term, 0.0) + share
            self._weights.append(weights)

    def place(self, row: Row) -> list[Placement]:
        """Return the sections that share a term with a row, best first."""
        about = subjects(row.title)
        wanted = weighed(mean_vector([terms_in(row)], self._idf))
        found = []
        for number, weights in enumerate(self._weights):
            parts = [
                (wanted[term] * weights[term], term)
                for term in wanted.keys() & weights.keys()
                if term[0] > PAIRS or not LIST_WORDS.issuperset(term[1].split())
            ]
            if parts:
                score = math.fsum(value for value, _ in parts)
                score += SIZE * math.log1p(self._sizes[number])
                by_heading = max(parts)[1] not in self._likeness[number]
                heading = self._subjects[number]
                by_subject = (heading and heading <= about) or any(
                    block > PAIRS or names_subject(term) for _, (block, term) in parts
                )
                reasons = reasons_of(parts)
                found.append(Placement(number, score, reasons, by_heading, bool(by_subject)))
        return sorted(found, key=lambda one: (-one.score, one.number))


def place(row: Row, shelves: Sequence[Shelf]) -> list[Placement]:
    """Return the sections that share a term with a row, best first; see `Placer`."""
    return Placer(shelves).place(row)


def _rarity(
    counted: Sequence[Sequence[Mapping[Term, int]]], headings: Sequence[Mapping[Term, float]]
) -> dict[Term, float]:
    rows = [counts for some in counted for counts in some]
    frequency = Counter(term for counts in rows for term in counts)
    frequency.update(dict.fromkeys((term for terms in headings for term in terms), 0))
    return {term: math.log((1 + len(rows)) / (1 + df)) + 1 for term, df in frequency.items()}
