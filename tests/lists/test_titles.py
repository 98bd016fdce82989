"""Titles, names, authors and years in the forms that real lists write them."""

import pytest

from studiolo.lists import Document
from studiolo.lists.authors import split_authors


U = "https://arxiv.org/abs/1706.03762"
T = "Attention Is All You Need"
AV, NS = "Ashish Vaswani", "Noam Shazeer"
FORMS = [
    (f'["{T}" - 2017 - {AV} -]({U})', None, (AV,), 2017),
    (f"Transformer - {T} - 2017 - {U}", "Transformer", (), 2017),
    (f"[{T}]({U}) - 2017", None, (), 2017),
    (f"Transformer - 2017 - [{T}]({U})", "Transformer", (), 2017),
    (f'Transformer - ["{T}" - 2017 - {AV}, {NS}]({U})', "Transformer", (AV, NS), 2017),
    (f'Transformer - ["{T}"]({U})', "Transformer", (), None),
    (f"[{T}]({U}) - {AV}, {NS} (2017)", None, (AV, NS), 2017),
    (f":scroll: [{T}]({U}) by {AV}, {NS} et al.", None, (AV, NS), None),
    (f"{T} [[arXiv]({U})] [[code](https://github.com/o/n)]", None, (), None),
    (f"[{T}](notes/a.md) [[arXiv]({U})]", None, (), None),
    (f"**{T}** (2017), A. Vaswani et al. [[pdf]]({U})", None, ("A. Vaswani",), 2017),
    (f"[{T}]({U}), {AV}, {NS}, 2017", None, (AV, NS), 2017),
    (f"**{T}.** *{AV}, {NS}.* NeurIPS 2017. [paper]({U})", None, (AV, NS), 2017),
    (f"{T}. *{AV}, {NS}*. NeurIPS 2017. [[Paper]({U})]", None, (AV, NS), 2017),
    (f"2017-NIPS - {T} [[Paper]]({U})", None, (), 2017),
    (f"[ ] [[{T}]] (2017) #transformers", None, (), 2017),
    (f"`2017` **[{T}]({U})** - *{AV}*", None, (AV,), 2017),
    (f"[x] {T} (Vaswani et al., 2017) [arXiv]({U})", None, ("Vaswani",), 2017),
    (
        f'Vaswani, A., Shazeer, N. "{T}." NeurIPS 2017. [pdf]({U})',
        None,
        ("A. Vaswani", "N. Shazeer"),
        2017,
    ),
    (f'**[1]** {AV}, et al. "**{T}**." NeurIPS (2017). [[pdf]]({U}) :star:', None, (AV,), 2017),
    (f"[Vaswani et al. 2017] [{T}]({U})", None, ("Vaswani",), 2017),
    (f"{T}<br>{AV}, {NS}<br>[Paper]({U})", None, (AV, NS), None),
    (f"**Transformer**: [{T}]({U}) (NeurIPS 2017)", "Transformer", (), 2017),
    (f"(NeurIPS 2017) {T} [[paper]({U})]", None, (), 2017),
    (f"[(2017) {T}]({U})", None, (), 2017),
    (f"[2017] [{T}]({U})", None, (), 2017),
    (f"(2017-06) **{T}** [paper]({U})", None, (), 2017),
    (f"✅ [{T}]({U}) — 2017 — {AV} & {NS}", None, (AV, NS), 2017),
    (f"[{T} (2017)]({U})", None, (), 2017),
    (f"[{T}, 2017]({U})", None, (), 2017),
    (f"{U} - {T} (2017)", None, (), 2017),
    (f"{T}: {U}", None, (), None),
    (f"{T}, arXiv:1706.03762", None, (), None),
    (f"[1706.03762]({U}) {T}", None, (), None),
    (f'<a href="{U}">{T}</a> (2017)', None, (), 2017),
    (f"### [{T}]({U})", None, (), None),
    (f"📄 **{T}** | [Paper]({U}) | 2017", None, (), 2017),
    (f"[{T}][1]\n\n[1]: {U} 'a title'", None, (), None),
    (f"*{T}*, [PDF]({U})", None, (), None),
    (f"[Attention\n  Is All You Need]({U})", None, (), None),
    (f"~~[{T}]({U})~~", None, (), None),
    (f"Vaswani et al. (2017). {T}. {U}", None, ("Vaswani",), 2017),
    (f'["{T}]({U}) - {AV}, {NS}', None, (AV, NS), None),
    (f"[![badge](https://img.shields.io/badge/a-b-c)]({U}) {T}", None, (), None),
]


@pytest.mark.parametrize(
    ("text", "name", "authors", "year"),
    FORMS,
    ids=[f"{i}-{style[0][:40]}" for i, style in enumerate(FORMS)],
)
def test_form_is_read(text, name, authors, year):
    (entry,) = Document(f"* {text}\n".encode()).entries
    assert (entry.title, entry.name, entry.authors, entry.year) == (T, name, authors, year)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("https://github.com/microsoft/fnl_paper/tree/main/deficient-efficient", "microsoft/fnl_paper: deficient-efficient"),
        ("https://github.com/OpenAI/CLIP", "OpenAI/CLIP"),
        ("https://x.org/talks/Attention_the_Analogue_of_Kernels.pdf", "Attention the Analogue of Kernels"),
        ("<https://arxiv.org/abs/1706.03762>", "arxiv:1706.03762"),
        ("[pdf](https://arxiv.org/abs/1706.03762) [code](https://github.com/o/n)", "arxiv:1706.03762"),
        ("https://example.org/", "example.org"),
        ("[the notes](notes.md)", "the notes"),
        ('["Why Should I Trust You?": Explaining Predictions](https://arxiv.org/abs/1602.04938)', '"Why Should I Trust You?": Explaining Predictions'),
        ("AdamW - decay is not a penalty", "AdamW - decay is not a penalty"),
        ("We compare with [BERT](https://example.org) in all of section 3, see there", "We compare with BERT in all of section 3, see there"),
        ("", ""),
    ],
)  # fmt: skip
def test_item_without_a_citation_still_has_a_title(text, title):
    (entry,) = Document(f"* {text}\n".encode()).entries
    assert entry.title == title


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("Leo Breiman", ("Leo Breiman",)),
        ("by Yoav Freund and Robert E. Schapire", ("Yoav Freund", "Robert E. Schapire")),
        ("Aaron van den Oord, Oriol Vinyals, & Koray Kavukcuoglu", ("Aaron van den Oord", "Oriol Vinyals", "Koray Kavukcuoglu")),
        ("Vaswani et al.", ("Vaswani",)),
        ("José L. Balcázar, Björn Ommer", ("José L. Balcázar", "Björn Ommer")),
        ("Google Research", ()),
        ("Clean, minimal reproduction", ()),
        ("vision, speech", ()),
        ("2017", ()),
        ("x" * 10_000, ()),
    ],
)  # fmt: skip
def test_people_are_told_from_other_words(text, people):
    assert split_authors(text) == people
