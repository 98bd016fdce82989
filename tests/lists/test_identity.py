"""Which papers an entry is, and which it only mentions."""

import pytest

from studiolo.lists import Document


A = "https://arxiv.org/abs/2105.03824"
B = "https://arxiv.org/abs/2006.16236"
D = "https://doi.org/10.1038/nature14539"
CODE = "https://github.com/o/n"
NAMES = {"arxiv:2105.03824": "A", "arxiv:2006.16236": "B", "doi:10.1038/nature14539": "D", "github:o/n": "CODE"}  # fmt: skip


def read(text):
    return [
        ([NAMES[str(key)] for key in entry.keys], [NAMES[str(key)] for key in entry.mentioned])
        for entry in Document(text.encode()).entries
    ]


@pytest.mark.parametrize(
    ("text", "own", "mentioned"),
    [
        pytest.param(f"* [T]({A})\n  * compare with {B}, unread\n", "A", "B", id="a note"),
        pytest.param(f"* [T]({A})\n\n  Much like [this]({B}) one.\n", "A", "B", id="a paragraph"),
        pytest.param(f"* [T]({A})\n  see {B}\n", "A", "B", id="a second line"),
        pytest.param(f"* [T]({A})\n  > they cite {B}\n", "A", "B", id="a quotation"),
        pytest.param(f"* [T]({A})\n  * {D}\n", "A", "D", id="a bare address below"),
        pytest.param(f"* [T]({A})\n  * [Another Title]({B})\n", "A", "B", id="another title below"),
        pytest.param(f"* [T]({A})\n  * Related paper: {B}\n", "A", "B", id="called related"),
        pytest.param(f"* [T]({A})\n  * [related paper]({B})\n", "A", "B", id="labelled related"),
        pytest.param(f"* [T]({A}): faster than [U]({B})\n", "A", "B", id="prose behind it"),
        pytest.param(f"* [T]({A}), cf. {B}\n", "A", "B", id="cf."),
        pytest.param(f"* [T]({A})\n  * [pdf]({D})\n", "AD", "", id="labelled below"),
        pytest.param(f"* [T]({A})\n  * Paper: {D}\n", "AD", "", id="named the paper below"),
        pytest.param(f"* [T]({A}), [Nature]({D})\n", "AD", "", id="a second address"),
        pytest.param(f"* [T]({A}) - Nature 521. {D}\n", "AD", "", id="behind a citation"),
        pytest.param(f"* [T]({A}), Nature 521, {D}\n", "AD", "", id="behind a comma"),
        pytest.param(f"* [T]({A}) and [U]({B})\n", "AB", "", id="two of one line"),
        pytest.param(f"* [T]({A}) beats both and [U]({B})\n", "A", "B", id="and in a sentence"),
        pytest.param(f"* [T]({A})\n  * [full text of the paper]({B})\n", "A", "B", id="a label with other words"),
        pytest.param(f"* [T]({A})\n  * [the official paper pdf]({D})\n", "AD", "", id="a label of four words"),
        pytest.param(f"* [T]({A})\n  * [the official paper pdf here]({D})\n", "A", "D", id="a label of five words"),
        pytest.param(f"* [T]({A}), doi: {D}\n", "AD", "", id="behind doi:"),
        pytest.param(f"* T [[arXiv]({A})] [[paper]({D})]\n", "AD", "", id="two labels"),
        pytest.param(f"* T\n  * {A}\n", "A", "", id="alone below a line without one"),
        pytest.param(f"* T\n\n  Someone. [[pdf]({A})] Beats {B}.\n", "A", "B", id="labelled in words"),
        pytest.param(f"* T\n\n  Someone writes of {B}.\n", "", "B", id="nothing but prose"),
        pytest.param(f"* [T]({CODE})\n  > from {A}\n", ["CODE"], "A", id="code that quotes"),
        pytest.param(f"* [T]({A})\n  * code: {CODE}, as in {B}\n", ["A", "CODE"], "B", id="code below"),
        pytest.param(f"| Paper | Notes |\n|-|-|\n| [T]({A}) | like {B} |\n", "A", "B", id="a cell of notes"),
        pytest.param(f"| Paper | Notes |\n|-|-|\n| T | {A} |\n", "A", "", id="a row whose only link is noted"),
        pytest.param(f"| Paper | Link |\n|-|-|\n| [T]({A}) | [doi]({D}) |\n", "AD", "", id="two cells"),
    ],
)  # fmt: skip
def test_paper_named_in_a_note_or_in_prose_is_mentioned(text, own, mentioned):
    assert read(text) == [(list(own), list(mentioned))]


def test_paper_that_is_both_linked_and_mentioned_is_its_own():
    assert read(f"* [T]({A})\n  * as {A} says, unlike {B}\n") == [(["A"], ["B"])]


def test_nested_entry_mentions_for_itself():
    assert read(f"* Group\n  * [T]({A})\n    * see {B}\n  * [U]({D})\n") == [
        ([], []),
        (["A"], ["B"]),
        (["D"], []),
    ]
