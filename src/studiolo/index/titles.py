"""In which order titles come that have all the words of a search.

A title is remembered in pieces, in the order of its words: so titles that have the words in that order come first, then
those with more of them as they were typed, then those with fewer other words between, then shorter titles, which the
words say more of. Stop words do not count between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile

from .words import fold, is_telling, tokens


OPEN, CLOSE = "\ue000", "\ue001"  # private characters: marks of a match
MARKED = re.compile(f"({OPEN}[^{CLOSE}]*{CLOSE}?)")
_Match = tuple[int, int]  # its place among the words of the title, and which typed word it matches


def typed_words(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Return the words of a search as `title_order` takes them."""
    return tuple(b" ".join(tokens(fold(text))) for text in texts)


def title_order(marked: str, typed: tuple[bytes, ...]) -> tuple[bool, int, int, int]:
    """Return what titles are sorted by, best first.

    Args:
        marked: the title, with OPEN and CLOSE around what matches.
        typed: the words that were searched, in order.

    Returns:
        Whether the order is another one, how many words are not as typed, the fewest words between, the title's length.
    """
    matches: list[_Match] = []
    as_typed = set()
    length = 0
    for number, piece in enumerate(MARKED.split(marked)):
        if number % 2 == 0:
            words = tokens(fold(piece))
            length += len([word for word in words if is_telling(word) or word.isdigit()])
            continue
        which, is_as_typed = _meant(piece, typed)
        if is_as_typed:
            as_typed.add(which)
        matches.append((length, which))
        length += 1
    between = _fewest_between(matches)
    return between is None, len(typed) - len(as_typed), between or 0, length


@lru_cache(maxsize=1 << 12)  # hundreds of titles have the same few words
def _meant(match: str, typed: tuple[bytes, ...]) -> tuple[int, bool]:
    """Return which typed word a marked piece of a title matches, and whether it stands there as typed."""
    word = b" ".join(tokens(fold(match.strip(OPEN + CLOSE))))
    which = max(range(len(typed)), key=lambda n: _in_common(word, typed[n]))
    return which, word == typed[which]


def _in_common(word: bytes, other: bytes) -> tuple[int, int]:
    same = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False))
    )
    return same, -abs(len(word) - len(other))


def _fewest_between(matches: Sequence[_Match]) -> int | None:
    """Return how many words stand between matches in the order of the search, where fewest do; None: in no order."""
    wanted = sorted({which for _, which in matches})
    found = None
    for number, (start, which) in enumerate(matches):
        if which != wanted[0]:
            continue
        following = iter(matches[number:])
        end = start
        for want in wanted:
            match = next((match for match in following if match[1] == want), None)
            if match is None:
                return found
            end = match[0]
        between = end - start - (len(wanted) - 1)
        found = between if found is None else min(found, between)
    return found
