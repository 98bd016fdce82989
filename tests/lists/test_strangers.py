"""Titles, people and years in styles of strangers' lists, each with what its author meant."""

import pytest

from studiolo.lists import Document
from studiolo.lists.authors import family_names, split_authors
from studiolo.lists.columns import role_of
from studiolo.lists.dates import year_said
from studiolo.lists.labels import is_label


U = "https://arxiv.org/abs/1804.04235"
T = "Sparse Atlases for Everyone"
ADA, BO, CY = "Ada Example", "Bo Sample", "Cy Third"
AE, BS = "A. Example", "B. Sample"


def only(text):
    (entry,) = [e for e in Document(text.encode()).entries if e.key]
    return entry


ITEMS = [
    # what an item says: title, name, people, year
    (f"{T} **{ADA}, {BO}** [[paper]({U})]", T, None, (ADA, BO), None),
    (f"Net. ICML 2023. [[ICML](https://icml.cc/virtual/1)] [[arXiv]({U})]", "Net", None, (), 2023),
    (f"Example, A., and Sample, B., 2007, A map of small rivers: Hydrology, 72, 155–167. {U}", "A map of small rivers", None, (AE, BS), 2007),
    (f"{AE}, {BS}, A map of small rivers, J. Hydrol. Int. 148 (2002) 320–328. {U}", "A map of small rivers", None, (AE, BS), 2002),
    (f"{AE}, Modelling of the flow of rivers, Hydrology 46 (1981) 854–859. {U}", "Modelling of the flow of rivers", None, (AE,), 1981),
    (f"Thu, 29 Apr 2021 [{T}]({U})", T, None, (), 2021),
    (f"[{T}]({U}); Ada Dora Example, et. al. Rising concern for maps", T, None, ("Ada Dora Example",), None),
    (f"**[{T}]({U})** EBioCharts, January 2024", T, None, (), 2024),
    (f"*{ADA}, {BO}* [[paper]]({U}) 2023.05 {T}", T, None, (ADA, BO), 2023),
    (f"**{ADA}**, {BO}, and {CY}, **{T},** *Maps Journal*, 2020. [[paper]]({U})", T, None, (ADA, BO, CY), 2020),
    (f"{ADA}, {BO}, {CY}, [{T},](https://www.usenix.org/node/1) USENIX Security, 2015.", T, None, (ADA, BO, CY), 2015),
    (f"[{T}]({U}) (2012, {ADA})", T, None, (ADA,), 2012),
    (f"[{T}]({U}) (2013, Sample and Third)", T, None, ("Sample", "Third"), 2013),
    (f"{T}, CVPR 2019, Example, Ada, et al. [[pdf]]({U})", T, None, (ADA,), 2019),
    (f"**{T}** (2020), PLDI 2020, Example, Ada, et al. [[pdf]]({U})[[code]](https://github.com/o/n)", T, None, (ADA,), 2020),
    (f"{T}. A Yao; B Li; C Wu. CVPR 2018. [[pdf]]({U})", T, None, ("A Yao", "B Li", "C Wu"), 2018),
    (f"[{T}]({U}) A Yao; B Li", T, None, ("A Yao", "B Li"), None),
    (f"{T}, Wei-Chih Hung, Yi-Hsuan Tsai Link: {U}", T, None, ("Wei-Chih Hung", "Yi-Hsuan Tsai"), None),
    (f"{T} [[Example et al. ECCV 2016]({U})] [(slides)](https://e.org)", T, None, ("Example",), 2016),
    (f"[{T}]({U}) - An overview of maps, by Ada B. Example and {BO}.", T, None, ("Ada B. Example", BO), None),
    (f"[{T}]({U}) - A map by halves, by far.", T, None, (), None),
    (f'**MtM**: Towards a "sparse atlas" for all places. NeurIPS 2024 [[paper]({U})]', 'Towards a "sparse atlas" for all places', "MtM", (), 2024),
    (f'Li R H, Qin L, et al. "**{T}[J]**". Proceedings of Maps, ACM, 2015:509-520.[[pdf]]({U})', T, None, ("Li R H", "Qin L"), 2015),
    (f"**[(SparseBERT) {T}]({U})**", T, "SparseBERT", (), None),
    (f"{T}. techrxiv 2022. [[paper]({U})]", T, None, (), 2022),
    (f"[{T}]({U}) (MobiCom 24)", T, None, (), 2024),
    (f"**{T}** *Ada dos Santos Example, {BO}* [[p]({U})]", T, None, ("Ada dos Santos Example", BO), None),
    (f"[{T} - ICCV - 2009]({U})", T, None, (), 2009),
    (f"[{T} - ARXIV]({U})", T, None, (), None),
    (f"[[2023-Atlas Letters]]({U}) **{T}** [code](https://github.com/o/n)", T, None, (), 2023),
    (f'"Maps - A Sparse Atlas" ICCV. [[Paper]]({U}) maps well', "Maps - A Sparse Atlas", None, (), None),
    (f"arxiv2016, {T} [[pdf]]({U})", T, None, (), 2016),
    (f"arXiv 2024.06, {T}. [Paper]({U}). Maps many things.", T, None, (), 2024),
    (f"Science Robotics, 2020, {T}. [Paper]({U})", T, None, (), 2020),
    (f"{T}, Annals of Mapping 2016, ([paper]({U}))", T, None, (), 2016),
    (f"{T}, IEEE Cloud Mapping, 2016, ([paper]({U}))", T, None, (), 2016),
    (f"{T}. Findings of EMNLP 2020. [[Paper]({U})]", T, None, (), 2020),
    (f"{T}. arXiv 2021. [[Paper]({U})]", T, None, (), 2021),
    (f"{T}. In *ICML 2017*/ [[pdf]({U})]", T, None, (), 2017),
    (f"{T}. ICLR 2022 Workshop MLDD [[paper]]({U})", T, None, (), 2022),
    (f"{T},2024.[[ACL]({U})]", T, None, (), 2024),
    (f"[{T} (ICLR 2017 reject)]({U})", T, None, (), 2017),
    (f"[A Study of Maps, Charts, and Atlases](https://e.org) [[pdf]({U})]", "A Study of Maps, Charts, and Atlases", None, (), None),
    (f"Maps: Charts, Theories and Atlases. arXiv 2025. [[p]]({U})", "Maps: Charts, Theories and Atlases", None, (), 2025),
    (f"[VENUS | {T}]({U})", T, "VENUS", (), None),
    (f"Atlas (2021-05, 清华大学): [paper]({U})", "Atlas", None, (), 2021),
    (f"Atlas : A Map of Many Sparse Places [[paper]({U})]", "Atlas: A Map of Many Sparse Places", None, (), None),
    (f"**Row-less atlases**. In Proceedings of ACL, pages 63– 68. [[paper]]({U})", "Row-less atlases", None, (), None),
    (f"**The Atlas in Words**: Grounding Maps in Places [[paper]({U})]", "The Atlas in Words: Grounding Maps in Places", None, (), None),
    (f"**{T}** [[paper]]({U}) 这里是一些备注", T, None, (), None),
    (f"{T} (ESWA 2025) [[review]]({U})\n  **介绍**：全面综述", T, None, (), 2025),
    (f"**【🚀RL】{T}** (NeurIPS 2025) [[paper]]({U})", T, "RL", (), 2025),
    (f"- 2025 🧱⚙️ {T}. [arXiv:1804.04235]({U})"[2:], T, None, (), 2025),
    (f"**Atlas** **[Map Lab]** {T} · maps / places [[paper]({U})]", T, "Atlas", (), None),
    (f"**Atlas** ([{T}]({U}))", T, "Atlas", (), None),
    (f"[Atlas 2.0]({U}) - Atlas 2.0: {T}", f"Atlas 2.0: {T}", "Atlas 2.0", (), None),
    (f"[Atlas]({U})\n  {T}", T, "Atlas", (), None),
    (f"A Long Word on Sparse Maps - Drawing Every Place Twice [[paper]({U})]", "A Long Word on Sparse Maps - Drawing Every Place Twice", None, (), None),
    (f"{T} <br>\n  [Atlas Graphics Forum 2021]({U}) / [Project Page](https://e.org)", T, None, (), 2021),
    (f"**Sparse Maps** IEEE RADAR, 2020. [Conference]({U})", "Sparse Maps", None, (), 2020),
    (f"(2026.02 arXiv) [{T}]({U})", T, None, (), 2026),
    (f"[ATLAS'2023] [{T}]({U})", T, None, (), 2023),
    (f"2016 ICCV workshop [{T}]({U})", T, None, (), 2016),
    (f"X<sup>2</sup>-Map [[paper]({U})]", "X2-Map", None, (), None),
    (f"Sparse maps of many things `GAN` `3D` [pdf]({U})", "Sparse maps of many things", None, (), None),
    (f"*2. (CVPR 2025) {T}\n  [[paper]]({U})", T, None, (), 2025),
    (f"{T}. [Example, Sample (2004)]({U}).", T, None, ("Example", "Sample"), 2004),
    (f"{T}. [Example et al (2004)]({U}).", T, None, ("Example",), 2004),
    (f"[{T}]({U}). Example & Sample. SIGGRAPH 2002.", T, None, ("Example", "Sample"), 2002),
    (f"[{T}]({U}) (Example and Sample, 2020): maps", T, None, ("Example", "Sample"), 2020),
    (f"Example and Sample. {T}. [pdf]({U})", T, None, ("Example", "Sample"), None),
    (f"Example et al., {T} [pdf]({U})", T, None, ("Example",), None),
    (f"A. Example, {T} [pdf]({U})", T, None, (AE,), None),
    (f"Example A. {T}. Annals of Maps, 2022, 208: 11 [p]({U})"[:-len(f" [p]({U})")] + f" {U}", T, None, ("Example A",), 2022),
    (f"Example A, Sample B, others . {T}. Maps, 2021, 7: 1. {U}", T, None, ("Example A", "Sample B"), 2021),
    (f"Example, Ada and De Sample, Bo, {T}, ACCV, 2014. [[P]]({U})", T, None, (ADA, "Bo De Sample"), 2014),
    (f"Example, Ada, {BO}, and {CY}, {T}, ICONIP, 2014. [[Paper]]({U})", T, None, (ADA, BO, CY), 2014),
    (f"Example, A., Sample, B., et al. 2019. {T}. arXiv:1804.04235", T, None, (AE, BS), 2019),
    (f"Example, A., & Sample, B. (2019, July). {T}. {U}", T, None, (AE, BS), 2019),
    (f"[{ADA}, {BO}: {T}. VLDB 2013]({U})", T, None, (ADA, BO), 2013),
    (f"{ADA}, and Michael I. Sample: {T}, J. Atlas Research, 2003. {U}", T, None, (ADA, "Michael I. Sample"), 2003),
    (f"{ADA}, et al.: {T}, J. of Atlas Research, 2003. {U}", T, None, (ADA,), 2003),
    (f"{ADA}, {BO}, Second Maps: Charts of Places, ICCV, 2016. {U}", "Second Maps: Charts of Places", None, (ADA, BO), 2016),
    (f"{ADA}, {BO} .[{T}]({U}) [J]. arXiv preprint", T, None, (ADA, BO), None),
    (f"<[{T}]({U})> by {ADA}, {BO}, Example of Others, ICLR 2021.", T, None, (), 2021),
    (f"<[{T}]({U})> by {ADA}, {BO}, ICLR 2021.", T, None, (ADA, BO), 2021),
    (f"**{T}**. *{ADA}(University of Maps), {BO}.* ICDE 2023. [link]({U})", T, None, (ADA, BO), 2023),
    (f"**{T}** — Example, Ada, 2023 | Maps. [[Paper]({U})]", T, None, (ADA,), 2023),
    (f"**SQA**: Example, Ada and Sample, Bo, et al. **SQA: Maps in Words**. ICLR 2023. [[P]]({U})", "SQA: Maps in Words", "SQA", (ADA, BO), 2023),
    (f"**[{ADA} et al.]({U})** (2019 CVPR)<br>**{T}**", T, None, (ADA,), 2019),
    (f"[{T}]({U}); {ADA} and {BO}; Introduces Atlas - a map", T, None, (ADA, BO), None),
    (f"**Net:** {ADA}, {BO}, {CY}. {T}. *ICLR23*[[paper]]({U}) [[code]](https://github.com/o/n)", T, "Net", (ADA, BO, CY), 2023),
    (f"**Net/Map:** {ADA}, {BO}, Cy Data, Dee Fourth. {T}. [[paper (no code yet)]]({U})", T, "Net/Map", (ADA, BO, "Cy Data", "Dee Fourth"), None),
    (f"CVPR workshop-21 [{T}]({U})", T, None, (), 2021),
    (f"ACM CCS-18 [{T}]({U})", T, None, (), 2018),
    (f"2022 [{T}](https://e.org/p), from {ADA} in Place.", T, None, (), 2022),
    (f"[{T}]({U}), Example et al., IEEE Journal of Selected Topics in Applied Earth Observations and Remote Sensing 2017", T, None, ("Example",), 2017),
    (f"[Example A, Sample B, Third C. Mapnet: {T}. In: Proceedings of Maps, 2022]({U})", f"Mapnet: {T}", None, ("Example A", "Sample B", "Third C"), 2022),
    (f'Example, Ada; Sample, Bo (2011). "{T}". Journal of Atlases 12(3). [pdf]({U})', T, None, (ADA, BO), 2011),
    (f"Example, A. and Sample, B., 2011. {T}. Journal of Atlases, 12(3). [pdf]({U})", T, None, (AE, BS), 2011),
    (f"[{T}]({U}) - {ADA}, {BO}, PKU", T, None, (ADA, BO), None),
    (f"[{T}]({U}) (Example & Sample 2021)", T, None, ("Example", "Sample"), 2021),
    (f"[{T}]({U}), Technical Report, 2002", T, None, (), 2002),
    (f"[{T}]({U}) - {ADA}, Bo S{{\\'a}}mple", T, None, (ADA, "Bo Sámple"), None),
    (f"[Atlas](https://github.com/o/n) ([{T}]({U}), ICLR 2020)", T, "Atlas", (), 2020),
    (f"{T}, in: *Proceedings of the 12th Conference on Maps*, 2005. [doi]({U})", T, None, (), 2005),
    (f"**{T}**\n  {ADA}, {BO}\n  ECCV 2018 [pdf]({U})", T, None, (ADA, BO), 2018),
    (f"A long word on what maps need by {ADA} [pdf]({U})", "A long word on what maps need", None, (ADA,), None),
    (f"[{T}]({U}) \\\n  {ADA} and {BO} \\ \n  ACM Transactions on Maps (TOM), 2022", T, None, (ADA, BO), 2022),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "title", "name", "people", "year"),
    ITEMS,
    ids=[f"{i}-{item[0][:30]}" for i, item in enumerate(ITEMS)],
)
def test_item_of_a_stranger_is_read(text, title, name, people, year):
    entry = only(f"* {text}\n")
    assert (entry.title, entry.name, entry.authors, entry.year) == (title, name, people, year)


