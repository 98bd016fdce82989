"""Numbers the words of long texts, in the order in which they first stand there, most of them without making an object.

Looking every word up in a dictionary takes half of the time in which a text is read. Here the bytes of all words of a text
are hashed at once, and a table remembers the number of each hash; only what the table does not know goes to the dictionary.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from .words import SMALL


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int32]
    Hashes = NDArray[np.uint64]

_BITS = 20  # of a place in the table; a word that another one has driven out of it is found in the dictionary
_ODD = 0x9E3779B97F4A7C15  # times an odd number, no two hashes become one
_SPACE = 32
_WIDE, _WIDEST = 8, 16  # bytes: words up to here are one integer, two, or hashed by Python


class Numbering:
    """The numbers of words.

    Attributes:
        words: each word, in small letters and encoded, and its number.
    """

    def __init__(self) -> None:
        import numpy as np

        self._np = np
        self.words: dict[bytes, int] = defaultdict(itertools.count().__next__)
        self._hashes = np.zeros(1 << _BITS, np.uint64)
        self._numbers = np.zeros(1 << _BITS, np.int32)
        self._masks = np.array([(1 << 8 * size) - 1 for size in range(_WIDE + 1)], np.uint64)

    def number(self, text: bytes) -> Numbers:
        """Return the numbers of the words of a folded, encoded text, in order; see `words.tokens`."""
        np = self._np
        text = b" %b%b" % (text.translate(SMALL), b" " * (_WIDEST + 1))
        inside = np.frombuffer(text, np.uint8) != _SPACE
        edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
        starts, stops = edges[::2], edges[1::2]
        hashes = self._hashed(text, starts, stops)
        places = (hashes >> np.uint64(64 - _BITS)).astype(np.intp)
        numbers: Numbers = self._numbers[places]
        missed = np.flatnonzero(self._hashes[places] != hashes)
        new, first, which = np.unique(hashes[missed], return_index=True, return_inverse=True)
        first = missed[first]
        order = np.argsort(first)  # numbers are given in the order of the text
        first = first[order]
        found = np.empty(len(new), np.int32)
        found[order] = [
            self.words[text[start:stop]]
            for start, stop in zip(starts[first].tolist(), stops[first].tolist(), strict=True)
        ]
        numbers[missed] = found[which]
        self._hashes[places[first]] = new[order]
        self._numbers[places[first]] = found[order]
        return numbers

    def _hashed(self, text: bytes, starts: Any, stops: Any) -> Hashes:
        """Return 64 bits for each word. Words of up to 8 bytes never share them, longer ones as good as never."""
        np = self._np
        lengths = stops - starts
        # the eight bytes from each place on, as an integer
        eight = np.ndarray(len(text) - 7, "<u8", text, strides=(1,))
        hashes: Hashes = eight[starts] & self._masks[np.minimum(lengths, _WIDE)]
        hashes *= np.uint64(_ODD)
        hashes ^= hashes >> np.uint64(32)
        long = np.flatnonzero(lengths > _WIDE)
        rest = eight[starts[long] + _WIDE] & self._masks[np.minimum(lengths[long] - _WIDE, _WIDE)]
        both = (hashes[long] + rest) * np.uint64(_ODD)
        hashes[long] = both ^ both >> np.uint64(29)
        for n in np.flatnonzero(lengths > _WIDEST).tolist():
            hashes[n] = hash(text[starts[n] : stops[n]]) & ((1 << 64) - 1)
        hashes *= np.uint64(_ODD)
        return hashes
