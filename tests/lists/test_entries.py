"""What is an entry, and what belongs to it: every habit of real lists."""

import textwrap

import pytest

from studiolo.lists import Document


def doc_of(text):
    return Document(textwrap.dedent(text).lstrip("\n").encode())


def titles(text):
    return [entry.title for entry in doc_of(text).entries]


@pytest.mark.parametrize("marker", ["*", "-", "+", "1.", "7)", "*  ", "-\t", " *", "   -"])
def test_items_of_all_markers(marker):
    (entry,) = doc_of(f"{marker} [A](https://arxiv.org/abs/2101.00001)\n").entries
    assert (entry.title, str(entry.key)) == ("A", "arxiv:2101.00001")


@pytest.mark.parametrize("indent", ["  ", "    ", "\t", "   "])
def test_nestings_of_all_widths(indent):
    (entry,) = doc_of(f"* a\n{indent}* b\n{indent}* c\n{indent * 2}* d\n").entries
    assert [note.text for note in entry.notes] == ["b", "c", "d"]


def test_nested_item_is_an_entry_only_if_no_item_around_it_names_a_paper():
    doc = doc_of("""
        * Boosting
          * 1990 - ["The Strength"](http://rob.schapire.net/papers/strengthofweak.pdf) - Robert E. Schapire
            * a note
            * see also https://arxiv.org/abs/2101.00009
        * [A](https://arxiv.org/abs/2101.00001)
          * follows [B](https://arxiv.org/abs/2101.00002)
    """)
    assert [(e.title, e.parent, len(e.keys)) for e in doc.entries] == [
        ("Boosting", None, 0), ("The Strength", 0, 1), ("A", None, 1),
    ]  # fmt: skip
    assert [note.depth for note in doc.entries[1].notes] == [1, 1]
    assert doc.entries[0].notes == ()


def test_nested_link_without_words_gives_the_item_around_it_its_key():
    doc = doc_of("""
        * **Some Paper**
          * [pdf](https://arxiv.org/abs/2101.00001) [code](https://github.com/o/n)
        * FNet
          * https://arxiv.org/abs/2105.03824
          * cites [B](https://arxiv.org/abs/2101.00002)
        * Others
          * https://arxiv.org/abs/2101.00003
          * https://arxiv.org/abs/2101.00004
    """)
    assert [(e.title, [str(k) for k in e.keys]) for e in doc.entries] == [
        ("Some Paper", ["arxiv:2101.00001", "github:o/n"]),
        ("FNet", ["arxiv:2105.03824"]),
        ("Others", []),
        ("arxiv:2101.00003", ["arxiv:2101.00003"]),
        ("arxiv:2101.00004", ["arxiv:2101.00004"]),
    ]


def test_links_in_paragraphs_are_links_and_no_entries():
    doc = doc_of(
        "See [A](https://arxiv.org/abs/2101.00001).\n\n## [B](https://arxiv.org/abs/2101.00002)\n"
    )
    assert doc.entries == ()
    assert [str(link.mention.key) for link in doc.links] == ["arxiv:2101.00001", "arxiv:2101.00002"]


def test_rows_of_a_table_are_read_by_their_headings():
    doc = doc_of("""
        Year | Model | Paper | Authors | Tags | Read? | Notes
        :--|--|:-:|--|--|--|--
        2019 | X | [A \\| B](https://arxiv.org/abs/2101.00001) | Some Body, Other Body | nlp, vision | yes | Q: why?
        2020-05 | Y | Plain Title | Somebody | | | fine
        | | | | | |
    """)
    a, b = doc.entries
    assert (a.title, a.name, a.year, a.authors) == ("A | B", "X", 2019, ("Some Body", "Other Body"))
    assert (a.tags, a.state, a.state_by) == (("nlp", "vision"), "read", "column")
    assert [q.text for q in a.questions] == ["why?"]
    assert (b.title, b.year, b.authors, b.state) == ("Plain Title", 2020, ("Somebody",), "to read")
    assert [n.text for n in b.notes] == ["fine"]


def test_table_without_telling_headings_is_read_by_its_links():
    doc = doc_of("""
        |a|b|c|
        |-|-|-|
        |1|[code](https://github.com/o/n)|[The Title](https://arxiv.org/abs/2101.00001)|
        |2|words|[pdf](https://arxiv.org/abs/2101.00002)|
    """)
    assert [e.title for e in doc.entries] == ["The Title", "words"]
    assert [str(e.key) for e in doc.entries] == ["arxiv:2101.00001", "arxiv:2101.00002"]


