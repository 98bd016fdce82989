"""Titles, names, people, years and states in the styles of whole lists, each as one of its entries."""

import pytest

from studiolo.lists import Document
from studiolo.lists.authors import split_authors
from studiolo.lists.columns import columns_of
from studiolo.lists.dates import is_venue, year_said


U = "https://arxiv.org/abs/1804.04235"
T = "Sparse Atlases for Everyone"
ADA, BO, CY = "Ada Example", "Bo Sample", "Cy Third"


def only(text):
    (entry,) = Document(text.encode()).entries
    return entry


STYLES = [
    # what an item says: title, name, people, year
    (f"Sparse Maps [[arXiv]({U})] [[article](https://e.org/p)]", "Sparse Maps", None, (), None),
    (f"Maps \\[[Hugging Face](https://e.org/x)] \\[[Blog]({U})]", "Maps", None, (), None),
    (f"[CVPR 2020] ([paper]({U})) {T}", T, None, (), 2020),
    (f"[arXiv 2020] {T} [[pdf]({U})]", T, None, (), 2020),
    (f"**[ECCV' 16]** {T} | [`[pdf]`]({U})", T, None, (), 2016),
    (f"**[AtlasNet]** {T} | **[CVPR' 20]** |[`[pdf]`]({U})", T, "AtlasNet", (), 2020),
    (f"(Arxiv 24.05.16) {T} [Paper]({U}) [Code](https://github.com/o/n)", T, None, (), 2024),
    (f"CVPR2020: **{T}**. [paper]({U})", T, None, (), 2020),
    (f"* {T} (2016), A. Example et al. [[pdf]]({U})"[2:], T, None, ("A. Example",), 2016),
    (f"{T}, may 2016, [arxiv]({U})", T, None, (), 2016),
    (f"[{T}]({U}) [ICLR'16]", T, None, (), 2016),
    (f"**{T} (ICML 2020)** - {ADA}, {BO} - [[Paper]]({U})", T, None, (ADA, BO), 2020),
    (f"2019 | {T} | {ADA}, et al. | JMLR | [`PDF`]({U})", T, None, (ADA,), 2019),
    (f"{ADA}, {BO}, and {CY}, *{T}*, arXiv:1804.04235 / NIPS 2015", T, None, (ADA, BO, CY), 2015),
    (f"{ADA}, {BO}, {CY}, {T}, CVPR, 2015. [[Paper]]({U})", T, None, (ADA, BO, CY), 2015),
    (f"[Example, A. B., & Sample, C. (2004). {T}. Journal of Maps, 5(2), 33-67.]({U})", T, None, ("A. B. Example", "C. Sample"), 2004),
    (f"[Example, Ada. \"{T}.\" Journal of Maps 20 (2012): 25-46.]({U})", T, None, (ADA,), 2012),
    (f"Example, A. (2016). [{T}.]({U})", T, None, ("A. Example",), 2016),
    (f"[{T}]({U}), Example et al., NeurIPS 2021 | [bibtex](c.txt)", T, None, ("Example",), 2021),
    (f"[{T}]({U}) (Example et al. 2021) maps many things.", T, None, ("Example",), 2021),
    (f"**[{T}.]({U})** [[code](https://e.org/c.pdf)] *{ADA}, {BO}.* ACL'23 Findings", T, None, (ADA, BO), 2023),
    (f"**{T}.** KDD 2021. [paper]({U})\n\n    *{ADA}, {BO}, {CY}.*", T, None, (ADA, BO, CY), 2021),
    (f"{T} [[pdf]]({U})\n  - {ADA} and {BO}. *ICRA 2018*", T, None, (ADA, BO), 2018),
    (f"DeepMaps [[Paper]({U})]\n  * {ADA}, {BO}, *{T}*, arXiv:1804.04235", T, None, (ADA, BO), None),
    (f"{T} ([OSDI 2023](../x.md)) \\[[Personal Notes](../y.md)] \\[[Paper]({U})]", T, None, (), 2023),
    (f"[{T}](maps.pdf) by {ADA} and {BO}", T, None, (ADA, BO), None),
    (f"[{T}](https://example.org/maps) - {ADA}.", T, None, (ADA,), None),
    (f"{T} (Part 12) [pdf]({U})", f"{T} (Part 12)", None, (), None),
    (f"{T} :scroll: [pdf]({U})", T, None, (), None),
    (f"(arXiv 2023.8) Maps: Many **Sparse Atlases** for Models, [[Paper]]({U})", "Maps: Many Sparse Atlases for Models", None, (), 2023),
    (f"**{T}** *{ADA}, {BO}* CVPR 2017. [paper]({U})", T, None, (ADA, BO), 2017),
    (f"LMAP from *{T}* [[Paper]({U})]", T, "LMAP", (), None),
    (f"[2025-01] 🔥 Add Map to `maps` ([paper]({U})).", "Add Map to maps", None, (), 2025),
    (f"[2025-01] Add [map](src/map.py) to `maps` ([paper]({U})).", "Add map to maps", None, (), 2025),
    (f"\\[[arxiv]({U})\\] {T}. `2023.07`", T, None, (), 2023),
    (f"**AtlasNet** [[Lab]](https://e.org/l) Jan. 2021 [[open]](https://e.org/c) {T} [[Preprint]]({U})", T, "AtlasNet", (), 2021),
    (f"[Maps Guided by Distant Context]({U})", "Maps Guided by Distant Context", None, (), None),
    (f"Maps ({U}) and RandMap (https://arxiv.org/abs/1909.13719) as in the tool", "Maps", None, (), None),
    (f"[Mapper](https://github.com/o/n): a tool that holds [Atlas]({U})", "Mapper", None, (), None),
    ("****`GAN`**** [Sparse Maps](nets/x.md)", "Sparse Maps", "GAN", (), None),
    (f"SpMap - [SpMap]({U})", "SpMap", None, (), None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "title", "name", "people", "year"),
    STYLES,
    ids=[f"{i}-{style[0][:30]}" for i, style in enumerate(STYLES)],
)
def test_style_of_an_item_is_read(text, title, name, people, year):
    entry = only(f"* {text}\n")
    assert (entry.title, entry.name, entry.authors, entry.year) == (title, name, people, year)


