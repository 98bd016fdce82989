"""Where entries and papers meet: by the keys of a work, and questions by their letters."""

from types import SimpleNamespace

import pytest

from studiolo.claims import Answer
from studiolo.keys import Key
from studiolo.library import READER, Edge, Works
from studiolo.lists import Document
from studiolo.report.rows import answers_to, join, keys_of


ARXIV, REVIEW = Key("arxiv", "2009.14794"), Key("openreview", "Ua6zuk0WRH")
SAME = Works([Edge(ARXIV, REVIEW, "same", "the reader says so", READER)])
DOC = Document(b"* [P](https://openreview.net/forum?id=Ua6zuk0WRH)\n* [Q](https://arxiv.org/abs/2101.00001)\n")  # fmt: skip


def paper(**more):
    return SimpleNamespace(key=str(ARXIV), also=(), slug="performers", answers=(), **more)


def test_entry_is_its_paper_by_any_key_of_the_work():
    assert [row.paper for row in join(DOC, [paper()])] == [None, None]
    first, second = join(DOC, [paper()], SAME)
    assert first.paper.slug == "performers"
    assert second.paper is None


def test_own_keys_come_first():
    assert keys_of(DOC.entries[0], SAME) == [str(REVIEW), str(ARXIV)]
    assert keys_of(DOC.entries[0]) == [str(REVIEW)]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("Could this speed up pre-training?", 1),
        ("could this speed up pretraining", 1),
        ("Could this speed up training?", 0),
        ("", 0),
    ],
)
def test_question_is_answered_by_its_letters(asked, answered):
    one = paper()
    one.answers = (Answer(str(ARXIV), "Could this speed up pretraining?", "Yes.", ("c",)),)
    assert len(answers_to(DOC.entries[0], asked, [one], SAME)) == answered
    assert answers_to(DOC.entries[0], asked, [one]) == []
    assert answers_to(DOC.entries[1], asked, [one], SAME) == []
