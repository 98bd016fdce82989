"""Notes, marks and moves: what is written is read again as it was meant, among whatever neighbours it comes to stand."""

import pytest

from studiolo.errors import ListError
from studiolo.lists import Document, annotate, apply_edits, edited, inverse, left_out, mark, move


ONE = "[Sparse Maps](https://arxiv.org/abs/1804.04235)"
TWO = "[Other Maps](https://arxiv.org/abs/1909.13719)"


def noted(text, note, number=0, **more):
    """Return the list with a note on one of its entries, and that entry."""
    doc = Document(text.encode())
    entry = doc.entries[number]
    edits = annotate(doc, entry, note, **more)
    new = edited(doc, edits, touched=[entry])
    assert apply_edits(new.data, inverse(edits)) == doc.data
    return new.data.decode(), next(e for e in new.entries if e.title == entry.title)


BEGINNINGS = [
    ("# x", r"\# x"),
    ("###### x", r"\###### x"),
    ("1. x", r"1\. x"),
    ("12) x", r"12\) x"),
    ("- x", r"\- x"),
    ("* x", r"\* x"),
    ("+ x", r"\+ x"),
    ("---", r"\---"),
    ("***", r"\***"),
    ("_ _ _", r"\_ _ _"),
    ("> x", r"\> x"),
    ("```", r"\```"),
    ("``` python", r"\``` python"),
    ("~~~ x", r"\~~~ x"),
    ("<!-- x", "&lt;!-- x"),
    ("see <!-- x --> y", "see &lt;!-- x --> y"),
    ("<div>", "&lt;div>"),
    ("<script>x", "&lt;script>x"),
    ("<?php", "&lt;?php"),
    ("<https://b.org> is it", "<https://b.org> is it"),
    ("[a]: https://b.org", r"\[a]: https://b.org"),
    ("===", "==="),
    ("| a | b |", "| a | b |"),
    ("#x", "#x"),
    ("1.5 times", "1.5 times"),
    ("-1", "-1"),
    ("2019 was good", "2019 was good"),
    ("\tx\ty", "x y"),
    ("    x", "x"),
    ("x\ny", "x y"),
]


@pytest.mark.parametrize(("note", "line"), BEGINNINGS, ids=[note for note, _ in BEGINNINGS])
def test_note_that_would_begin_a_block_is_escaped(note, line):
    text, entry = noted(f"# S\n* {ONE}\n* {TWO}\n", note)
    assert text == f"# S\n* {ONE}\n  * {line}\n* {TWO}\n"
    assert [n.text for n in entry.notes] == [
        " ".join(note.split()).replace("<https://b.org>", "https://b.org")
    ]


def test_paragraphs_and_items_of_a_note_are_a_note_each():
    text, entry = noted(f"* {ONE}\n", "first\nof two lines\n\nsecond\n\n- a\n- b\n1. c\n")
    assert text == f"* {ONE}\n  * first of two lines\n  * second\n  * a\n  * b\n  * c\n"
    assert [n.text for n in entry.notes] == ["first of two lines", "second", "a", "b", "c"]


def test_notes_below_numbered_notes_go_on_counting():
    text, _ = noted(f"- {ONE}\n  1. old\n  2. older\n", "x\n\ny")
    assert text.endswith("  2. older\n  3. x\n  4. y\n")


def test_question_and_link_alone_are_read_as_such():
    _, entry = noted(f"* {ONE}\n", "Q: why so sparse?")
    assert [q.text for q in entry.questions] == ["why so sparse?"]
    _, entry = noted(f"* {ONE}\n", "https://github.com/a/b")
    assert entry.links[-1].url == "https://github.com/a/b"


def test_note_that_would_not_be_read_is_refused():
    with pytest.raises(ListError, match=r"This note would not read back below 'Sparse Maps'"):
        noted(f"* {ONE}\n\n  ```\n  never closed\n", "x")


