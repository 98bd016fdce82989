"""What the public functions do with what a stranger may give them."""

import doctest

import pytest

from studiolo.errors import UsageError
from studiolo.index import Index, Row, engine


ROWS = [{"key": f"k{n}", "title": f"Softmax attention {n}"} for n in range(5)]


@pytest.fixture(scope="module")
def index():
    with Index.build(ROWS) as index:
        yield index


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (None, "Rows are given as one NoneType. Give a list"),
        ("abc", "Rows are given as one str."),
        (ROWS[0], "Rows are given as one dict."),
        (Row(key="a"), "Rows are given as one Row."),
        ([*ROWS, ["k"]], "Row 6 is of type list. Give a Row, or a mapping such as {'key': …, 'title': …}."),
        ([{}], "Row 1 has no key."),
        ([{"key": float("nan")}], "Row 1 has no key."),
    ],
)  # fmt: skip
def test_what_is_not_rows_is_refused(rows, says):
    with pytest.raises(UsageError) as error:
        Index.build(rows)
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        iter(ROWS),
        {Row(key="a")},
        [{"key": 7, "title": None, "authors": [None, ["x"], 5], "abstract": float("nan"), "date": 2020}],
        [{"key": "\ud800\0\u202e", "title": "\ud800 \0 \x1f\ue000", "abstract": "\x1f" * 9, "authors": "\ud800"}],
        [{"key": "long", "title": "x" * 300_000, "abstract": "attention " * 30_000}],
    ],
    ids=["none", "iterator", "set", "numbers", "odd letters", "long"],
)  # fmt: skip
def test_rows_of_all_kinds_are_taken(rows):
    with Index.build(rows) as index:
        index.search("attention x")
        index.suggest(ROWS[0], heading="Attention")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seeds": 5}, "seeds is of type int. Give a list of keys, Rows or mappings."),
        ({"seeds": [["k1"]]}, "seeds has something of type list where a text is expected: \"['k1']\"."),
        ({"seeds": [{"title": "no key"}]}, "seeds, row 1 has no key."),
        ({"heading": {"a": 1}}, "heading is of type dict. Give a list of texts."),
        ({"heading": [["a", "b"]]}, "heading has something of type list"),
        ({"place": b"name"}, "place is of type bytes."),
        ({"lists": [["k1", "k2"]]}, "lists is of type list. Give a mapping from the name of each list to its keys"),
        ({"lists": "k1"}, "lists is of type str."),
        ({"lists": {"a": 5}}, "lists['a'] is of type int. Give a list of keys."),
        ({"lists": {"a": [["k1"]]}}, "lists['a'] has something of type list"),
        ({"leave_out": 5}, "leave_out is of type int."),
        ({"only": [object, ("k1",)]}, "only has something of type tuple"),
        ({"not_for_me": 5}, "not_for_me is of type int."),
        ({"since": ["2020"]}, "\"['2020']\" is not a date."),
        ({"limit": None}, "limit is None, which is not a whole number. Give one, such as 20."),
        ({"limit": 2.5}, "limit is 2.5"),
    ],
)  # fmt: skip
def test_a_wrong_argument_of_suggest_is_refused_in_a_sentence(index, given, says):
    with pytest.raises(UsageError) as error:
        index.suggest(**{"seeds": ["k1"], **given})
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    "given",
    [
        {"lists": None},
        {"lists": []},
        {"lists": {}},
        {"lists": {"a": None, 5: [], "b": [None], None: "k1"}},
        {"lists": {"a": iter(["k1"]), "b": {"k1"}, "c": ROWS, "d": {"k1": 1}, "e": "nobody has this"}},
        {"seeds": iter(["k1", None, 7])},
        {"seeds": ROWS[1]},
        {"seeds": ["k1"] * 3000},
        {"heading": "the of and"},
        {"heading": [None, 2019, "Attention"]},
        {"heading": "x" * 100_000},
        {"heading": iter(["Attention"])},
        {"only": {"k1": 1, "k2": 2}},
        {"leave_out": ["k2", None, 5]},
        {"limit": -1},
        {"limit": 10**9},
    ],
)  # fmt: skip
def test_what_can_be_understood_is_taken(index, given):
    found = index.suggest(**{"seeds": ["k1"], **given})
    assert "k1" not in [one.key for one in found]


def test_keys_to_leave_out_may_be_rows_and_mappings(index):
    kept = {one.key for one in index.suggest(["k1"], leave_out=[ROWS[2], Row(key="k3")])}
    assert kept == {"k0", "k4"}
    assert {one.key for one in index.suggest(["k1"], only={"k2": 1})} == {"k2"}
    assert {one.key for one in index.suggest(["k1"], only=ROWS[2])} == {"k2"}


@pytest.mark.parametrize(
    ("query", "limit", "says"),
    [
        (b"attention", 20, "query has something of type bytes where a text is expected"),
        (["attention"], 20, "query has something of type list where a text is expected"),
        ("attention", "20", "limit is '20', which is not a whole number."),
    ],
)
def test_a_wrong_argument_of_search_is_refused_in_a_sentence(index, query, limit, says):
    with pytest.raises(UsageError) as error:
        index.search(query, limit=limit)
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    "query", ["softmax " * 5000, "attention" * 20_000, "year:2020 " * 5000, "tag:a " * 5000, "-title:a " * 5000]
)  # fmt: skip
def test_a_query_of_any_length_is_answered_and_harms_nothing(index, query):
    found = index.search(query)
    ends = (
        "words were searched.",
        "fields were searched.",
        "Nothing here has tag:a. Nothing has any tag.",
    )
    assert all(says.endswith(ends) for says in found.says)
    assert len(index.search("attention").hits) == 5


def test_examples_of_the_index_run():
    failed, tried = doctest.testmod(engine)
    assert (failed, tried) == (0, 2)
