"""New sections stand where the list's own would, and what is removed leaves every other byte as it was."""

import pytest

from studiolo.errors import ListError, UsageError
from studiolo.lists import Document, edited, find_section, new_section, remove


LIST = (
    "# To Review\n\n## A\n\n* [One](https://arxiv.org/abs/2101.00001)\n  * note\n* [Two](https://arxiv.org/abs/2101.00002)\n\n"
    "# Read\n\n## A\n\n* [Three](https://arxiv.org/abs/2101.00003)\n\n<!-- TAGS\n-->\n"
)


@pytest.mark.parametrize(
    ("text", "name", "path", "new"),
    [
        (LIST, "B", ("To Review", "B"), "00002)\n\n## B\n\n# Read"),
        (LIST, "Read > B", ("Read", "B"), "00003)\n\n## B\n\n<!-- TAGS"),
        (LIST, "to review > a > C", ("To Review", "A", "C"), "00002)\n\n### C\n\n# Read"),
        ("# Page\n\n## A\n\n* x\n", "B", ("Page", "B"), "* x\n\n## B\n"),
        ("# A\n\n* x\n\n# B\n\n* y", "C", ("C",), "* y\n\n# C"),
        ("A\n=\n\nB\n-\n\n* x\n", "C", ("A", "C"), "* x\n\nC\n---\n"),
        ("* x\n", "C", ("C",), "* x\n\n## C\n"),
        ("", "C", ("C",), "## C\n"),
        (LIST, "a*b", ("To Review", "a*b"), "## a\\*b\n"),
    ],
)
def test_new_section_stands_beside_its_kind(text, name, path, new):
    document = Document(text.encode())
    edits, found = new_section(document, name)
    after = edited(document, edits)
    assert new in after.data.decode()
    assert found == path
    assert find_section(after, found).path == path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("To Review > A", "has a section 'A' already. Use --section"),
        ("Nowhere > B", "has no section 'Nowhere'"),
        (" ## ", "is empty"),
    ],
)
def test_new_section_that_cannot_be_is_refused(name, sentence):
    with pytest.raises(UsageError, match=sentence):
        new_section(Document(LIST.encode()), name)


def test_seventh_level_is_refused():
    with pytest.raises(UsageError, match="Markdown has six levels"):
        new_section(Document(b"###### F\n\n* x\n"), "F > G")


@pytest.mark.parametrize(
    ("text", "number", "gone"),
    [
        (LIST, 0, "* [One](https://arxiv.org/abs/2101.00001)\n  * note\n"),
        (LIST, 1, "* [Two](https://arxiv.org/abs/2101.00002)\n"),
        (
            "|P|\n|---|\n|[A](https://arxiv.org/abs/2101.00001)|\n|[B](https://arxiv.org/abs/2101.00002)|\n",
            0,
            "|[A](https://arxiv.org/abs/2101.00001)|\n",
        ),
    ],
)
def test_removed_entry_takes_its_own_bytes_alone(text, number, gone):
    document = Document(text.encode())
    entry = document.entries[number]
    edits, below = remove(document, entry)
    assert below == ()
    after = edited(document, edits, touched=[entry], added=-1)
    assert after.data.decode() == text.replace(gone, "")


def test_entries_below_a_removed_one_go_with_it():
    text = "* a group\n  * [A](https://arxiv.org/abs/2101.00001)\n* b\n"
    document = Document(text.encode())
    first, *others = document.entries
    edits, below = remove(document, first)
    assert list(below) == [entry for entry in others if entry.title == "A"]
    assert edited(document, edits, touched=[first, *below], added=-2).data == b"* b\n"


def test_entry_in_a_quotation_is_left_to_the_reader():
    document = Document(b"> * [A](https://arxiv.org/abs/2101.00001)\n")
    with pytest.raises(ListError, match="stands in a quotation"):
        remove(document, document.entries[0])


def test_of_two_sections_of_one_name_the_one_of_the_state_is_meant():
    document = Document(LIST.encode())
    assert find_section(document, "A", prefer="to read").path == ("To Review", "A")
    assert find_section(document, "A", prefer="read").path == ("Read", "A")
    with pytest.raises(UsageError, match="has 2 sections 'A'"):
        find_section(document, "A")
