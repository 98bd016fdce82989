"""What columns say: the same for reading, inserting, noting, marking and collecting."""

import pytest

from studiolo.errors import ListError
from studiolo.lists import Document, Item, annotate, edited, insert, mark, role_of
from studiolo.lists.columns import columns_of, ranked_columns
from studiolo.sources.table import parse_tables


ATTENTION = Item(
    "Attention Is All You Need",
    "https://arxiv.org/abs/1706.03762",
    name="Transformer",
    authors=("Ashish Vaswani",),
    year=2017,
    notes=("mine",),
)


@pytest.mark.parametrize(
    ("heading", "role"),
    [
        ("Publication", "title"),
        ("**Paper Title**", "title"),
        ("Paper", "title"),
        ("论文", "title"),
        ("Model", "name"),
        ("Abbr.", "name"),
        ("Author(s)", "authors"),
        ("Paper authors", "authors"),
        ("YEAR", "year"),
        ("Publication date", "year"),
        ("Date", "date"),
        ("Date added", "saved"),
        ("time_added", "saved"),
        ("My notes", "notes"),
        ("TL;DR", "notes"),
        ("Summary", "notes"),
        ("Abstract", "about"),
        ("Topics", "tags"),
        ("Read?", "state"),
        ("Have I read", "state"),
        ("✅", "state"),
        ("✔️", "state"),
        ("Link", "url"),
        ("Folder", "folder"),
        ("", None),
        ("#", None),
        ("my", None),
        ("Code", None),
        ("Paper with code", None),
        ("Notes of others", None),
    ],
)
def test_heading_has_its_role(heading, role):
    assert role_of(heading) == role


def test_stronger_heading_wins_and_of_two_alike_the_first():
    assert columns_of(["Paper", "Title"]) == {"title": 1}
    assert columns_of(["Note", "Notes"]) == {"notes": 1}
    assert columns_of(["Notes", "My notes"]) == {"notes": 0}


def test_columns_of_one_role_are_ranked_by_their_headings():
    assert ranked_columns(["description", "url", "note", "href", "x"]) == {
        "notes": [2, 0],
        "url": [1, 3],
    }


def test_name_beside_a_paper_is_the_short_name():
    assert columns_of(["Name", "Paper"]) == {"title": 1, "name": 0}
    assert columns_of(["Name", "Code"]) == {"title": 0}
    assert columns_of(["Name", "Model", "Paper"]) == {"title": 2, "name": 1}
    assert columns_of(["Paper", "Name"]) == {"title": 0, "name": 1}


TABLE = """\
| Year | Publication | Summary |
|------|-------------|---------|
| 2019 | [Double Descent](https://arxiv.org/abs/1912.07242) | risk falls twice |
"""


def test_what_reading_finds_writing_finds_too():
    doc = Document(TABLE.encode())
    (entry,) = doc.entries
    assert (entry.title, entry.year, entry.notes[0].text) == (
        "Double Descent", 2019, "risk falls twice",
    )  # fmt: skip
    edits = annotate(doc, entry, "try it")
    noted = edited(doc, edits, touched=[entry])
    assert "| risk falls twice; try it |" in noted.data.decode()
    new = edited(noted, insert(noted, ATTENTION, doc.sections[0]), added=1)
    assert new.data.decode().splitlines()[-1] == (
        "| 2017 | [Attention Is All You Need](https://arxiv.org/abs/1706.03762) | mine |"
    )
    (_, added) = new.entries
    assert (added.title, added.year, added.notes[0].text) == (ATTENTION.title, 2017, "mine")


def row_of(header):
    doc = Document(
        f"# A\n\n{header}\n{'|'.join('-' for _ in header.split('|'))}\n x{'|x' * header.count('|')}\n".encode()
    )
    new = edited(doc, insert(doc, ATTENTION, "A"), added=1)
    return new.data.decode().splitlines()[-1].strip(), new.entries[-1]


LINK = "[Attention Is All You Need](https://arxiv.org/abs/1706.03762)"


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Model | Paper | Authors | Date", ["Transformer", LINK, "Ashish Vaswani", "2017"]),
        ("Date | Year | Title", ["", "2017", LINK]),
        ("Name | Paper | Code", ["Transformer", LINK, ""]),
        ("Year | Thing | Abstract", ["2017", LINK, "mine"]),
        ("Date added | Work | Read? | Tags", ["", LINK, "", ""]),
        ("Abstract | Notes | Title", ["", "mine", LINK]),
    ],
)
def test_row_is_written_into_the_columns_that_it_is_read_from(header, cells):
    row, entry = row_of(header)
    table = Document(f"{header}\n{header.count('|') * '-|'}-\n{row}\n".encode()).blocks[0]
    written = table.children[1].content
    assert [
        row[a:b]
        for a, b in [(a - table.children[1].start, b - table.children[1].start) for a, b in written]
    ] == cells
    assert entry.title == ATTENTION.title
    assert entry.year == (2017 if "2017" in cells else None)


def test_linked_heading_is_read_and_written_alike():
    doc = Document(b"|Paper|[Notes](notes.md)|\n|-|-|\n|[A](https://arxiv.org/abs/2101.00001)||\n")
    new = edited(doc, annotate(doc, doc.entries[0], "x"), touched=doc.entries)
    assert new.entries[0].notes[0].text == "x"


def test_table_without_notes_says_so_and_state_is_no_note():
    doc = Document(b"|Paper|Read|\n|-|-|\n|[A](https://arxiv.org/abs/2101.00001)||\n")
    with pytest.raises(ListError, match=r"a row of a table that has no column for notes"):
        annotate(doc, doc.entries[0], "x")
    assert mark(doc, doc.entries[0], "read")[0].new.strip() == "✅".encode()


def test_collected_table_has_the_same_columns():
    (item,) = parse_tables(TABLE.encode(), "t.md")
    assert (item.title, item.note, item.extra) == (
        "Double Descent", "risk falls twice", {"year": "2019"},
    )  # fmt: skip