@pytest.mark.parametrize(
    "words",
    [
        "Definition: A map is sparse.",
        "Two kinds based on how they map",
        "Maps / atlases · charts",
        "Maps - atlases – charts",
        "We compare with the tool of section 3: see there",
    ],
)
def test_words_without_a_work_stay_as_they_are(words):
    assert only(f"* {words}\n").title == words
    assert only(f"* {words.replace('A map', '**A** map').replace('how they', '*how they*')}\n").title == words  # fmt: skip


def test_row_of_a_weekly_table_has_its_bold_words_as_title():
    entry = only(
        f"| **Paper** | **Links** |\n|---|---|\n| 1) **Sparse Maps** - a method that maps. | [Paper]({U}), [Tweet](https://x.com/a/status/1) |\n"
    )
    assert (entry.title, entry.name, entry.authors) == ("Sparse Maps", None, ())


@pytest.mark.parametrize(
    ("heading", "cell", "year"),
    [
        ("Pub. & Date", "CVPR, 2025", 2025), ("Venue", "EMNLP 2025", 2025), ("**Venue**", "NeurIPS'21", 2021), ("日期", "8/13/24", 2024),
        ("年份", "2019", 2019), ("Published in", "KDD", None), ("*Date*", "15 jul 2016", 2016),
    ],
)  # fmt: skip
def test_column_says_the_year(heading, cell, year):
    entry = only(f"| 标题 | {heading} |\n|-|-|\n| [{T}]({U}) | {cell} |\n")
    assert (entry.title, entry.year) == (T, year)


def test_columns_are_found_by_the_first_of_two_words_in_any_emphasis():
    headings = ["**Title & Authors**", "名字", "_Pub. / Date_", "已读", "会议"]
    assert columns_of(headings[:1]) == {"title": 0}
    assert columns_of(headings[1:]) == {"title": 0, "year": 1, "state": 2, "venue": 3}