def test_note_that_would_change_the_work_of_its_row_is_refused():
    rows = "| # | Time | Description |\n|---|---|---|\n| 1 | 45 minutes | baseline |\n| 2 | 24 minutes | [Muon](https://arxiv.org/abs/2502.16982) |\n"
    doc = Document(rows.encode())
    assert annotate(doc, doc.entries[0], "plain words")
    for entry, note in zip(
        doc.entries, ("see [this](https://a.org/x)", "plain words"), strict=True
    ):
        with pytest.raises(ListError, match="would not read back in the row"):
            annotate(doc, entry, note)


TABLE = f"""\
| **Title** | **Read?** | **Notes** |
|---|---|---|
| {ONE} | no | |
| {TWO} | no | x |
"""


def test_headings_in_bold_are_columns_to_read_and_to_write():
    doc = Document(TABLE.encode())
    first = doc.entries[0]
    new = edited(doc, mark(doc, first, "read"), touched=[first])
    assert (new.entries[0].state, new.entries[1].state) == ("read", "to read")
    assert f"| {ONE} | yes | |" in new.data.decode()
    text, entry = noted(TABLE, "# a | b <!-- c\\", 1)
    assert entry.notes[0].text == "x; # a | b <!-- c\\"
    assert text.count("\n") == TABLE.count("\n")


def test_note_of_a_row_without_a_column_goes_below_the_table_if_it_may():
    table = f"# S\n\n|Paper|\n|-|\n|{ONE}|\n\n# T\n"
    with pytest.raises(ListError, match="has no column for notes"):
        noted(table, "x")
    text, _ = noted(table, "1. x", below=True)
    assert text == f"# S\n\n|Paper|\n|-|\n|{ONE}|\n\nSparse Maps: 1\\. x\n\n# T\n"


def test_mark_in_a_sentence_is_no_state_of_the_list():
    doc = Document(f"- ✅ What works and ❌ what does not\n\n# Papers\n1. {ONE}\n".encode())
    assert mark(doc, doc.entries[-1], "read") is None


def test_list_of_features_shows_no_states():
    doc = Document(f"- ✅ fast\n- ✅ small\n\n# Papers\n- {ONE}\n- {TWO}\n".encode())
    assert mark(doc, doc.entries[-1], "read") is None


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (f"- ✅ {TWO}", f"- ✅ {ONE}"),
        (f"- {TWO} ✅", f"- {ONE} ✅"),
        (f"- {TWO} ✔️", f"- {ONE} ✔️"),
    ],
)
def test_mark_stands_where_other_works_have_theirs(other, line):
    doc = Document(f"{other}\n- {ONE}\n".encode())
    entry = doc.entries[1]
    new = edited(doc, mark(doc, entry, "read"), touched=[entry])
    assert new.data.decode() == f"{other}\n{line}\n"
    assert new.entries[1].state == "read"
    back = edited(new, mark(new, new.entries[1], "to read"), touched=[new.entries[1]])
    assert back.data == doc.data


@pytest.mark.parametrize(("state", "heading"), [("to read", "# To Read"), ("reading", "# Reading")])
def test_state_that_the_list_has_no_heading_for_is_refused(state, heading):
    doc = Document(f"# Read\n* {ONE}\n".encode())
    with pytest.raises(
        ListError, match=f"no heading for what is {state}. Write one, such as `{heading}`"
    ):
        mark(doc, doc.entries[0], state)


def moved(text, title, section):
    doc = Document(text.encode())
    entry = next(e for e in doc.entries if e.title == title)
    edits = move(doc, entry, section)
    new = edited(doc, edits, touched=[entry])
    assert apply_edits(new.data, inverse(edits)) == doc.data
    return new


