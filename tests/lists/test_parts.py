"""The parts that Studiolo writes: never read as the reader's words, and no byte outside of them is written."""

import pytest
from hypothesis import given, settings, strategies as st

from studiolo.errors import ListError
from studiolo.lists import Document, apply_edits, outside_parts, part_of, write_part


OURS = (
    b"<!-- studiolo:contents sort=title -->\n"
    b"| Paper | Tags |\n|---|---|\n| [A](https://arxiv.org/abs/2101.00001) | #nlp |\n"
    b"\n## Heading\n\nQ: Is this ours?\n"
    b"<!-- /studiolo:contents -->\n"
)


def written(data, text="new", **options):
    document = Document(data)
    return apply_edits(data, write_part(document, "contents", text, options))


def test_what_stands_between_the_marks_is_not_read():
    document = Document(b"# Title\n\n" + OURS + b"\n* [B](https://arxiv.org/abs/2101.00002)\n")
    assert [entry.title for entry in document.entries] == ["B"]
    assert document.entries[0].section == ("Title",)
    assert (document.tags, document.questions, document.links_outside) == ((), (), ())


def test_part_says_where_it_is_and_what_its_mark_says():
    part = part_of(Document(b"a\n\n" + OURS + b"b\n"), "contents")
    assert (part.line, dict(part.options), part.start) == (3, {"sort": "title"}, 3)
    assert part_of(Document(b"a\n\n" + OURS), "topics") is None


@pytest.mark.parametrize(
    "page",
    [
        b"```\n" + OURS + b"```\n",
        b"> " + OURS.replace(b"\n", b"\n> "),
        b"* item\n\n  " + OURS.replace(b"\n", b"\n  "),
        b"<!--\n" + OURS.replace(b"-->", b""),
        b"<pre>\n" + OURS + b"</pre>\n",
    ],
    ids=["fence", "quotation", "item", "comment", "pre"],
)
def test_marks_that_are_shown_as_text_begin_no_part(page):
    assert part_of(Document(page), "contents") is None


def test_mark_that_nothing_closes_is_said_and_hides_nothing():
    page = b"# A\n\n<!-- studiolo:contents -->\n\n* [B](https://arxiv.org/abs/2101.00002)\n"
    document = Document(page)
    assert len(document.entries) == 1
    with pytest.raises(ListError, match=r"The page:3 opens a part that nothing closes"):
        part_of(document, "contents")


def test_two_parts_for_one_thing_are_refused():
    with pytest.raises(ListError, match=r"has 2 parts for the same thing \(lines 1, 10\)"):
        part_of(Document(OURS + OURS), "contents")


def test_part_is_put_at_the_end_with_a_blank_line_and_then_only_rewritten():
    once = written(b"# A\n\nText without end")
    assert once == (
        b"# A\n\nText without end\n\n<!-- studiolo:contents -->\n\nnew\n\n<!-- /studiolo:contents -->\n"
    )
    assert written(once) == once
    assert written(once + b"mine", "other", sort="title") == once.replace(b"new", b"other").replace(
        b"contents -->\n\no", b"contents sort=title -->\n\no"
    ) + b"mine"  # fmt: skip


def test_lines_end_as_those_of_the_page():
    assert b"\n" not in written(b"# A\r\n\r\nText\r\n", "a\nb").replace(b"\r\n", b"")


def test_part_that_lost_its_words_is_two_marks():
    first, *_, last = OURS.splitlines(keepends=True)
    assert written(OURS, "", sort="title") == first + b"\n" + last


PIECES = st.sampled_from(
    [
        *(b"# A\n", b"text ", b"* item\n", b"  * deep\n", b"\n", b"\r\n", b"> quote\n", b"    code\n", b"| a | b |\n|--|--|\n"),
        *(b"```\n", b"~~~\n", b"<!-- x -->\n", b"<!--", b"-->\n", b"--!>", b"---\n", b"+++\n", b"<pre>\n", b"</pre>\n", b"<div>\n"),
        *(b"<!-- studiolo:contents -->\n", b"<!-- /studiolo:contents -->\n", b"<!-- studiolo:tag -->\n", b" <!-- studiolo:contents sort=title -->\r\n"),
        *(b"[x]: https://arxiv.org/abs/2101.00001\n", b"labels: a\n", b"#tag\n", b"\xef\xbb\xbf", b"\xff", b"\t", b"\0", "é🔥".encode(), b"Q: why?\n"),
    ]
)  # fmt: skip
PAGES = st.lists(PIECES | st.binary(max_size=12), max_size=24).map(b"".join)
TEXTS = st.sampled_from(["", "new", "| a | b |\n| --- | --- |\n| [x](y.md) | 1 |", "* a\n* b"])


def check_that_nothing_else_is_written(page, text, sort):
    document = Document(page)
    try:
        before = part_of(document, "contents")
        edits = write_part(document, "contents", text, {"sort": sort})
    except ListError:
        return
    new = apply_edits(page, edits)
    if before is None:
        assert new.startswith(page)
        return
    after = part_of(Document(new), "contents")
    assert after is not None
    assert new[: after.start] == page[: before.start]
    assert new[after.end :] == page[before.end :]
    assert apply_edits(new, write_part(Document(new), "contents", text, {"sort": sort})) == new
    assert outside_parts(Document(new)) == outside_parts(document)


@settings(max_examples=100, deadline=None)
@given(PAGES, TEXTS, st.sampled_from(["", "title"]))
def test_bytes_outside_the_marks_stay(page, text, sort):
    check_that_nothing_else_is_written(page, text, sort)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(PAGES, PAGES, TEXTS, st.sampled_from(["", "title", "words"]))
def test_bytes_outside_the_marks_stay_on_a_thousand_pages(before, after, text, sort):
    check_that_nothing_else_is_written(before + b"\n" + OURS + after, text, sort)