def test_sections_nest_and_setext_headings_count():
    doc = doc_of("""
        One
        ===
        * a

        Two
        ---
        * b
        # Three ##
        ### Four  
        * c
    """)  # noqa: W291
    assert [(e.title, e.section) for e in doc.entries] == [
        ("a", ("One",)), ("b", ("One", "Two")), ("c", ("Three", "Four")),
    ]  # fmt: skip
    assert [h.level for h in doc.headings] == [1, 2, 1, 3]


def test_front_matter_fences_and_comments_hold_no_items():
    doc = doc_of("""
        ---
        title: x
        tags: [nlp, "long tail"]
        ---
        <!--
        * not this
        -->
        ```
        * nor this
        ```
        ~~~~ text
        * nor this
        ~~~
        ~~~~
            * nor this

        * this
          ```
          * not
          ```
    """)
    assert [e.title for e in doc.entries] == ["this"]
    assert doc.tags == ("nlp", "long tail")


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("<!-- TAGS\n-->\n", ()),
        ("<!-- TAGS\nnlp, vision\n* long tail\n#optimisation\n-->\n", ("nlp", "vision", "long tail", "optimisation")),
        ("<!--TAGS: a, b -->\n", ("a", "b")),
        ("---\ntags:\n  - a\n  - b\nother: c\n---\n", ("a", "b")),
        ("---\ntags: a, b\n---\n", ("a", "b")),
        ("+++\ntags = ['a', 'b']\n+++\n", ("a", "b")),
        ("![](https://img.shields.io/badge/tag-deep_learning-lightgrey)\n", ("deep learning",)),
        ("<!-- tagged -->\n", ()),
    ],
)  # fmt: skip
def test_tags_of_a_list(text, tags):
    assert doc_of(text).tags == tags


def test_tags_of_an_entry():
    (entry,) = doc_of(
        "* [A](https://arxiv.org/abs/2101.00001#frag) #nlp C# #1 [x](tags/vision.md)\n  * #sub/topic\n"
    ).entries
    assert set(entry.tags) == {"nlp", "vision", "sub/topic"}


LINKS = [
    ("[a](https://x.org/a)", "https://x.org/a", "inline"),
    ("[a](https://x.org/a  )", "https://x.org/a", "inline"),
    ("[a](  https://x.org/a 'title' )", "https://x.org/a", "inline"),
    ("[a](https://x.org/b67.2%20(2005)%20z)", "https://x.org/b67.2%20(2005)%20z", "inline"),
    ("[a](<https://x.org/a b>)", "https://x.org/a b", "inline"),
    ("[a [b] c](https://x.org/a)", "https://x.org/a", "inline"),
    ("[![i](b.svg)](https://x.org/a)", "https://x.org/a", "inline"),
    ("[[pdf]](https://x.org/a)", "https://x.org/a", "inline"),
    ("[a](https://x.org/?a=1&amp;copy=2&copy=3)", "https://x.org/?a=1&copy=2&copy=3", "inline"),
    ("<https://x.org/a>", "https://x.org/a", "auto"),
    ("see https://x.org/a.", "https://x.org/a", "bare"),
    ("(https://x.org/a_(b))", "https://x.org/a_(b)", "bare"),
    ("**https://x.org/a**", "https://x.org/a", "bare"),
    ('"https://x.org/a", he said', "https://x.org/a", "bare"),
    ("论文（https://x.org/a）。", "https://x.org/a", "bare"),
    ("www.x.org/a", "www.x.org/a", "bare"),
    ("arXiv:2101.00001v2, 2021", "arXiv:2101.00001v2", "bare"),
    ("doi:10.1145/3641519.3657418.", "doi:10.1145/3641519.3657418", "bare"),
    ("[a][r]", "https://r.org/r", "reference"),
    ("[R][]", "https://r.org/r", "reference"),
    ("[r]", "https://r.org/r", "reference"),
    ("[[A Page|shown]]", "A Page", "wiki"),
    ("<a class='x' href=\"https://x.org/a\">a</a>", "https://x.org/a", "html"),
    ("![i](https://x.org/i.png)", None, "image"),
    ("`https://x.org/a`", None, None),
    ("\\[a](b)", None, None),
    ("[ ] a", None, None),
    ("[a] (b)", None, None),
]


