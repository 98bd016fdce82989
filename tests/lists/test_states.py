"""Reading state where the list itself shows it."""

import textwrap

import pytest

from studiolo.lists import Document, edited, mark
from studiolo.lists.states import state_of_cell, state_of_heading


def doc_of(text):
    return Document(textwrap.dedent(text).lstrip("\n").encode())


def assert_marked(text, title, state, wanted):
    """Marking the entry makes exactly `wanted` of `text`, and reads back as that state."""
    doc = doc_of(text)
    entry = next(e for e in doc.entries if e.title == title)
    edits = mark(doc, entry, state)
    assert edits is not None
    new = edited(doc, edits, touched=[entry])
    assert new.data.decode() == textwrap.dedent(wanted).lstrip("\n")
    assert next(e for e in new.entries if e.title == title).state == state


A, B = "[A](https://arxiv.org/abs/2101.00001)", "[B](https://arxiv.org/abs/2101.00002)"


@pytest.mark.parametrize(
    ("heading", "state"),
    [
        ("To Review", "to read"), ("To-Read:", "to read"), ("📚 Reading list", "to read"), ("TODO", "to read"),
        ("Read", "read"), ("✅ Done!", "read"), ("Currently reading", "reading"), ("Transformers", None), ("How to read papers", None),
    ],
)  # fmt: skip
def test_heading_gives_a_state_only_if_it_is_one(heading, state):
    assert state_of_heading(heading) == state


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        ("✅", "read"), ("yes", "read"), ("X", "read"), ("[x]", "read"), ("", "to read"), ("no", "to read"), ("❌", "to read"),
        ("in progress", "reading"), ("⏳", "reading"), ("twice, in 2019", None),
    ],
)  # fmt: skip
def test_cell_of_a_read_column(cell, state):
    assert state_of_cell(cell) == state


def test_innermost_heading_with_a_state_wins():
    doc = doc_of("# To Review\n## Read\n### Sub\n* a\n")
    assert (doc.entries[0].state, doc.entries[0].state_by) == ("read", "section")


def test_box_goes_before_section():
    doc = doc_of("# To Read\n- [x] a\n- [ ] b\n- [/] c\n- d\n")
    assert [(e.state, e.state_by) for e in doc.entries] == [
        ("read", "box"), ("to read", "box"), ("reading", "box"), ("to read", "section"),
    ]  # fmt: skip


def test_box_is_ticked_and_nothing_else():
    assert_marked(f"- [ ] {A}\n- [ ] {B}\n", "B", "read", f"- [ ] {A}\n- [x] {B}\n")
    assert_marked(f"- [X] {A}\n", "A", "to read", f"- [ ] {A}\n")
    assert_marked(f"- [ ] {A}\n", "A", "reading", f"- [/] {A}\n")


def test_what_shows_the_state_already_is_left_alone():
    doc = doc_of(f"- [X] {A}\n")
    assert mark(doc, doc.entries[0], "read") == ()


def test_mark_stands_where_the_others_have_it():
    assert_marked(f"* ✅ {A}\n* {B}\n  * n\n", "B", "read", f"* ✅ {A}\n* ✅ {B}\n  * n\n")
    assert_marked(f"* {A} ✔\n* {B}\n", "B", "read", f"* {A} ✔\n* {B} ✔\n")
    assert_marked(f"* {A} ✅\n* ✅ {B}\n", "A", "reading", f"* {A} ⏳\n* ✅ {B}\n")


def test_mark_is_taken_off_with_its_space():
    for before in (f"* ✅ {A}\n* ✅ {B}\n", f"* {A} ✅\n* ✅ {B}\n"):
        doc = doc_of(before)
        entry = doc.entries[0]
        new = edited(doc, mark(doc, entry, "to read"), touched=[entry])
        assert new.data.decode() == f"* {A}\n* ✅ {B}\n"


def test_cell_is_filled_as_the_column_is():
    assert_marked(
        f"""
        | Paper | Read? |
        |-------|-------|
        | {A} | yes |
        | {B} |  |
        """,
        "B",
        "read",
        f"""
        | Paper | Read? |
        |-------|-------|
        | {A} | yes |
        | {B} | yes |
        """,
    )
    assert_marked(
        f"|Paper|Read|\n|-|-|\n|{A}||\n", "A", "read", f"|Paper|Read|\n|-|-|\n|{A}| ✅ |\n"
    )
    assert_marked(
        f"|Paper|Read|\n|-|-|\n|{A}|x|\n", "A", "to read", f"|Paper|Read|\n|-|-|\n|{A}||\n"
    )