NUMBERED = """\
# A
1. [One](https://arxiv.org/abs/1804.04235)
2. [Two](https://arxiv.org/abs/1909.13719)
3. [Three](https://arxiv.org/abs/1909.13720)
   - a note

# B
1. [Four](https://arxiv.org/abs/1909.13721)

# C
* [Five](https://arxiv.org/abs/1909.13722)
  * other

# D

- [ ] [Six](https://arxiv.org/abs/1909.13723)

- [ ] [Seven](https://arxiv.org/abs/1909.13724)

# E
9) [Eight](https://arxiv.org/abs/1909.13725)

# F
"""


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        ("B", "\n2. [Three](https://arxiv.org/abs/1909.13720)\n   - a note\n"),
        ("C", "\n* [Three](https://arxiv.org/abs/1909.13720)\n   - a note\n"),
        ("D", "\n\n- [Three](https://arxiv.org/abs/1909.13720)\n   - a note\n"),
        ("E", "\n10) [Three](https://arxiv.org/abs/1909.13720)\n    - a note\n"),
        ("F", "\n# F\n\n1. [Three](https://arxiv.org/abs/1909.13720)\n   - a note\n"),
    ],
)
def test_moved_item_takes_marker_number_and_gap_of_its_new_neighbours(section, lines):
    new = moved(NUMBERED, "Three", section)
    assert lines in new.data.decode()
    entry = next(e for e in new.entries if e.title == "Three")
    assert [n.text for n in entry.notes] == ["a note"]
    assert entry.section == (section,)
    assert "2. [Two]" in new.data.decode()


NESTED = f"""\
# To Review
* Topic
  * {ONE}
    * a note
* {TWO}

# Read
* Old
"""


def test_nested_entries_move_and_are_marked_along():
    new = moved(NESTED, "Topic", "Read")
    assert [(e.title, e.section) for e in new.entries] == [
        ("Other Maps", ("To Review",)),
        ("Old", ("Read",)),
        ("Topic", ("Read",)),
        ("Sparse Maps", ("Read",)),
    ]
    doc = Document(NESTED.encode())
    topic = doc.entries[0]
    marked = edited(doc, mark(doc, topic, "read"), touched=[topic])
    assert {e.title: e.state for e in marked.entries} == {
        "Other Maps": "to read", "Old": "read", "Topic": "read", "Sparse Maps": "read",
    }  # fmt: skip


def test_edit_that_loses_a_nested_entry_is_refused():
    doc = Document(NESTED.encode())
    topic = doc.entries[0]
    edits = move(doc, topic, "Read")
    broken = [type(e)(e.start, e.old, e.new.replace(b"1804.04235", b"1804.04236")) for e in edits]
    with pytest.raises(
        ListError, match=r"would change more than it should \(the entry 'Sparse Maps'"
    ):
        edited(doc, broken, touched=[topic])


TABLES = f"""\
# A

|Paper|Year|Notes|Who|
|-|-|-|-|
|{ONE}|2018|mine|Ada|

# B

| Year | Paper |
|------|-------|
| 2019 | {TWO} |

# C

* nothing
"""


def test_row_moves_into_the_columns_of_another_table():
    doc = Document(TABLES.replace("|mine|Ada|", "||-|").encode())
    (entry, _, _) = doc.entries
    new = edited(doc, move(doc, entry, "B"), touched=[entry])
    assert (
        new.data.decode()
        .split("# B")[1]
        .startswith(f"\n\n| Year | Paper |\n|------|-------|\n| 2019 | {TWO} |\n| 2018 | {ONE} |\n")
    )
    assert new.entries[1].year == 2018


def test_cells_without_a_column_are_named_and_left_out_or_written_below():
    doc = Document(TABLES.encode())
    (entry, other, _) = doc.entries
    section = doc.section_of(other)
    assert left_out(doc, entry, section) == ("Notes: mine", "Who: Ada")
    with pytest.raises(ListError, match="there is none for Notes: mine and Who: Ada"):
        move(doc, entry, "B")
    new = edited(doc, move(doc, entry, "B", below=True), touched=[entry])
    assert new.data.decode().split("# B")[1] == (
        f"\n\n| Year | Paper |\n|------|-------|\n| 2019 | {TWO} |\n| 2018 | {ONE} |\n\n"
        "Sparse Maps: Notes: mine; Who: Ada\n\n# C\n\n* nothing\n"
    )
    new = edited(doc, move(doc, entry, "B", below=False), touched=[entry])
    assert b"mine" not in new.data
    with pytest.raises(ListError, match="has no table"):
        move(doc, entry, "C")
