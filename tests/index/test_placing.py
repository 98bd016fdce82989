import pytest

from studiolo.index import Row, Shelf, place, subjects


SHELVES = [
    Shelf(
        ["Reading", "Transformers"],
        [
            Row(key="a", title="Rethinking Attention with Performers", notes="linear attention"),
            Row(key="b", title="Attention Is All You Need", authors=("Ashish Vaswani",)),
        ],
    ),
    Shelf(["Reading", "Causal inference"]),
    Shelf(["Reading", "Misc"], [Row(key="c", title="A bridge of steel", categories=("cs.CE",))]),
]


@pytest.mark.parametrize(
    ("row", "number", "shown", "by_heading"),
    [
        (Row(key="", title="Efficient attention"), 0, "attention", False),
        (Row(key="", title="Causal graphs"), 1, "causal", True),  # an empty section
        (Row(key="", title="A transformer for causes"), 0, "transformer", True),  # its singular
        (Row(key="", title="Zebra", abstract="Bridges, and a bridge."), 2, "bridge", False),
    ],
)
def test_a_row_is_placed_by_words_of_rows_and_headings(row, number, shown, by_heading):
    best = place(row, SHELVES)[0]
    assert (best.number, best.shown()[0].term, best.by_heading) == (number, shown, by_heading)


def test_authors_and_categories_place_what_no_word_does():
    assert place(Row(key="", title="Zebra", authors=("A. Vaswani",)), SHELVES) == []
    [found] = place(Row(key="", title="Zebra", authors=("Ashish Vaswani",)), SHELVES)
    assert [(r.kind, r.term) for r in found.reasons] == [("author", "ashish vaswani")]
    assert (found.number, found.shown(), found.by_heading) == (0, (), False)
    [found] = place(Row(key="", title="Zebra", categories=("cs.CE",)), SHELVES)
    assert found.number == 2


def test_reasons_are_the_whole_score():
    found = place(Row(key="", title="Linear attention for causal bridges of steel"), SHELVES)
    assert len(found) == 3
    for one in found:
        assert sum(reason.share for reason in one.reasons) == pytest.approx(1)
        assert one.score > 0
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_what_shares_nothing_is_placed_nowhere():
    assert place(Row(key="", title="Zebra"), SHELVES) == []
    assert place(Row(key="", title="Attention"), []) == []


def test_many_rows_outweigh_a_heading():
    rows = [Row(key="", title=f"Graph kernels {n}") for n in range(9)]
    shelves = [Shelf(["Kernels"], rows), Shelf(["Graph neural networks"])]
    assert place(Row(key="", title="Graph kernels and neural things"), shelves)[0].number == 0


def test_where_little_speaks_for_any_the_larger_section_is_likelier():
    few, many = ([Row(key="", title=f"Kernel {n} {name}") for n in range(9)] for name in "ab")
    best = place(Row(key="", title="A kernel"), [Shelf(["A"], few[:2]), Shelf(["B"], many)])[0]
    assert best.number == 1


def test_subjects_of_a_heading_have_no_number_and_no_words_of_lists():
    assert subjects("Transformers (papers)") == subjects("The transformer")
    assert subjects("Reading list 2019") == frozenset()


LEARNING = [
    Shelf(["Deep Learning"], [Row(key="", title="Deep networks", notes="the paper, with a talk")]),
    Shelf(["Bridges"], [Row(key="", title="Learning to build a bridge")]),
]


@pytest.mark.parametrize(
    ("title", "number", "by_subject"),
    [
        ("Learning to swim", 1, False),
        ("Networks for swimmers", 0, False),
        ("Deep learning of swimming", 0, True),  # all that the heading says
        ("Learning of bridges", 1, True),
    ],
)
def test_words_of_any_subject_are_told_from_others(title, number, by_subject):
    best = place(Row(key="", title=title), LEARNING)[0]
    assert (best.number, best.by_subject) == (number, by_subject)


def test_words_of_lists_place_nothing():
    assert place(Row(key="", title="A paper and a talk on swimming"), LEARNING) == []
