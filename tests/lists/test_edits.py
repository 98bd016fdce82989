"""Exact edits: what is written, and that nothing else is."""

import random
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from studiolo.errors import ListError, StaleEdit, StudioloError, UsageError
from studiolo.lists import (
    Document,
    Edit,
    Entry,
    Item,
    annotate,
    apply_edits,
    edited,
    insert,
    inverse,
    mark,
    move,
)
from studiolo.lists.edits import said_by


def doc_of(text):
    return Document(textwrap.dedent(text).lstrip("\n").encode())


def assert_becomes(doc, edits, text, *, touched=(), added=0):
    """The edits make exactly `text` of `doc`, and their inverse makes `doc` of it."""
    new = edited(doc, edits, touched=touched, added=added)
    assert new.data.decode() == textwrap.dedent(text).lstrip("\n")
    assert apply_edits(new.data, inverse(edits)) == doc.data


ITEM = Item(
    "Attention Is All You Need",
    "https://arxiv.org/abs/1706.03762",
    name="Transformer",
    authors=("Ashish Vaswani", "Noam Shazeer"),
    year=2017,
)


def test_stale_edit_is_refused_and_says_what_is_there():
    with pytest.raises(StaleEdit, match=r"Line 2 no longer reads 'b' but 'x'. Nothing was changed"):
        apply_edits(b"a\nx\n", [Edit(2, b"b", b"c")])


def test_edits_behind_the_end_are_stale():
    with pytest.raises(StaleEdit):
        apply_edits(b"a", [Edit(5, b"", b"c")])


def test_overlapping_edits_are_refused():
    with pytest.raises(ListError, match="Two edits overlap at byte 1"):
        apply_edits(b"abc", [Edit(0, b"ab", b""), Edit(1, b"bc", b"")])


def test_insertions_at_one_place_keep_their_order():
    assert apply_edits(b"ab", [Edit(1, b"", b"1"), Edit(1, b"", b"2")]) == b"a12b"


def test_edit_that_would_change_another_entry_is_refused():
    doc = doc_of("""
        * [One](https://arxiv.org/abs/2101.00001)
        * [Two](https://arxiv.org/abs/2101.00002)
    """)
    line = doc.data.split(b"\n")[1]
    with pytest.raises(ListError, match="would change more than it should"):
        edited(doc, [Edit(doc.data.index(line), b"*", b"  *")], touched=[doc.entries[0]])


def test_entry_of_an_older_document_is_refused():
    old = doc_of("* [One](https://arxiv.org/abs/2101.00001)\n")
    new = doc_of("text\n\n* [One](https://arxiv.org/abs/2101.00001)\n")
    with pytest.raises(
        ListError, match=r"'One' is not at line 1 of this list any more. Read the list again"
    ):
        annotate(new, old.entries[0], "note")


STYLES = [
    (
        '* ["Old Title" - 2019 - Some Body -](https://arxiv.org/abs/2101.00001)',
        '* ["Attention Is All You Need" - 2017 - Ashish Vaswani, Noam Shazeer](https://arxiv.org/abs/1706.03762)',
    ),
    (
        "- OLD - Old title of some sort - 2016 - https://arxiv.org/abs/2101.00001",
        "- Transformer - Attention Is All You Need - 2017 - https://arxiv.org/abs/1706.03762",
    ),
    (
        "+ [Old Title](https://arxiv.org/pdf/2101.00001v2.pdf) - 2019",
        "+ [Attention Is All You Need](https://arxiv.org/abs/1706.03762) - 2017",
    ),
    ("*  https://arxiv.org/abs/2101.00001", "*  https://arxiv.org/abs/1706.03762"),
    (
        "* OLD - 2020 - [Old Title](https://arxiv.org/abs/2101.00001)",
        "* Transformer - 2017 - [Attention Is All You Need](https://arxiv.org/abs/1706.03762)",
    ),
    (
        '* 1999 - ["Old Title"](https://arxiv.org/abs/2101.00001) - Some Body',
        '* 2017 - ["Attention Is All You Need"](https://arxiv.org/abs/1706.03762) - Ashish Vaswani, Noam Shazeer',
    ),
    (
        "- (2022-09) **Old Title** [paper](https://arxiv.org/abs/2101.00001)",
        "- (2017) **Attention Is All You Need** [paper](https://arxiv.org/abs/1706.03762)",
    ),
    (
        "- [ ] [Old Title](https://arxiv.org/abs/2101.00001)",
        "- [ ] [Attention Is All You Need](https://arxiv.org/abs/1706.03762)",
    ),
    (
        "3. [Old Title](https://arxiv.org/abs/2101.00001)",
        "4. [Attention Is All You Need](https://arxiv.org/abs/1706.03762)",
    ),
    (
        "  1) [Old Title](https://arxiv.org/abs/2101.00001)",
        "  2) [Attention Is All You Need](https://arxiv.org/abs/1706.03762)",
    ),
    (
        "* **[Old Title](https://arxiv.org/abs/2101.00001)** (2019)",
        "* **[Attention Is All You Need](https://arxiv.org/abs/1706.03762)** (2017)",
    ),
]


