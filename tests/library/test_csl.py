"""CSL-JSON as the specification has it: these names, of these shapes, and no others."""

import json

import pytest

from studiolo.library import Inbox, Library, load_waiting, references_in_inbox
from studiolo.library.export import to_csl
from studiolo.library.kinds import CSL

from .test_round_trip import BIB, saved


TYPES = {
    "article",
    "article-journal",
    "article-magazine",
    "article-newspaper",
    "bill",
    "book",
    "broadcast",
    "chapter",
    "classic",
    "collection",
    "dataset",
    "document",
    "entry",
    "entry-dictionary",
    "entry-encyclopedia",
    "event",
    "figure",
    "graphic",
    "hearing",
    "interview",
    "legal_case",
    "legislation",
    "manuscript",
    "map",
    "motion_picture",
    "musical_score",
    "pamphlet",
    "paper-conference",
    "patent",
    "performance",
    "periodical",
    "personal_communication",
    "post",
    "post-weblog",
    "regulation",
    "report",
    "review",
    "review-book",
    "software",
    "song",
    "speech",
    "standard",
    "thesis",
    "treaty",
    "webpage",
}
TEXTS = {
    "citation-key",
    "language",
    "journalAbbreviation",
    "abstract",
    "annote",
    "collection-title",
    "container-title",
    "DOI",
    "event-title",
    "event-place",
    "genre",
    "ISBN",
    "ISSN",
    "keyword",
    "medium",
    "note",
    "original-title",
    "PMCID",
    "PMID",
    "publisher",
    "publisher-place",
    "section",
    "source",
    "status",
    "title",
    "title-short",
    "URL",
    "version",
}
NUMBERS = {
    "chapter-number",
    "collection-number",
    "edition",
    "issue",
    "number",
    "number-of-pages",
    "number-of-volumes",
    "page",
    "volume",
}
PEOPLE = {"author", "collection-editor", "container-author", "editor", "translator"}
DATES = {"accessed", "available-date", "event-date", "issued", "original-date", "submitted"}
NAME = {"family", "given", "dropping-particle", "non-dropping-particle", "suffix", "literal"}


def assert_is_csl(items):
    """All that the schema of CSL's input says of the names that we write."""
    assert isinstance(items, list)
    for item in items:
        assert isinstance(item["id"], str | int)
        assert item["type"] in TYPES
        for name, value in item.items():
            if name in ("id", "type"):
                continue
            if name in PEOPLE:
                for person in value:
                    assert set(person) <= NAME, person
                    assert person.keys() & {"family", "literal"}, person
                    assert all(isinstance(part, str) and part for part in person.values())
            elif name in DATES:
                assert set(value) <= {"date-parts", "literal", "raw", "season", "circa"}
                for date in value["date-parts"]:
                    assert 1 <= len(date) <= 3
                    assert all(isinstance(part, int) for part in date)
            elif name in NUMBERS:
                assert isinstance(value, str | int), name
            else:
                assert name in TEXTS, name
                assert isinstance(value, str), name


def test_every_kind_of_work_has_a_type_of_csl():
    assert set(CSL.values()) <= TYPES


def test_exported_bibliography_is_csl(tmp_path):
    library = Library(tmp_path)
    Inbox(library).collect(saved(BIB))
    items = json.loads(to_csl(references_in_inbox(load_waiting(library))))
    assert_is_csl(items)
    assert len(items) > 10
    assert {name for item in items for name in item} >= {
        "author",
        "editor",
        "issued",
        "container-title",
        "page",
        "DOI",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "misc"},
        {"author": [{"first": "x"}]},
        {"issued": {"date-parts": [[]]}},
        {"doi": "10.1/x"},
        {"title": 3},
    ],
)
def test_what_is_not_csl_is_noticed(wrong):
    with pytest.raises((AssertionError, KeyError)):
        assert_is_csl([{"id": "a", "type": "book", "title": "A", **wrong}])