def test_entry_moves_below_read_keeping_its_topic():
    assert_marked(
        f"""
        # Mine

        ## To Review

        ### Attention

        * {A}
          * note
        * {B}

        ## Read

        ### Attention

        * old
        """,
        "A",
        "read",
        f"""
        # Mine

        ## To Review

        ### Attention

        * {B}

        ## Read

        ### Attention

        * old
        * {A}
          * note
        """,
    )


def test_missing_topic_is_made_below_read():
    assert_marked(
        f"# To Read\n\n## T\n\n* {A}\n* {B}\n\n# Read\n\n## U\n\n* old\n\n# Tools\n",
        "A",
        "read",
        f"# To Read\n\n## T\n\n* {B}\n\n# Read\n\n## U\n\n* old\n\n## T\n\n* {A}\n\n# Tools\n",
    )


def test_flat_read_section_stays_flat():
    assert_marked(
        f"# To Read\n\n## T\n\n* {A}\n* {B}\n\n# Read\n\n* old\n",
        "A",
        "read",
        f"# To Read\n\n## T\n\n* {B}\n\n# Read\n\n* old\n* {A}\n",
    )


def test_read_heading_is_made_behind_what_is_to_read():
    assert_marked(
        f"To Read\n=======\n\n* {A}\n* {B}\n\n<!-- TAGS\n-->\n",
        "A",
        "read",
        f"To Read\n=======\n\n* {B}\n\nRead\n====\n\n* {A}\n\n<!-- TAGS\n-->\n",
    )


def test_last_thing_to_read_leaves_its_heading():
    assert_marked(f"# To Read\n\n* {A}\n", "A", "read", f"# To Read\n\n# Read\n\n* {A}\n")
    assert_marked(f"# To Read\n\n* {A}", "A", "read", f"# To Read\n\n# Read\n\n* {A}")
    assert_marked(
        f"# To Read\r\n\r\n* {A}\r\n", "A", "read", f"# To Read\r\n\r\n# Read\r\n\r\n* {A}\r\n"
    )


def test_read_and_unread_give_the_entry_its_place_back(seed):
    entry = seed.entries[4]
    read = edited(seed, mark(seed, entry, "read"), touched=[entry])
    back = next(e for e in read.entries if e.key == entry.key)
    again = edited(read, mark(read, back, "to read"), touched=[back])
    assert {(e.key, e.section, e.text, e.state) for e in again.entries} == {
        (e.key, e.section, e.text, e.state) for e in seed.entries
    }


def test_every_entry_of_a_real_list_can_be_marked_or_kept_beside(real_list):
    doc = Document.load(real_list)
    for entry in doc.entries[:: max(1, len(doc.entries) // 12)]:
        edits = mark(doc, entry, "read")
        if edits:
            assert edited(doc, edits, touched=[entry]).data != doc.data


def test_list_without_states_shows_none():
    doc = doc_of(f"# Papers\n* {A}\n")
    assert mark(doc, doc.entries[0], "read") is None
    doc = doc_of(f"|Paper|\n|-|\n|{A}|\n")
    assert mark(doc, doc.entries[0], "read") is None
    doc = doc_of(f"# To Review\n* {A}\n")
    assert mark(doc, doc.entries[0], "reading") is None


@pytest.mark.parametrize(
    ("text", "year", "state"),
    [
        ("- [ ] [[A Work]] ([arXiv]({})) 📅 2024-05-01\n", None, "to read"),
        ("- [x] [A Work]({}) ✅ 2024-01-02\n", None, "read"),
        ("- [x] [A Work]({}), 2017 ➕ 2024-01-02 ✅ 2024-01-03\n", 2017, "read"),
        ("- [-] [A Work]({})\n", None, None),
        ("- DONE [A Work]({})\n", None, "read"),
    ],
)
def test_tasks_are_states_and_their_dates_no_years(text, year, state):
    (entry,) = Document(text.format("https://arxiv.org/abs/1706.03762").encode()).entries
    assert (entry.title, entry.year, entry.state) == ("A Work", year, state)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("# Reading\n\n{}", None),
        ("# Reading\n\n## Maps\n\n{}", None),
        ("# Reading\n\n{}\n# Read\n", "reading"),
        ("# Papers\n\n## Reading\n\n{}", "reading"),
        ("# Week 1\n\n## Reading\n\n{}\n# Week 2\n\n## Reading\n", None),
        ("# Mine\n\n## Reading\n\n{}\n# Ours\n\n## Reading\n\n## Read\n", "reading"),
        ("# To Review\n\n{}", "to read"),
    ],
)
def test_page_named_reading_is_a_reading_list(text, state):
    doc = Document(text.format("* [A](https://arxiv.org/abs/1706.03762)\n").encode())
    assert [entry.state for entry in doc.entries] == [state]
    if state is None:
        assert mark(doc, doc.entries[0], "read") is None