@pytest.mark.parametrize(("old", "new"), STYLES, ids=[new for _, new in STYLES])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("final", [True, False], ids=["final newline", "none"])
def test_new_item_is_written_as_its_neighbour(old, new, newline, final):
    text = newline.join(["# P", "", old]) + (newline if final else "")
    doc = Document(text.encode())
    made = edited(doc, insert(doc, ITEM, "P"), added=1)
    assert made.data.decode() == newline.join(["# P", "", old, new]) + (newline if final else "")
    assert str(made.entries[-1].key) == "arxiv:1706.03762"


def test_blank_lines_between_neighbours_are_kept():
    doc = doc_of("""
        # P

        * [A](https://arxiv.org/abs/2101.00001)

        * [B](https://arxiv.org/abs/2101.00002)

        ## Q
    """)
    assert_becomes(
        doc,
        insert(doc, ITEM, "P"),
        """
        # P

        * [A](https://arxiv.org/abs/2101.00001)

        * [B](https://arxiv.org/abs/2101.00002)

        * [Attention Is All You Need](https://arxiv.org/abs/1706.03762)

        ## Q
    """,
        added=1,
    )


def test_empty_section_gets_its_first_item_before_a_closing_comment():
    doc = doc_of("""
        # P

        * [A](https://arxiv.org/abs/2101.00001)
          * note

        ## Empty

        <!-- TAGS
        -->
    """)
    item = Item("T", "https://arxiv.org/abs/1706.03762", notes=("from a friend",))
    assert_becomes(
        doc,
        insert(doc, item, "P > Empty"),
        """
        # P

        * [A](https://arxiv.org/abs/2101.00001)
          * note

        ## Empty

        * [T](https://arxiv.org/abs/1706.03762)
          * from a friend

        <!-- TAGS
        -->
    """,
        added=1,
    )


def test_list_without_items_gets_one_below_its_heading():
    assert_becomes(
        doc_of("# P"),
        insert(doc_of("# P"), Item("T", "https://arxiv.org/abs/1706.03762"), "P"),
        "# P\n\n* [T](https://arxiv.org/abs/1706.03762)",
        added=1,
    )


def test_new_row_fills_the_columns_that_are_called_so():
    doc = doc_of("""
        # P

        | Year | Paper | Authors | Read? | Notes |
        |------|-------|---------|-------|-------|
        | 2019 | [A](https://arxiv.org/abs/2101.00001) | Some Body | ✅ | |
    """)
    item = Item(
        "A|B", "https://arxiv.org/abs/1706.03762", authors=("X Y",), year=2017, notes=("n",)
    )
    new = edited(doc, insert(doc, item, "P"), added=1)
    assert new.data.decode().splitlines()[-1] == (
        "| 2017 | [A\\|B](https://arxiv.org/abs/1706.03762) | X Y |  | n |"
    )
    entry = new.entries[-1]
    assert (entry.title, entry.year, entry.authors, entry.state) == (
        "A|B",
        2017,
        ("X Y",),
        "to read",
    )


