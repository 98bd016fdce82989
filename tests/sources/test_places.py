"""The table of sources: what commands, pages and documentation say of them, and what is imported when."""

import subprocess
import sys
from pathlib import Path

import pytest

from studiolo.sources import SOURCES


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_source_names_functions_that_are_there(source):
    assert source.load.__module__.startswith("studiolo.sources.")
    if source.fetcher:
        assert source.fetch.__name__ == source.fetcher.partition(":")[2]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_source_says_what_it_is_how_to_get_it_and_examples(source):
    assert source.what.endswith(".")
    assert source.how
    assert all(len(line) < 80 for line in source.how.splitlines())
    assert all(f"studiolo collect {source.name} " in example for example in source.examples)
    assert len(source.examples) >= 1


def test_documentation_has_a_row_for_every_source_in_the_same_order():
    rows = [
        line.split("`")[1]
        for line in (ROOT / "docs" / "collecting.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and line.split("`")[1] in SOURCES
    ]
    assert rows == list(SOURCES)


def test_parsers_are_imported_when_they_are_used():
    code = (
        "import sys, studiolo.sources as s; a = {m for m in sys.modules if m.startswith('studiolo.sources.')};"
        "s.SOURCES['bookmarks'].load; print(sorted(m[17:] for m in a), 'studiolo.sources.bookmarks' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['places'] True"
