"""A saved thing as a record and back."""

import json

import pytest

from studiolo.sources import SavedItem, SavedLink, spoken_name


FULL = SavedItem(
    "zotero",
    "https://doi.org/10.1234/x",
    "A title",
    note="a line\nand another, see https://example.org/z",
    folder=("Thesis", "Chapter 2"),
    tags=("a b", "c"),
    saved_at="2024-01-02T03:04:05Z",
    native="ABCD1234",
    links=(SavedLink("same", "https://arxiv.org/abs/2001.00001", "there"),),
    authors=("Noether, Emmy", "{Some Institute}"),
    year=1918,
    venue="Journal of Things",
    entry_type="article",
    cite_key="noether1918",
    state="reading",
    read_at="2024-02-03T00:00:00Z",
    extra={"volume": "7"},
    place="export.json, item 1",
)


def test_everything_that_a_source_gave_comes_back_from_its_record():
    assert SavedItem.from_record(json.loads(json.dumps(FULL.to_record()))) == FULL


def test_what_a_source_did_not_give_is_not_in_the_record():
    assert SavedItem("urls", "https://a.org").to_record() == {
        "source": "urls",
        "url": "https://a.org",
    }


def test_reference_of_an_older_version_has_its_fields():
    old = {
        "source": "urls",
        "url": "https://doi.org/10.1234/x",
        "extra": {
            "cite_key": "noether1918",
            "author": "Noether, Emmy and Klein, Felix",
            "year": "1918",
            "journal": "Journal of Things",
            "volume": "7",
        },
    }
    item = SavedItem.from_record(old)
    assert (item.cite_key, item.authors, item.year) == (
        "noether1918", ("Noether, Emmy", "Klein, Felix"), 1918,
    )  # fmt: skip
    assert (item.venue, item.entry_type, item.extra) == (
        "Journal of Things", "article", {"volume": "7"},
    )  # fmt: skip


@pytest.mark.parametrize("field", ["authors", "year", "venue", "read_at", "cite_key"])
def test_record_whose_field_is_of_another_type_is_refused(field):
    with pytest.raises(TypeError, match="what should be text is not"):
        SavedItem.from_record({"source": "urls", "url": "https://a.org", field: [1]})


def test_state_of_a_later_version_is_left_out():
    record = {"source": "urls", "url": "https://a.org", "state": "skimmed"}
    assert SavedItem.from_record(record).state is None


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("Noether, Emmy", "Emmy Noether"),
        ("de la Cruz, Ana Maria", "Ana Maria de la Cruz"),
        ("Strom, Jr, Karl", "Karl Strom Jr"),
        ("{Institute of Things, Ltd}", "Institute of Things, Ltd"),
        ("Emmy Noether", "Emmy Noether"),
        ("Plato", "Plato"),
    ],
)
def test_name_is_said_with_the_given_name_first(name, spoken):
    assert spoken_name(name) == spoken
