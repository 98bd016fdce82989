"""One walk over the sections of a list, for reading, writing, proposing and reporting."""

import pytest

from studiolo.errors import UsageError
from studiolo.lists import Document, Item, edited, find_section, insert, mark, move


LIST = b"""\
before

# A

> # Quoted

* item
  # In an item

B
-

#### Deep

* b

# C

* c

<!-- end -->
"""
FNET = Item("FNet", "https://arxiv.org/abs/2105.03824")


def test_sections_are_the_headings_of_the_page_itself():
    found = Document(LIST).sections
    assert [(section.path, section.level, section.line) for section in found] == [
        ((), 0, 1),
        (("A",), 1, 3),
        (("A", "B"), 2, 10),
        (("A", "B", "Deep"), 4, 13),
        (("C",), 1, 17),
    ]
    assert [section.above for section in found] == [None, None, found[1], found[2], None]
    assert [len(section.items) for section in found] == [0, 1, 0, 1, 1]
    assert [LIST[section.start :][:1] for section in found[1:]] == [b"#", b"B", b"#", b"#"]
    assert LIST[: found[4].end].endswith(b"* c\n")
    assert str(found[3]) == "A > B > Deep"


def test_page_that_begins_with_a_heading_has_nothing_before_it():
    assert [s.path for s in Document(b"# A\n").sections] == [("A",)]
    assert [s.path for s in Document(b"* a\n").sections] == [()]
    assert Document(b"").sections == ()


def test_heading_above_closes_those_below_it_whatever_their_levels():
    doc = Document(b"### a\n## b\n### c\n# d\n### e\n## f\n")
    assert [s.path for s in doc.sections] == [
        ("a",), ("b",), ("b", "c"), ("d",), ("d", "e"), ("d", "f"),
    ]  # fmt: skip


def test_every_entry_stands_in_its_section():
    doc = Document(LIST)
    assert [doc.section_of(entry).path for entry in doc.entries] == [e.section for e in doc.entries]
    assert [e.section for e in doc.entries] == [("A",), ("A", "B", "Deep"), ("C",)]


def test_tables_of_a_section_the_last_counts():
    doc = Document(b"# A\n\n|x|\n|-|\n\n|y|\n|-|\n")
    assert doc.sections[0].table is doc.blocks[-1]


TWICE = b"# A\n\n## Misc\n\n* one\n\n## Misc\n\n* two\n"


def test_section_is_found_by_itself_where_two_have_one_path():
    doc = Document(TWICE)
    with pytest.raises(UsageError, match=r"2 sections 'Misc': .*They have one path"):
        find_section(doc, "Misc")
    for section in doc.sections:
        assert find_section(doc, section) is section
    assert find_section(Document(TWICE), doc.sections[2]).line == 7


def test_section_of_an_edited_list_is_refused():
    doc = Document(TWICE)
    with pytest.raises(
        UsageError, match=r"no section 'A > Misc' at line 7 any more. Read the list again"
    ):
        find_section(Document(b"new\n\n" + TWICE), doc.sections[2])


def test_paths_that_differ_are_told_apart_by_more_of_the_path():
    doc = Document(b"# A\n## M\n# B\n## M\n")
    with pytest.raises(
        UsageError, match=r"A > M \(line 2\), B > M \(line 4\). Give more of the path"
    ):
        find_section(doc, "M")
    assert find_section(doc, "B > M").line == 4
    assert find_section(doc, ("A", "*m*")).line == 2


def test_insert_and_move_take_a_section():
    doc = Document(TWICE)
    _, first, second = doc.sections
    assert edited(doc, insert(doc, FNET, first), added=1).data.index(b"FNet") < doc.data.index(
        b"two"
    )
    moved = edited(doc, move(doc, doc.entries[0], second), touched=[doc.entries[0]])
    assert moved.data.endswith(b"* two\n* one\n")


def test_mark_moves_within_the_tree_that_holds_the_entry():
    """Two trees of one shape: the read one goes below its own Read."""
    tree = "# {}\n\n## To Read\n\n### M\n\n* {}\n\n## Read\n\n### M\n\n* x\n\n"
    doc = Document((tree.format("P", "one") + tree.format("P", "two")).encode())
    entry = next(entry for entry in doc.entries if entry.title == "two")
    new = edited(doc, mark(doc, entry, "read"), touched=[entry])
    assert new.data.decode() == (
        tree.format("P", "one")
        + tree.format("P", "two").replace("* two\n\n", "").replace("* x\n", "* x\n* two\n")
    )


def test_whole_path_is_preferred_to_the_end_of_a_longer_one():
    doc = Document(b"# B\n## A\n# A\n")
    assert find_section(doc, "A").line == 3
    with pytest.raises(UsageError, match="2 sections 'A'"):
        find_section(Document(b"# B\n## A\n# C\n## A\n"), "A")


def test_what_stands_before_the_first_heading_begins_at_the_first_byte():
    before = Document(LIST).sections[0]
    assert (before.start, before.body, before.line) == (0, 0, 1)
    assert Document(b"<!-- x -->\n\n# A\n").sections[0].end == 0


def test_sections_of_two_readings_are_two_things():
    assert Document(LIST).sections[1] != Document(LIST).sections[1]