@pytest.mark.parametrize(
    "title",
    [
        "<script>alert(1)</script> in titles",
        "Brackets [and] *stars* and `code` and back\\slash",
        "\u202eright to left\u202c and \u200f marks",
        "# not a heading",
        "1. not a number",
        "line\nbreaks\r\nin it",
        "&amp; entities &lt;",
        "a_b_c and _emphasis_",
        "x" * 10_000,
    ],
    ids=lambda title: title[:12],
)
def test_title_of_any_kind_stays_data(title):
    doc = doc_of("# P\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    new = edited(doc, insert(doc, Item(title, "https://arxiv.org/abs/1706.03762"), "P"), added=1)
    assert new.entries[-1].title == " ".join(title.split())
    assert new.data.count(b"\n") == doc.data.count(b"\n") + 1
    plain = doc_of("# P\n\n* AAA - Some title of it - 2016 - https://arxiv.org/abs/2101.00001\n")
    more = edited(
        plain, insert(plain, Item(title, "https://arxiv.org/abs/1706.03762"), "P"), added=1
    )
    assert more.entries[-1].title == " ".join(title.split())


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a(b",
        "https://example.org/a b",
        "https://example.org/a)b(c",
        "https://example.org/<x>",
    ],
)
def test_address_of_any_kind_stays_an_address(url):
    doc = doc_of("# P\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    new = edited(doc, insert(doc, Item("T", url), "P"), added=1)
    assert len(new.entries[-1].links) == 1
    assert new.entries[-1].title == "T"


def test_unknown_section_is_told_which_there_are():
    with pytest.raises(UsageError, match=r"has no section 'Q'. It has: P; One"):
        insert(doc_of("# P\n## One\n"), ITEM, "Q")


def test_section_that_stands_twice_needs_its_path():
    doc = doc_of("# A\n## Misc\n* x\n# B\n## Misc\n* y\n")
    with pytest.raises(
        UsageError, match=r"2 sections 'Misc': A > Misc \(line 2\), B > Misc \(line 5\)"
    ):
        insert(doc, ITEM, "Misc")
    assert edited(doc, insert(doc, ITEM, "B > Misc"), added=1).entries[-1].section == ("B", "Misc")


def test_note_is_nested_as_the_others_are():
    doc = doc_of("""
        *   [A](https://arxiv.org/abs/2101.00001)
            +   old note
        *   [B](https://arxiv.org/abs/2101.00002)
    """)
    for entry in doc.entries:
        new = edited(doc, annotate(doc, entry, "new\nnote"), touched=[entry])
        assert "            +   new note\n" not in new.data.decode()
        assert "    +   new note\n" in new.data.decode()
        index = doc.entries.index(entry)
        assert new.entries[index].notes[-1].text == "new note"


@pytest.mark.parametrize(
    ("item", "note"),
    [
        ("* [A](https://a.org/x)", "  * n"),
        ("- a", "  - n"),
        ("10. a", "    - n"),
        ("-\ta", "    - n"),
        ("   * a", "     * n"),
    ],
)
def test_first_note_of_a_list_is_indented_to_belong(item, note):
    doc = Document(item.encode())
    new = edited(doc, annotate(doc, doc.entries[0], "n"), touched=doc.entries)
    assert new.data.decode() == f"{item}\n{note}"
    assert [n.text for n in new.entries[0].notes] == ["n"]


def test_note_of_a_row_goes_into_the_column_of_notes():
    doc = doc_of("""
        |Paper|Notes|
        |-|-|
        |[A](https://arxiv.org/abs/2101.00001)||
        |[B](https://arxiv.org/abs/2101.00002)| old |
    """)
    new = edited(doc, annotate(doc, doc.entries[0], "one | two"), touched=[doc.entries[0]])
    assert new.entries[0].notes[0].text == "one | two"
    new = edited(doc, annotate(doc, doc.entries[1], "more"), touched=[doc.entries[1]])
    assert new.entries[1].notes[0].text == "old; more"


def test_row_without_a_column_of_notes_says_so():
    doc = doc_of("|Paper|\n|-|\n|[A](https://arxiv.org/abs/2101.00001)|\n")
    with pytest.raises(
        ListError, match=r"'A' \(line 3\) is a row of a table that has no column for notes"
    ):
        annotate(doc, doc.entries[0], "n")


def test_item_in_a_quotation_is_left_to_the_reader():
    doc = doc_of("> * [A](https://arxiv.org/abs/2101.00001)\n")
    with pytest.raises(ListError, match=r"'A' \(line 1\) stands in a quotation"):
        annotate(doc, doc.entries[0], "n")


def test_nested_entry_moves_to_the_margin():
    doc = doc_of("""
        # P

        * Boosting
          * [A](https://arxiv.org/abs/2101.00001)
            * note
          * [B](https://arxiv.org/abs/2101.00002)

        # Q

        * [C](https://arxiv.org/abs/2101.00003)
    """)
    entry = doc.entries[1]
    assert_becomes(
        doc,
        move(doc, entry, "Q"),
        """
        # P

        * Boosting
          * [B](https://arxiv.org/abs/2101.00002)

        # Q

        * [C](https://arxiv.org/abs/2101.00003)
        * [A](https://arxiv.org/abs/2101.00001)
          * note
    """,
        touched=[entry],
    )


def test_row_moves_between_tables_of_the_same_columns_only():
    doc = doc_of("""
        # P
        |Paper|Year|
        |-|-|
        |[A](https://arxiv.org/abs/2101.00001)|2020|
        # Q
        |Paper|Year|
        |-|-|
        |[B](https://arxiv.org/abs/2101.00002)|2021|
        # R
        |Other|
        |-|
    """)
    entry = doc.entries[0]
    new = edited(doc, move(doc, entry, "Q"), touched=[entry])
    assert [(e.title, e.section) for e in new.entries] == [("B", ("Q",)), ("A", ("Q",))]
    with pytest.raises(ListError, match="has no table with the same columns"):
        move(doc, entry, "R")


def test_moving_where_it_is_changes_nothing(seed):
    last = seed.entries[-1]
    assert move(seed, last, "Transformers") == ()


class Naive:
    """A list as Python lists of lines: sections of blocks of lines."""

    def __init__(self, sections):
        self.sections = [[list(item) for item in items] for items in sections]

    def text(self):
        out = []
        for i, items in enumerate(self.sections):
            out += [f"# S{i}", ""]
            for item in items:
                out += item
            out.append("")
        return "\n".join(out) + "\n"


def line_of(number):
    return f"* [Title {number}](https://arxiv.org/abs/2101.{number:05d})"


@pytest.mark.parametrize("seed", range(10))
def test_hundred_random_edits_equal_a_naive_model(seed):
    rng = random.Random(seed)
    model = Naive([[[line_of(10 * i + j)] for j in range(3)] for i in range(4)])
    doc = Document(model.text().encode())
    fresh = 1000
    done = dict.fromkeys(("insert", "note", "move", "undo"), 0)
    while sum(done.values()) < 100:
        assert doc.data.decode() == model.text()
        what = rng.choice(tuple(done))
        s = rng.randrange(4)
        item = rng.randrange(len(model.sections[s])) if model.sections[s] else None
        before = doc
        touched, added = [], 0
        if what == "insert":
            edits = insert(
                doc, Item(f"Title {fresh}", f"https://arxiv.org/abs/2101.{fresh:05d}"), f"S{s}"
            )
            change = [("insert", s, [line_of(fresh)])]
            fresh, added = fresh + 1, 1
        elif item is None:
            continue
        else:
            wanted = model.sections[s][item][0]
            entry = next(e for e in doc.entries if e.text.startswith(wanted))
            touched = [entry]
            if what == "move":
                to = rng.randrange(4)
                if len(model.sections[s]) == 1:
                    continue  # an emptied section keeps a blank line more than the model
                edits = move(doc, entry, f"S{to}")
                change = [("move", s, item, to)]
            else:
                edits = annotate(doc, entry, f"note {fresh}")
                change = [("note", s, item, f"  * note {fresh}")]
                fresh += 1
        doc = edited(doc, edits, touched=touched, added=added)
        done[what] += 1
        if what == "undo":
            doc = Document(apply_edits(doc.data, inverse(edits)))
            assert doc.data == before.data
            continue
        for step in change:
            if step[0] == "insert":
                model.sections[step[1]].append(step[2])
            elif step[0] == "note":
                model.sections[step[1]][step[2]].append(step[3])
            else:
                model.sections[step[3]].append(model.sections[step[1]].pop(step[2]))
    assert doc.data.decode() == model.text()
    assert min(done.values()) > 10


def test_any_edit_of_any_list_is_exact_or_refused(markdown):
    item = Item("New", "https://arxiv.org/abs/2601.00001", notes=("n",))

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(markdown, st.integers(0, 10**6))
    def holds(text, pick):
        doc = Document(text.encode())
        places = [section.path for section in doc.sections if section.path]
        place = places[pick % len(places)] if places else ("none",)
        todo = [(lambda: insert(doc, item, place), [], 1)]
        if doc.entries:
            entry = doc.entries[pick % len(doc.entries)]
            todo += [
                (lambda: annotate(doc, entry, "a note"), [entry], 0),
                (lambda: move(doc, entry, place), [entry], 0),
                (lambda: mark(doc, entry, "read"), [entry], 0),
                (lambda: mark(doc, entry, "to read"), [entry], 0),
            ]
        for make, touched, added in todo:
            try:
                edits = make() or ()
                new = edited(doc, edits, touched=touched, added=added if edits else 0)
            except StudioloError:
                continue
            assert apply_edits(new.data, inverse(edits)) == doc.data
            assert len(new.entries) == len(doc.entries) + (added if edits else 0)

    holds()


@pytest.mark.parametrize("behind", ["Words of its own.", "Words\n-----", "| a |\n| - |\n| b |"])
def test_new_last_item_does_not_take_the_words_behind_the_list(behind):
    doc = Document(
        f"# A\n\n- [Sparse Maps](https://a.org/x) - ICLR 2020\n- \n{behind}\n\n# B\n\n"
        "- [Dense Maps](https://a.org/y) - ICLR 2021\n".encode()
    )
    for edits, touched, added in (
        (insert(doc, ITEM, "A"), (), 1),
        (move(doc, doc.entries[-1], "A"), doc.entries[-1:], 0),
    ):
        new = edited(doc, edits, touched=touched, added=added)
        assert f"\n\n{behind}\n" in new.data.decode()
        assert not any("Words" in entry.text for entry in new.entries)
        assert apply_edits(new.data, inverse(edits)) == doc.data


def test_heading_right_behind_a_list_stays_there():
    doc = doc_of("# A\n- [Sparse Maps](https://a.org/x)\n# B\n")
    assert b"\n\n" not in edited(doc, insert(doc, ITEM, "A"), added=1).data


def test_edit_of_a_long_list_reads_no_more_words_than_it_must(monkeypatch):
    lines = [
        f"* [Sparse Maps of Part {i}](https://arxiv.org/abs/2101.{i:05})\n" for i in range(500)
    ]
    doc = Document("".join(["# L\n\n", *lines]).encode())
    read = []
    name = Entry.__dict__["_naming"].func
    monkeypatch.setattr(
        Entry.__dict__["_naming"], "func", lambda entry: (read.append(entry.line), name(entry))[1]
    )
    entry = doc.entries[250]
    new = edited(doc, annotate(doc, entry, "mine"), touched=[entry])
    assert len(set(read)) < 5
    doc.entries[7].title  # noqa: B018
    again = edited(doc, annotate(doc, entry, "mine"), touched=[entry])
    read.clear()
    assert again.entries[7].title == "Sparse Maps of Part 7"
    assert not read
    assert new.entries == again.entries


LINES = [
    "* [A Title of Maps](https://arxiv.org/abs/2101.00001)",
    "* [A][1]",
    "[1]: https://arxiv.org/abs/2101.00002",
    "[1]: https://arxiv.org/abs/2101.00003",
    "* B - 2019",
    "* **C** #tag",
    "* *Ada Some, Ben Other*",
    "  * note",
    "  * Q: why?",
    "  * A: so",
    "  * [code](https://github.com/a/b)",
    "| a | b |\n| - | - |\n| [T](https://arxiv.org/abs/2101.00004) | 2019 |",
    "# To Review",
    "# Read",
]


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(LINES),
        max_size=14,
    ),
    more=st.lists(st.sampled_from(["* [A][1]", "# Read", "* B - 2019", "  * note"]), max_size=3),
    at=st.integers(0, 14),
)
def test_entries_that_are_made_of_the_same_are_read_alike(lines, more, at):
    """What an edit compares says as much as what it would have to read for it."""
    docs = [
        Document("\n".join(some).encode()) for some in (lines, [*lines[:at], *more, *lines[at:]])
    ]
    told = {}
    for doc in docs:
        for entry in doc.entries:
            seen = (*said_by(entry), entry.section, entry.state)
            assert told.setdefault(entry.made_of(), seen) == seen