@pytest.mark.parametrize(
    "words",
    [
        "Personal Notes", "IEEE TNN", "ECML PKDD", "Deep Learning Toolkit", "Machine Learning and Data Mining", "Open Source", "Official Code",
        "Nature Communications, Science Robotics", "Learning, Vision", "Sparse Coding with Gated Nets",
        "Interactive Visualization", "Best Paper Award, Oral",
    ],
)  # fmt: skip
def test_labels_and_venues_are_nobody(words):
    assert split_authors(words) == ()
    assert only(f"* [{T}]({U}) [{words}](https://e.org/n)\n").authors == ()


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("Li, Hao, Xin Wang, and Wen Zhu", ("Hao Li", "Xin Wang", "Wen Zhu")),
        ("Bengio, Yoshua and Courville, Aaron", ("Yoshua Bengio", "Aaron Courville")),
        ("Luong, Minh-Thang, et al.", ("Minh-Thang Luong",)),
        ("Brian Trippe 1, Jason Yim*, Doug Tischer", ("Brian Trippe", "Jason Yim", "Doug Tischer")),
        ("Wei Zhou (GaTech) et al.", ("Wei Zhou",)),
        ("OpenAI: Ahmed El-Kishky, Alexander Wei", ("Ahmed El-Kishky", "Alexander Wei")),
        ("Taylor, G.W., & Bregler, C.", ("G.W. Taylor", "C. Bregler")),
        ("Yu-An Chung, Hao Tang", ("Yu-An Chung", "Hao Tang")),
    ],
)
def test_people_in_the_orders_that_lists_write(text, people):
    assert split_authors(text) == people


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("arXiv 2020", 2020), ("NeurIPS'20 Oral", 2020), ("2019-NIPS", 2019), ("Jan. 2021", 2021), ("15 jul 2016", 2016), ("IEEE TPAMI 2021 (Oral)", 2021),
        ("(2019-05)", 2019), ("ICML19", 2019), ("Preprint'24", 2024), ("VGG19", None), ("Memory Networks (ICLR 2020)", None), ("Dynamic Graphs for Clouds (2018)", None),
        ("Blade Runner 2049", None),
    ],
)  # fmt: skip
def test_words_that_only_say_when(text, year):
    assert year_said(text) == year


def test_venue_is_one_without_a_year_too():
    assert is_venue("ECML PKDD")
    assert is_venue("Nature Methods")
    assert not is_venue("Nature of Maps")


def test_address_alone_takes_the_heading_above_it():
    text = f"# Papers\n\n## {T}\n\n{U}\n\n## Two\n\n{U}\n"
    assert [entry.title for entry in Document(text.encode()).entries] == [T, "arxiv:1804.04235"]


@pytest.mark.parametrize("words", ["Q: dataset quality metric", "`q`: does the other metric hold?", "Q: a, b"])  # fmt: skip
def test_symbol_named_q_is_not_a_question(words):
    assert Document(f"* {words}\n".encode()).questions == ()


@pytest.mark.parametrize("words", ["dataset quality, or not?", "how would it map", "It maps everything.", "为什么？"])  # fmt: skip
def test_question_has_a_mark_a_word_that_asks_or_a_sentence(words):
    assert [q.text for q in Document(f"* a\n  * Q: {words}\n".encode()).questions] == [words]


@pytest.mark.parametrize(
    ("text", "state", "by"),
    [
        (f"TODO [{T}]({U})", "to read", "keyword"), (f"DONE [{T}]({U})", "read", "keyword"), (f"DOING {T} [pdf]({U})", "reading", "keyword"),
        (f"⭐ ✅ [{T}]({U})", "read", "mark"), (f"[{T}]({U}) ✔️", "read", "mark"), (f"[{T}]({U}) says ✅ and ❌", None, None),
        ("What works ✅ and what does not ❌", None, None), (f"[TODOs of {T}]({U})", None, None),
    ],
)  # fmt: skip
def test_state_is_at_an_end_of_the_words(text, state, by):
    entry = only(f"* {text}\n")
    assert (entry.state, entry.state_by) == (state, by)
    assert not entry.title.startswith(("TODO ", "DONE", "DOING"))
    assert entry.name is None


def test_keyword_is_replaced_when_it_is_marked():
    from studiolo.lists import edited, mark

    doc = Document(f"* TODO [{T}]({U})\n* DONE [B](https://e.org/b)\n".encode())
    edits = mark(doc, doc.entries[0], "read")
    assert edits is not None
    assert edited(doc, edits, touched=doc.entries[:1]).data.startswith(b"* DONE [Sparse")