@pytest.mark.parametrize(("text", "url", "kind"), LINKS, ids=[link[0] for link in LINKS])
def test_links_of_all_kinds(text, url, kind):
    doc = doc_of(f"* {text}\n\n[r]: <https://r.org/r> 'title'\n")
    assert [(link.url, link.kind) for link in doc.links] == ([(url, kind)] if url else [])
    assert [link.kind for link in doc.images if link.kind == kind] == (
        ["image"] if kind == "image" else []
    )


def test_link_spans_are_what_was_written():
    text = "é * x\n\n* [ü](https://x.org/a) and https://x.org/b, [r]\n  more <https://x.org/c>\n\n[r]: /r\n"
    doc = doc_of(text)
    assert [doc.data[slice(*link.span)].decode() for link in doc.links] == [
        "[ü](https://x.org/a)", "https://x.org/b", "[r]", "<https://x.org/c>",
    ]  # fmt: skip
    assert [link.line for link in doc.links] == [3, 3, 3, 4]


def test_questions_and_their_answers():
    doc = doc_of("""
        Q: outside?

        * [A](https://arxiv.org/abs/2101.00001)
          * Q: one?
            * A: because
          * **Q:** two?
          * Q3. three? A: here
          * Question: four?
          * Quite a note
          * A: an answer to four
          * A: a note
    """)
    assert [(q.text, q.line, q.answer) for q in doc.questions] == [
        ("outside?", 1, None), ("one?", 4, "because"), ("two?", 6, None), ("three?", 7, "here"), ("four?", 8, "an answer to four"),
    ]  # fmt: skip
    (entry,) = doc.entries
    assert [q.text for q in entry.questions] == ["one?", "two?", "three?", "four?"]
    assert [n.text for n in entry.notes] == ["Quite a note", "A: a note"]


def test_paragraphs_and_quotations_below_an_item_are_notes():
    (entry,) = doc_of("""
        - [A](https://arxiv.org/abs/2101.00001)
          lazy words

          > said

          More words
          on two lines.
    """).entries
    assert [n.text for n in entry.notes] == ["said", "More words on two lines."]


def test_hard_cases_of_bytes():
    text = b"\xef\xbb\xbf* [A](https://arxiv.org/abs/2101.00001)\r\n\t* n\r\n* [B](https://arxiv.org/abs/2101.00002)"
    a, b = Document(text).entries
    assert [n.text for n in a.notes] == ["n"]
    assert b.span[1] == len(text)
    assert Document(b"").entries == ()
    assert Document(b"\n\n\n").entries == ()


def test_what_is_in_a_title_is_data():
    title = "<script>alert(1)</script> \u202egnp.exe \x1b " + "y" * 10_000
    (entry,) = doc_of(f"* [{title}](https://arxiv.org/abs/2101.00001)\n").entries
    assert entry.title == title.strip()


def test_items_in_a_quotation_are_entries():
    assert titles("> * [A](https://arxiv.org/abs/2101.00001)\n>   * note\n> * b\n") == ["A", "b"]


def test_details_do_not_hide_items():
    assert titles("<details>\n<summary>papers</summary>\n\n- a\n\n</details>\n") == ["a"]


def test_bare_address_two_levels_deep_belongs_to_the_only_item_around_it():
    (entry,) = Document(b"- - https://arxiv.org/abs/2105.03824\n").entries
    assert [str(key) for key in entry.keys] == ["arxiv:2105.03824"]
    assert entry.parent is None


def test_entry_says_what_it_is_called_when_it_is_asked():
    doc = Document(b"* FNet - [Mixing Tokens](https://arxiv.org/abs/2105.03824) - 2021\n")
    (entry,) = doc.entries
    assert (entry.title, entry.name, entry.year) == ("Mixing Tokens", "FNet", 2021)
    assert entry == Document(doc.data).entries[0]


def test_address_in_angle_brackets_keeps_its_blank():
    (entry,) = Document(b"* [A](<https://example.org/a b.pdf>)\n").entries
    assert str(entry.key) == "url:https://example.org/a%20b.pdf"
