"""Tags are written as the list writes them, and nothing else changes."""

import pytest

from studiolo.errors import ListError, UsageError
from studiolo.lists import Document, edited, retag, retag_list


A, B = "https://arxiv.org/abs/2101.00001", "https://arxiv.org/abs/2101.00002"
HASHES = f"* [A]({A}) #nlp #old\n* [B]({B})\n  * note\n"
CODE = f"* [A]({A}) - 2021 `nlp` `old`\n* [B]({B}) - 2020\n"
BELOW = f"* [A]({A})\n  * tags: #nlp #old\n* [B]({B})\n  * note\n"
SAID = f"* [A]({A}) #nlp\n* [B]({B})\n  * see also #perf, they say\n* [C]({A}1)\n  * see #perf\n"
LINKS = f"* [A]({A}) [nlp](tags/nlp.md)\n* [B]({B})\n"
TABLE = f"| Paper | Tags |\n|---|---|\n| [A]({A}) | nlp, old |\n| [B]({B}) |  |\n"
CODE_TABLE = f"| Paper | Tags |\n|---|---|\n| [A]({A}) | `nlp` |\n| [B]({B}) | |\n"


def given(text, number, add=(), remove=()):
    document = Document(text.encode())
    entry = document.entries[number]
    new = edited(document, retag(document, entry, add, remove), touched=[entry])
    return new.data.decode(), new.entries[number].tags


@pytest.mark.parametrize(
    ("text", "number", "add", "remove", "old", "new"),
    [
        (HASHES, 0, ["new"], [], "#old", "#old #new"),
        (HASHES, 0, [], ["nlp"], " #nlp", ""),
        (HASHES, 0, [], ["NLP", "old"], " #nlp #old", ""),
        (HASHES, 0, ["x"], ["nlp", "old"], " #nlp #old", " #x"),
        (HASHES, 1, ["new", "b/c"], [], "00002)", "00002) #new #b/c"),
        (CODE, 0, ["new"], [], "`old`", "`old` `new`"),
        (CODE, 0, [], ["old"], " `old`", ""),
        (CODE, 1, ["new"], [], "2020", "2020 `new`"),
        (BELOW, 0, ["new"], ["nlp"], "#nlp #old", "#old #new"),
        (BELOW, 0, [], ["nlp", "old"], "  * tags: #nlp #old\n", ""),
        (BELOW, 1, ["new"], [], "  * note\n", "  * note\n  * tags: #new\n"),
        (SAID, 1, ["new"], [], "00002)", "00002) #new"),
        (SAID, 2, ["new"], [], "000011)", "000011) #new"),
        (SAID, 2, [], ["perf"], "  * see #perf\n", "  * see\n"),
        (LINKS, 0, ["new"], [], "nlp.md)", "nlp.md) [new](tags/new.md)"),
        (LINKS, 0, [], ["nlp"], " [nlp](tags/nlp.md)", ""),
        (LINKS, 1, ["b"], [], "00002)", "00002) [b](tags/b.md)"),
        (TABLE, 0, ["deep nets"], [], "nlp, old", "nlp, old, deep nets"),
        (TABLE, 0, [], ["nlp"], "nlp, old", "old"),
        (TABLE, 0, [], ["old"], "nlp, old", "nlp"),
        (TABLE, 1, ["a", "b"], [], "|  |\n", "| a, b |\n"),
        (CODE_TABLE, 1, ["a"], [], "00002) | |", "00002) | `a` |"),
    ],
)  # fmt: skip
def test_tags_are_written_as_the_list_writes_them(text, number, add, remove, old, new):
    assert text.count(old) == 1
    written, tags = given(text, number, add, remove)
    assert written == text.replace(old, new)
    assert set(add) <= set(tags)
    assert not {tag.casefold() for tag in remove} & {tag.casefold() for tag in tags}


def test_list_whose_entries_show_no_tags_has_no_place_for_one():
    document = Document(f"* [A]({A})\n".encode())
    assert retag(document, document.entries[0], ["nlp"]) is None


def test_tag_within_a_note_is_no_place_for_others():
    document = Document(f"* [A]({A})\n  * see also #perf\n* [B]({B})\n  * 说 #perf\n".encode())
    assert [retag(document, entry, ["nlp"]) for entry in document.entries] == [None, None]


@pytest.mark.parametrize("lead", ["", "tags: ", "**Tags:** ", "Key words: ", "标签：", "- "])
def test_line_of_tags_may_have_a_label(lead):
    text = f"* [A]({A})\n  * {lead}#nlp, #old\n"
    assert given(text, 0, ["new"])[0] == text.replace("#old", "#old #new")
    assert given(f"{text}* [B]({B})\n", 1, ["new"])[0].endswith(f"  * {lead}#new\n")


def test_part_of_an_address_is_never_taken_for_a_tag():
    text = f"* [A]({A}) [there](#nlp) https://x.org/#nlp #nlp\n"
    written, tags = given(text, 0, remove=["nlp"])
    assert written == text.replace(" #nlp\n", "\n")
    assert tags == ()


@pytest.mark.parametrize(
    ("text", "tag", "sentence"),
    [
        (HASHES, "deep nets", "'deep nets' cannot be written as a #tag. .*: deep-nets"),
        (CODE, "Deep", "would not be read as a tag again"),
        (TABLE, "a,b", "cannot stand in a column of tags: it holds ','"),
    ],
)
def test_tag_that_would_not_be_read_again_is_refused(text, tag, sentence):
    with pytest.raises(UsageError, match=sentence):
        given(text, 1, [tag])


@pytest.mark.parametrize(
    ("text", "add", "remove", "new"),
    [
        ("# A\n\n<!-- TAGS\n-->\n", ["x", "y"], [], "# A\n\n<!-- TAGS\nx\ny\n-->\n"),
        ("# A\n\n<!-- TAGS: a, b -->\n", ["x"], ["a"], "# A\n\n<!-- TAGS: b, x -->\n"),
        ("# A\n<!-- TAGS\n- a\n- b\n-->\n", ["x"], ["a"], "# A\n<!-- TAGS\n- b\n- x\n-->\n"),
        ("# A\n<!-- TAGS\na, b\n-->\n", ["x"], ["A"], "# A\n<!-- TAGS\nb, x\n-->\n"),
        ("# A\n", ["x", "y"], [], "# A\n\n<!-- TAGS\nx\ny\n-->\n"),
        ("---\ntags: [a, b]\n---\n# A\n", ["x"], ["b"], "---\ntags: [a, x]\n---\n# A\n"),
        ("# A\n<!-- TAGS: a -->\n", ["A"], [], "# A\n<!-- TAGS: a -->\n"),
    ],
)
def test_tags_of_a_list_stand_in_its_comment(text, add, remove, new):
    document = Document(text.encode())
    after = edited(document, retag_list(document, add, remove))
    assert after.data.decode() == new


def test_tag_that_a_list_does_not_have_is_not_taken_away():
    document = Document(b"# A\n<!-- TAGS: a -->\n")
    with pytest.raises(UsageError, match=r"'b' is not a tag of the list\. It has: a"):
        retag_list(document, [], ["b"])
    with pytest.raises(UsageError, match="has no comment of tags"):
        retag_list(Document(b"# A\n"), [], ["b"])
    with pytest.raises(UsageError, match="would end the comment"):
        retag_list(document, ["a-->b"])


def test_quoted_tags_of_front_matter_are_left_to_the_reader():
    document = Document(b'---\ntags: ["a", "b"]\n---\n# A\n')
    with pytest.raises(ListError, match="Edit them by hand"):
        retag_list(document, ["x"])