PAGES = [
    # a page of one work: title, people, year
    (f"# {T}\n\n[Paper]({U}) | [Code](https://github.com/o/n)\n\n## Words\n", T, (), None),
    (f"# {T}\n\n## Introduction\n\n* [Link to the paper]({U})\n", T, (), None),
    (f"## Atlas\n\n[阅读论文]({U})\n", "Atlas", (), None),
    (f"> ### 1. {T}\n>\n> | a | b |\n> |---|---|\n> | 作者 | {ADA} |\n>\n> [阅读论文]({U})\n", T, (), None),
    (f"### {T} (2021)\n\n* [Code](https://github.com/o/n)\n\n* <img src=\"p.png\">[Paper]({U})\n", T, (), 2021),
    (f"*(AT)* **{T}.** {ADA}, {BO}. NeurIPS 2003.\n\n- [[paper]({U})]\n- says much of maps\n", T, (ADA, BO), 2003),
    (f"**{T}**\n> *{ADA}, {BO}* \\\n> ICLR 2022 oral. [[Paper]({U})] \\\n> 6 Mar 2022\n", T, (ADA, BO), 2022),
    (f"19. **{T}**. ![](https://e.org/b)\n\n   *{ADA}, {BO}*. [[pdf]({U})], 2022.03\n", T, (ADA, BO), 2022),
    (f"16. **{T}.**\n\n    *{ADA}\\*, {BO}* [[pdf]({U})] 2022.7\n", T, (ADA, BO), 2022),
    (f"{T}\nOSDI 2014\n{U}\n", T, (), 2014),
    (f"7. **{T}** (2026) `RL`\n\n   *First author: {ADA}; venue: arXiv.* [[Paper]]({U}) -- of maps\n", T, (ADA,), 2026),
    (f"- {T}.\n  - {AE}, {BS}, and C. D. Third. *Arxiv 2021*. [[pdf]]({U})\n", T, (AE, BS, "C. D. Third"), 2021),
    (f"- **{T}** | [Github](https://github.com/o/n)\n  * {ADA}, {BO}\n  * [CoRL2024] {U}\n", T, (ADA, BO), None),
    (f"+ **{T}**\n  + **Authors:** {ADA}, {BO}\n  + **Year of Publication:** 2017\n  + **Download:** [PDF]({U})\n", T, (ADA, BO), 2017),
    (f"1. **{T}** *{ADA}, {BO}.* WWW 2020.\n    + __Paper:__ [*ACM*]({U}) | __Code:__ [*torch*](https://github.com/o/n)\n", T, (ADA, BO), 2020),
    (f"- {ADA}, {BO}:\n\n   {T}.\n\n   [[paper]({U})]\n", T, (ADA, BO), None),
    (f"- **A**: {T}\n  - <a href=\"{U}\"><img src=\"b.svg\"></a>\n", T, (), None),
    (f"- [{T}]({U})\n  - {ADA}, {BO}\n  - 📅 Date: March 10, 2025\n", T, (ADA, BO), 2025),
]  # fmt: skip


