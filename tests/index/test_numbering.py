"""Numbers of words."""

import itertools
import random
from collections import defaultdict

import pytest

from studiolo.index import numbering
from studiolo.index.numbering import Numbering
from studiolo.index.words import END, PART, fold, tokens


def in_a_dictionary(texts: list[bytes]) -> tuple[list[list[int]], dict[bytes, int]]:
    numbers: dict[bytes, int] = defaultdict(itertools.count().__next__)
    return [[numbers[word] for word in tokens(text)] for text in texts], numbers


def made_up(seed: int) -> list[bytes]:
    rng = random.Random(seed)
    letters = "abcxyzÀß一한 "
    words = ["".join(rng.choices(letters, k=rng.randrange(1, 24))) for _ in range(300)]
    return [
        fold(" ".join(rng.choices(words, k=rng.randrange(40))))
        + b" %b " % rng.choice((PART, END, b""))
        for _ in range(20)
    ]


@pytest.mark.parametrize("bits", [1, 20])  # with two places each word drives another one out
def test_numbers_are_those_of_a_dictionary(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "_BITS", bits)
    for seed in range(5):
        texts = made_up(seed)
        here = Numbering()
        found = [here.number(text).tolist() for text in texts]
        numbers, words = in_a_dictionary(texts)
        assert found == numbers
        assert list(here.words.items()) == list(words.items())


def test_text_without_a_word_has_no_numbers() -> None:
    here = Numbering()
    assert here.number(b"").tolist() == here.number(b" ,;. ").tolist() == []
    assert here.number(b"one").tolist() == [0]


def test_words_that_begin_alike_are_told_apart() -> None:
    stems = [b"abcdefgh", b"abcdefghijklmnop", b"abcdefghijklmnopqrstuvwx"]
    words = [stem[:size] for stem in stems for size in range(1, len(stem) + 1)]
    words = [*dict.fromkeys(words), *(stem + b"x" for stem in stems)]
    assert Numbering().number(b" ".join(words)).tolist() == list(range(len(words)))
