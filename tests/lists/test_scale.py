"""Lists of hundreds of thousands of entries, made as bench/lists.py makes them; here a tenth and less."""

import runpy
import statistics
from pathlib import Path

import pytest

from studiolo.lists import Document, check


BENCH = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "lists.py"))
make_list, compare_parsers = BENCH["make_list"], BENCH["compare_parsers"]


def test_made_list_is_the_same_each_time():
    assert make_list(300) == make_list(300)


def test_entries_one_after_another_are_the_entries():
    doc = Document(make_list(500))
    assert tuple(doc.each_entry()) == Document(doc.data).entries
    assert len(doc.entries) == 500
    assert tuple(doc.each_entry()) == doc.entries


@pytest.mark.slow
def test_list_of_forty_thousand_entries_is_read_and_checked():
    doc = Document(make_list(40_000))
    assert 3_700_000 < len(doc.data) < 3_900_000
    number = titles = keys = 0
    for entry in doc.each_entry():
        number, titles, keys = number + 1, titles + bool(entry.title), keys + bool(entry.key)
    assert (number, titles, keys) == (40_000, 40_000, 36_000)
    assert {fault.check for fault in check([doc])} == {"twice", "unknown-host"}


@pytest.mark.slow
def test_reading_takes_less_than_markdown_it_takes_for_the_blocks():
    ours, theirs = compare_parsers(make_list(10_000))
    assert statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) < 0.8