@pytest.mark.parametrize(("text", "title", "people", "year"), PAGES, ids=range(len(PAGES)))
def test_title_stands_above_its_link(text, title, people, year):
    entry = only(text)
    assert (entry.title, entry.authors, entry.year) == (title, people, year)


def test_heading_over_several_works_is_not_the_title_of_one():
    text = f"## Sparse Maps and More\n\n* [pdf]({U})\n* [Two](https://arxiv.org/abs/1909.13719)\n"
    assert [entry.title for entry in Document(text.encode()).entries] == [
        "Sparse Maps and More",
        "Two",
    ]
    text = text.replace("* [pdf]", "* words\n* [pdf]")
    assert "Sparse Maps and More" not in [e.title for e in Document(text.encode()).entries]


@pytest.mark.parametrize(
    ("head", "row", "title", "year"),
    [
        ("Publish Date|Title|PDF", f"**2026-06-04**|**{T}**|[1804.04235]({U})", T, 2026),
        ("Full Title|Code|Paper Link", f"{T}|[x](https://e.org)|[DOI]({U})", T, None),
        ("paper|源码|收录", f"[{T}]({U})|-|EMNLP 2021", T, 2021),
        ("Type|Framework|Repo|Paper", f"Benchmark|AtlasRAG|https://github.com/o/n|{U}", "AtlasRAG", None),
        ("Set|Task|Paper", f"WebMaps|Words|[[EMNLP 2013]]({U})", "WebMaps", 2013),
        ("Venue|Name|Title", f"ATC 18'|SOCK|[{T}]({U})", T, 2018),
        ("Paper|Where", f"[{T}]({U})|2024 nips oral", T, 2024),
    ],
)  # fmt: skip
def test_row_of_a_stranger_is_read(head, row, title, year):
    rule = "|".join("-" for _ in head.split("|"))
    entry = only(f"|{head}|\n|{rule}|\n|{row}|\n")
    assert (entry.title, entry.year) == (title, year)


