"""Rows, headings and questions as vectors of terms in four blocks: words, pairs of words, authors, categories.

A score of two vectors is a sum over terms, so the reasons shown are the whole reason.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .postings import AUTHORS, BLOCKS, CATEGORIES, PAIRS, WORDS
from .rows import Row
from .words import heading_words, name_of, other_number, telling_words


Term = tuple[int, str]  # block, and the word, pair or name
Weights = dict[Term, float]

KINDS = ("word", "pair", "author", "category")
BLOCK_WEIGHTS = (1.0, 0.3, 0.25, 0.1)
HEADING_WEIGHT = 0.3  # the heading against one row; over sqrt(rows)
LEVEL = 0.7  # what a heading counts against the one below it
PAIR_OF_HEADING, OTHER_NUMBER = 0.4, 0.6


@dataclass(frozen=True, slots=True)
class Reason:
    """A term that something shares with what it is compared with.

    Attributes:
        kind: "word", "pair" (of neighbouring words), "author" or "category".
        term: in small letters, without accents; a category as it is written.
        share: of the score that comes from terms, 0 to 1.
    """

    kind: str
    term: str
    share: float


def reasons_of(parts: Iterable[tuple[float, Term]]) -> tuple[Reason, ...]:
    """Return what terms add to a score as reasons, largest first."""
    parts = sorted(parts, key=lambda part: (-part[0], part[1]))
    total = sum(value for value, _ in parts)
    return tuple(
        Reason(KINDS[block], term, value / total) for value, (block, term) in parts if total > 0
    )


def telling(reasons: Iterable[Reason], count: int) -> tuple[Reason, ...]:
    """Return the words and pairs that say most, at most `count`; no word that a pair before it has already."""
    found: list[Reason] = []
    said: set[str] = set()
    for reason in reasons:
        words = set(reason.term.split())
        if reason.kind in ("word", "pair") and len(found) < count and not words & said:
            found.append(reason)
            said |= words
    return tuple(found)


def terms_in(row: Row) -> Counter[Term]:
    """Return how often each term stands in a row, as `postings.text_of` reads it."""
    counts: Counter[Term] = Counter()
    words = [telling_words(text) for text in (row.title, row.abstract, row.notes)]
    for part in (words[0], *words):
        counts.update([(WORDS, word) for word in part])
        counts.update([(PAIRS, f"{first} {second}") for first, second in pairwise(part)])
    counts.update(dict.fromkeys(((AUTHORS, name_of(name)) for name in row.authors), 1))
    counts.update(dict.fromkeys(((CATEGORIES, name) for name in row.categories), 1))
    return counts


def terms_of_headings(headings: Sequence[str]) -> Weights:
    """Return what each term of a heading path, outermost first, weighs before its rarity is counted."""
    weights: Weights = {}
    for depth, heading in enumerate(reversed(headings)):
        level = LEVEL**depth
        words = heading_words(heading)
        terms = [((WORDS, word), 1.0) for word in words]
        terms += [((WORDS, other_number(word)), OTHER_NUMBER) for word in words]
        for first, second in pairwise(words):
            terms.append(((PAIRS, f"{first} {second}"), PAIR_OF_HEADING))
            terms.append(
                ((PAIRS, f"{first} {other_number(second)}"), PAIR_OF_HEADING * OTHER_NUMBER)
            )
        for term, weight in terms:
            weights[term] = max(level * weight, weights.get(term, 0.0))
    return weights


def mean_vector(counted: Iterable[Mapping[Term, int]], idf: Mapping[Term, float]) -> Weights:
    """Return the mean of rows' vectors, of length 1 in each block; terms without an idf do not count."""
    mean: Weights = defaultdict(float)
    for counts in counted:
        vector = {
            term: (1 + math.log(count)) * idf[term] for term, count in counts.items() if term in idf
        }
        for term, weight in unit(vector).items():
            mean[term] += weight
    return unit(mean)


def heading_vector(terms: Mapping[Term, float], idf: Mapping[Term, float]) -> Weights:
    """Return the terms of a heading path as a vector of length 1; terms without an idf do not count."""
    weights = {term: weight * idf[term] for term, weight in terms.items() if term in idf}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {term: weight / length for term, weight in weights.items()}


def weighed(vector: Mapping[Term, float]) -> Weights:
    """Return a vector with the weights of the blocks."""
    return {term: BLOCK_WEIGHTS[term[0]] * weight for term, weight in vector.items()}


def unit(weights: Mapping[Term, float]) -> Weights:
    """Return the weights with length 1 in each block."""
    squares = [0.0] * len(BLOCKS)
    for (block, _), weight in weights.items():
        squares[block] += weight * weight
    return {term: weight / math.sqrt(squares[term[0]]) for term, weight in weights.items()}
