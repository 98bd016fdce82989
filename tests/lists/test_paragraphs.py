"""Works outside of items and tables: paragraphs and HTML whose shape is a list's."""

import textwrap

import pytest

from studiolo.errors import ListError
from studiolo.lists import Document, annotate, edited, mark, move


U, V = "https://arxiv.org/abs/1804.04235", "https://arxiv.org/abs/1909.13719"


def doc_of(text):
    return Document(textwrap.dedent(text).lstrip("\n").encode())


def read(text):
    return [(e.title, str(e.key), e.year) for e in doc_of(text).entries]


BOTH = [("Sparse maps", "arxiv:1804.04235", 2015), ("Other maps", "arxiv:1909.13719", 2016)]
LISTS = [
    f"""
    **[1]** Example, Ada. "**Sparse maps**." arXiv (2015). [[pdf]]({U})

    **[2]** Sample, Bo. "**Other maps**." arXiv (2016). [[pdf]]({V}) :star:
    """,
    f"""
    **Sparse maps.**<br>
    *[Ada Example](https://e.org/a), Bo Sample.*<br>
    CVPR 2015. [[PDF]({U})] [[Code](https://github.com/o/n)]

    **Other maps.**<br>
    *Bo Sample.*<br>
    ECCV 2016. [[PDF]({V})]
    """,
    f"[1] Sparse maps (2015)<br>\n[paper]({U})<br>\n[2]Other maps (2016)<br>\n[paper]({V})\n",
    f"[Sparse maps]({U}) (2015)\n[Other maps]({V}) (2016)\n",
    f"CVPR2015: **Sparse maps**. [paper]({U}) <br>\n*comment*: maps many.\n\nECCV2016: **Other maps**. [paper]({V})\n",
    f"<ul><li><a href='{U}'>Sparse maps</a> (2015)</li><li><a href='{V}'>Other maps</a> (2016)\n</ul>\n",
    f"<table><tr><th>x</th></tr><tr><td>Sparse maps<br>CVPR 2015<br><a href='{U}'>[Paper]</a></td></tr>\n<tr>\n<td><img src='i.png'></td>\n<td>Other maps<br>2016 <a href='{V}'>pdf</a></td></tr></table>\n",
    f"<table><tr><td><b>Sparse maps</b><br>2015<br><a href='{U}'>pdf</a></td><td><b>Other maps</b><br>2016<br><a href='{V}'>pdf</a></td></tr></table>\n",
    f"**Sparse maps (2015)**\n\n- intro: of all kinds\n- arXiv: <{U}>\n\n**Other maps (2016)**\n\n- arxiv: {V}\n- github: https://github.com/o/n\n",
    f"##### • [2015 CVPR] Sparse maps for. [\\[PDF\\]]({U}) *Ada Example*\n\n##### [Other maps for (2016)]({V})\n\nwords\n",
    f"#### Sparse maps for (2015)\n\n- 论文链接：[{U}]({U})\n\n#### Other maps for (2016)\n\n- Paper Link: {V}\n- Code Link: https://github.com/o/n\n",
]  # fmt: skip


@pytest.mark.parametrize("text", LISTS)
def test_list_without_items_is_read(text):
    assert [(t.removesuffix(" for"), *rest) for t, *rest in read(text)] == BOTH
    assert doc_of(text).links_outside == ()


@pytest.mark.parametrize(
    "text",
    [
        f"See [A]({U}).\n",
        f"We build on [Sparse maps]({U}), which maps everything that there is.\n",
        f"[Sparse maps]({U}) introduced the idea that one can map.\n",
        f"This folder has the code for our paper [pdf]({U}).\n",
        f"<p>as <a href='{U}'>they</a> say, maps are sparse in many ways</p>\n",
        f"**Update:** our [paper]({U}) is accepted at a conference.\n",
    ],
)
def test_prose_that_links_a_paper_is_no_entry(text):
    document = doc_of(text)
    assert document.entries == ()
    assert [str(link.mention.key) for link in document.links_outside] == ["arxiv:1804.04235"]


def test_fields_of_a_title_are_its_notes_and_links():
    (entry,) = doc_of(
        f"# Paper\n\n* **Title**: Sparse Maps\n* **Authors**: Ada Example, Bo Sample\n* **Link**: {U}\n* **Year**: 2015\n"
    ).entries
    assert (entry.title, entry.authors, entry.year) == ("Sparse Maps", ("Ada Example", "Bo Sample"), 2015)  # fmt: skip


def test_lines_of_an_entry_are_the_bytes_that_it_covers():
    document = doc_of(f"# S\n\n[Sparse maps]({U})\n[Other maps]({V})\n")
    assert [entry.text for entry in document.entries] == [f"[Sparse maps]({U})\n", f"[Other maps]({V})\n"]  # fmt: skip
    assert [entry.line for entry in document.entries] == [3, 4]
    assert [document.data[slice(*link.span)] for link in document.links] == [f"[Sparse maps]({U})".encode(), f"[Other maps]({V})".encode()]  # fmt: skip


def test_what_is_no_item_is_kept_beside():
    document = doc_of(f"# To Review\n\n[Sparse maps]({U})\n\n# Read\n\n* x\n")
    entry = document.entries[0]
    assert entry.state == "to read"
    assert mark(document, entry, "read") is None
    for change in (lambda: annotate(document, entry, "n"), lambda: move(document, entry, "Read")):
        with pytest.raises(ListError, match="is a paragraph or HTML, not an item of a list"):
            change()


def test_edit_of_an_item_leaves_the_paragraphs_alone():
    document = doc_of(f"# S\n\n[Sparse maps]({U})\n\n* a\n")
    edits = annotate(document, document.entries[1], "note")
    assert edited(document, edits, touched=[document.entries[1]]).entries[0].title == "Sparse maps"


def test_person_with_an_institution_below_a_link_is_no_reason_to_skip_it():
    works = [
        ("Sparse Maps", "Ada Example, PKU"),
        ("Other Maps", "Bo Sample, Maps"),
        ("Far Maps", "Cy Third, KTH"),
    ]
    text = "".join(
        f"[{title}](https://arxiv.org/abs/1804.0423{i})\nResearcher: {who}\n\n"
        for i, (title, who) in enumerate(works)
    )
    assert [(e.title, e.authors[:1]) for e in Document(text.encode()).entries] == [
        (title, (who.split(",")[0],)) for title, who in works
    ]


def test_people_behind_a_linked_title_do_not_make_a_sentence_of_it():
    text = """# Papers

(ICCV 2021) [Learning Maps of Video](https://arxiv.org/abs/2108.00001) by Example et al.

(TIP 2021) [Folding Maps of Video](https://arxiv.org/abs/2108.00002) by Sample et al.

We were inspired by the work [Old Maps](https://arxiv.org/abs/2108.00003) by the people of Maps and others.

[Other Maps](https://arxiv.org/abs/2108.00004) by far shows the best of all results.
"""
    entries = Document(text.encode()).entries
    assert [(e.title, e.authors, e.year) for e in entries] == [
        ("Learning Maps of Video", ("Example",), 2021),
        ("Folding Maps of Video", ("Sample",), 2021),
    ]