def test_number_in_a_row_without_a_paper_is_not_a_year():
    (entry,) = Document(b"|a|b|\n|-|-|\n|BBBP|2039|\n").entries
    assert entry.year is None


@pytest.mark.parametrize("heading", ["Organization (first author)", "Read on"])
def test_word_in_parentheses_is_not_what_a_column_says(heading):
    assert role_of(heading) != "authors"


@pytest.mark.parametrize(
    "words",
    [
        "Extend Reading", "Asynchronous Advantage Actor Critic", "Interleaved Token Modeling", "Unified VLA", "MIS Quarterly", "Train Short",
        "MiniMax Sparse Attention. MiniMax", "Alexa Prize SimBot Challenge", "DOOM Agent", "Tidying Up and Charting Down",
    ],
)  # fmt: skip
def test_two_capitals_are_not_a_person(words):
    assert split_authors(words) == ()
    assert only(f"* [{T}]({U}), {words}\n").authors == ()
    assert only(f"* {T} [[p]({U})] - {words}\n").authors == ()


@pytest.mark.parametrize(
    "text",
    [
        f"[Fast Maps of Places by Enabling KV Cache and Parallel Decoding]({U})",
        f"Train Short, Test Long: Maps with Linear Biases, <ins>ICLR, 2022</ins> [[Paper]({U})]",
        f"- [34] Vector Runhead, 2021, ISCA {U}"[2:],
    ],
)
def test_title_words_are_not_people(text):
    assert only(f"* {text}\n").authors == ()


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("Smith and Jones", ("Smith", "Jones")), ("Lattner, Adve", ("Lattner", "Adve")), ("van den Oord & Vinyals", ("van den Oord", "Vinyals")),
        ("Bagging and Boosting", ()), ("Smith", ()), ("Trees and forests", ()),
    ],
)  # fmt: skip
def test_family_names_alone(text, people):
    assert family_names(text) == people


@pytest.mark.parametrize(
    "text", ["论文链接", "官方代码", "[笔记]", "コード", "Paper1", "Thesis Paper", "Journal"]
)
def test_label_of_a_link(text):
    assert is_label(text)


@pytest.mark.parametrize(
    ("text", "year"),
    [("2018d", 2018), ("ATC 18'", 2018), ("2026.02 arXiv", 2026), ("2024 nips oral", 2024), ("arXiv, 23 Jul 2024", 2024), ("ICLR-22 in submission", 2022), ("2023.5 Maps of Words", None)],
)  # fmt: skip
def test_year_that_is_said(text, year):
    assert year_said(text) == year
