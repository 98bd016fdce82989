"""The bytes are the document."""

import pytest
from hypothesis import given, settings, strategies as st

from studiolo.errors import ListError
from studiolo.lists import Document, Edit, edited, insert
from studiolo.lists.style import Item


def everything(doc):
    """Read all there is; return how much."""
    return [
        len(part)
        for part in (doc.entries, doc.headings, doc.links, doc.images, doc.questions, doc.tags)
    ]


def assert_ranges_hold(doc):
    """Every range that a document names lies inside it, in order, and is the text it says it is."""
    size = len(doc.data)
    for block in doc.root.walk():
        assert 0 <= block.start <= block.end <= size
        assert all(block.start <= a <= b <= size for a, b in block.content)
        for child in block.children:
            assert block.start <= child.start
            assert child.end <= block.end
    for entry in doc.entries:
        start, end = entry.span
        assert doc.data[start:end].decode("utf-8", "replace") == entry.text
        assert doc.data.count(b"\n", 0, start) + 1 == entry.line
    for link in (*doc.links, *doc.images):
        start, end = link.span
        assert 0 <= start < end <= size
        assert doc.data.count(b"\n", 0, start) + 1 == link.line


def test_real_list_is_returned_byte_for_byte(real_list):
    data = real_list.read_bytes()
    doc = Document.load(real_list)
    everything(doc)
    assert doc.data == data
    assert_ranges_hold(doc)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_document(data):
    doc = Document(data)
    everything(doc)
    assert doc.data == data
    assert_ranges_hold(doc)


def test_any_markdown_is_a_document(markdown):
    @settings(max_examples=400, deadline=None)
    @given(markdown)
    def holds(text):
        doc = Document(text.encode("utf-8", "surrogatepass"))
        everything(doc)
        assert_ranges_hold(doc)

    holds()


@pytest.mark.parametrize(
    ("data", "newline"),
    [(b"", b"\n"), (b"a", b"\n"), (b"a\r\nb\r\n", b"\r\n"), (b"a\nb\r\n", b"\n"), (b"a\n", b"\n")],
)
def test_newline_is_that_of_most_lines(data, newline):
    assert Document(data).newline == newline


def test_byte_order_mark_hides_nothing():
    doc = Document(b"\xef\xbb\xbf# Papers\n\n* [A](https://arxiv.org/abs/2105.03824)\n")
    assert doc.headings[0].text == "Papers"
    assert [str(e.key) for e in doc.entries] == ["arxiv:2105.03824"]


def test_file_that_is_not_utf8_is_shown_and_never_written():
    doc = Document("# Übersicht\n\n* [Größe](https://arxiv.org/abs/2105.03824)\n".encode("latin-1"))
    assert [str(e.key) for e in doc.entries] == ["arxiv:2105.03824"]
    assert doc.entries[0].title == "Gr\ufffd\ufffde"
    assert not doc.writable
    with pytest.raises(ListError, match=r"is not UTF-8, so Studiolo can only show it. Convert it"):
        edited(doc, [Edit(0, b"#", b"##")])


def test_one_edit_leaves_all_other_lines_alone(real_list):
    doc = Document.load(real_list)
    places = [s for s in doc.sections if s.path and s.items]
    if not places or not doc.writable:
        pytest.skip("a list without items below headings")
    lines = doc.data.split(b"\n")
    for place in places[:: max(1, len(places) // 8)]:
        paths = [s.path for s in doc.sections]
        if paths.count(place.path) > 1:
            continue
        item = Item("A New Title", "https://arxiv.org/abs/2601.00001", year=2026)
        new = edited(doc, insert(doc, item, place.path), added=1)
        after = new.data.split(b"\n")
        added = len(after) - len(lines)
        at = next(
            (i for i, (a, b) in enumerate(zip(lines, after, strict=False)) if a != b), len(lines)
        )
        assert 1 <= added <= 4
        assert lines[:at] == after[:at]
        assert lines[at:] == after[at + added :]
        assert any("2601.00001" in str(key) for e in new.entries for key in e.keys)


def test_reading_leaves_the_bytes_given_alone():
    data = bytearray(b"* a\n")
    doc = Document(bytes(data))
    data[0:1] = b"-"
    assert doc.data == b"* a\n"


def test_missing_file_is_named():
    with pytest.raises(ListError, match=r"The list nowhere.md cannot be read: No such file"):
        Document.load("nowhere.md")
