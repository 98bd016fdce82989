"""Rows and questions as strangers give them: data frames, JSON and notebooks have None, NaN, numpy's texts and dates."""

import datetime
import math
from typing import Any

import numpy as np
import pytest

from studiolo.errors import UsageError
from studiolo.index import Index, Row


CAUSAL: dict[str, Any] = {
    "key": "a",
    "title": "Causal inference graphs",
    "abstract": "treatment effects",
}
OTHER = {"key": "b", "title": "Causal graphs of effects", "abstract": "treatment of inference"}


@pytest.fixture(scope="module")
def index():
    with Index.build([CAUSAL, OTHER, {"key": "c", "title": "Images"}]) as index:
        yield index


def found(*rows, query="causal"):
    with Index.build(rows) as index:
        return [hit.key for hit in index.search(query).hits]


@pytest.mark.parametrize("nothing", [None, math.nan, ""])
def test_every_field_but_the_key_may_be_nothing(nothing):
    fields = set(Row.__slots__) - {"key"}
    row = {"key": "n", **dict.fromkeys(fields, nothing)}
    assert Row(**row) == Row("n")
    assert found(row, CAUSAL) == ["a"]


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("date", 2021, "2021"),
        ("date", datetime.date(2021, 5, 9), "2021-05-09"),
        ("date", np.datetime64("2021-05-09"), "2021-05-09"),
        ("title", np.str_("Causal"), "Causal"),
        ("title", "Causal \ud800", "Causal ?"),
        ("authors", "Ada Lovelace, Alan Turing", ("Ada Lovelace", "Alan Turing")),
        ("authors", np.array(["Ada Lovelace", "Alan Turing"]), ("Ada Lovelace", "Alan Turing")),
        ("authors", ["Ada Lovelace", None, " "], ("Ada Lovelace",)),
        ("authors", ("Ada Lovelace", None), ("Ada Lovelace",)),
        ("categories", "cs.LG stat.ML", ("cs.LG", "stat.ML")),
        ("section", "To Review", ("To Review",)),
        ("tags", ["one tag", "two"], ("one tag", "two")),
    ],
)
def test_values_of_any_kind_become_text(field, value, stored):
    assert getattr(Row(**{**CAUSAL, field: value}), field) == stored
    assert found({**CAUSAL, field: value}) == ["a"]


@pytest.mark.parametrize("key", [1706, np.str_("1706"), np.int64(1706)], ids=repr)
def test_a_key_is_found_as_it_was_given(key):
    with Index.build([{**CAUSAL, "key": key}, OTHER]) as index:
        assert index.search("inference treatment").hits[0].key == "1706"
        assert [one.key for one in index.suggest([key])] == ["b"]
        assert index.row(key).key == "1706"


@pytest.mark.parametrize("key", [None, "", math.nan])
def test_a_row_without_a_key_is_refused(key):
    for row in ({"key": key}, Row(key)):
        with pytest.raises(UsageError, match=r"Row 2 has no key\. Give each row one: any text"):
            Index.build([CAUSAL, row])


@pytest.mark.parametrize("rows", [["a"], [("a", "Causal")], [None]])
def test_what_is_not_a_row_is_refused_in_a_sentence(rows):
    with pytest.raises(UsageError, match=r"Row 1 is of type .*\. Give a Row, or a mapping such as"):
        Index.build(rows)


@pytest.mark.parametrize("query", [None, "", " ", math.nan, 2021, "\ud800", "\0"])
def test_a_query_that_says_nothing_finds_nothing(index, query):
    assert index.search(query).hits == ()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_nothing(index, limit):
    assert index.search("causal", limit=limit).hits == ()
    assert index.suggest(["a"], limit=limit) == []


@pytest.mark.parametrize(
    "seeds",
    ["a", ["a"], {"a"}, (key for key in ["a", "a"]), np.array(["a"]), ["a", "nobody"], CAUSAL, [CAUSAL], Row(**CAUSAL)],
)  # fmt: skip
def test_seeds_may_be_given_in_any_form(index, seeds):
    assert [one.key for one in index.suggest(seeds)] == ["b"]


@pytest.mark.parametrize("seeds", [None, (), [], "", [None], ["\ud800"], [math.nan]])
def test_seeds_that_are_nothing_suggest_nothing(index, seeds):
    assert index.suggest(seeds) == []
    assert [one.key for one in index.suggest(seeds, heading="Causal Inference")] == ["a", "b"]


@pytest.mark.parametrize("heading", [None, [None], [], "", ["Causal", None], "causal"])
def test_headings_may_be_given_in_any_form(index, heading):
    assert [one.key for one in index.suggest(["a"], heading=heading, place=None)] == ["b"]


def test_keys_may_come_once(index):
    [one] = index.suggest(["a"], lists={"x": (key for key in ["a", "b"])})
    assert one.lists == ("x",)
    assert index.suggest(["a"], leave_out=iter(["b"])) == []
    assert index.suggest(["a"], leave_out="b") == []
    assert index.suggest(["a"], only=iter(["c"])) == []


def test_a_closed_index_says_so_and_is_kept(tmp_path):
    Index.build([CAUSAL], tmp_path).close()
    index = Index.build([CAUSAL], tmp_path)
    index.close()
    with pytest.raises(UsageError, match=r"This index cannot be asked: Cannot operate on a closed"):
        index.search("causal")
    assert (tmp_path / "current.json").exists()
