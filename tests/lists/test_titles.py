"""Titles, names, authors and years in the forms that real lists write them."""

import pytest

from studiolo.lists import Document
from studiolo.lists.authors import split_authors
from studiolo.lists.citations import cite


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
        ("Example, Ada and Zhao, Jun", ("Ada Example", "Jun Zhao")),
        ("Kim, Jangho et al.", ("Jangho Kim",)),
        ("August", ()),
        ("Inferring, Debugging Path Failures", ()),
        ("Shamir's Secret Sharing, Packed Variant", ()),
        ("Google Research", ()),
        ("Clean, minimal reproduction", ()),
        ("vision, speech", ()),
        ("2017", ()),
        ("x" * 10_000, ()),
    ],
)  # fmt: skip
def test_people_are_told_from_other_words(text, people):
    assert split_authors(text) == people


RIVERS = "Learning to Swim in Rivers"
ADA, BO = "Ada Example", "Bo Sample"
MEAN = "Mean River Search"
KINDS = {
    # nothing but commas: who is meant is told by an `and`, initials or length; else nobody is invented
    "the longer last part": (f"{ADA}, {BO}, {MEAN}, AAAI, 2010", MEAN, None, (ADA, BO), 2010),
    "letters for names": (f"A B, C D, {MEAN}, AAAI, 2010", MEAN, None, ("A B", "C D"), 2010),
    "title before people": (f"{MEAN}, {ADA}, {BO}, AAAI, 2010", MEAN, None, (ADA, BO), 2010),
    "initials tell": ("A. Example, B. Sample, River Stone, ICML, 2010", "River Stone", None, ("A. Example", "B. Sample"), 2010),
    "and tells": (f"{ADA}, {BO} and Cy Third, {MEAN}, ICML 2010", MEAN, None, (ADA, BO, "Cy Third"), 2010),
    "title, and tells": (f"{MEAN}, {ADA} and {BO}, ICML 2010", MEAN, None, (ADA, BO), 2010),
    "a journal of names": (f"{ADA}, {BO}, {MEAN}, Neural Computation, 1997", MEAN, None, (ADA, BO), 1997),
    "not known": (f"{ADA}, {BO}, River Search, AAAI, 2010", f"{ADA}, {BO}, River Search", None, (), 2010),
    "no venue": (f"{ADA}, {BO}, River Search. [pdf]({U})", f"{ADA}, {BO}, River Search", None, (), None),
    # a year closes a title, and who follows a dash is not in it
    "families behind a dash": (f"[{RIVERS} (2019) - Example, Sample, van der Third]({U})", RIVERS, None, ("Example", "Sample", "van der Third"), 2019),
    "two families, or one person": (f"[{RIVERS} (2019) - Example, Sample](notes/river.md)", RIVERS, None, (), 2019),
    "people behind a dash": (f"[{RIVERS} (2019) - {ADA}, {BO}](notes/river.md)", RIVERS, None, (ADA, BO), 2019),
    "an unknown venue": (f"<[{RIVERS}]({U})>, by {ADA}, {BO} and Cy Third, ROBIO 2018.", RIVERS, None, (ADA, BO, "Cy Third"), 2018),
    "a name before a dash": (f"[LSC - {RIVERS} - CVPR - 2015]({U})", RIVERS, "LSC", (), 2015),
    "a year among authors": (f"[{RIVERS}]({U})\n  * Authors: A.B. Example, and C. Sample (2016)", RIVERS, None, ("A.B. Example", "C. Sample"), 2016),
    "a colon that leads on": (f"{RIVERS} :\n  - [code](https://github.com/a/b)", RIVERS, None, (), None),
    "a house in brackets": (f"{RIVERS} (from Some Lab) (NeurIPS'23) [paper]({U})", RIVERS, None, (), 2023),
    "a name twice": (f"Boat: Boat: {RIVERS}. *CVPR 2021*. [[paper]]({U})", f"Boat: {RIVERS}", None, (), 2021),
    "people with pages below": (f"**{RIVERS}**\n  - {ADA}, [{BO}](https://a.org/b)\n  - [pdf]({U})", RIVERS, None, (ADA, BO), None),
    # names and titles
    "stop behind a title": (f"**Mamba**: Linear-Time River Modelling. [[pdf]({U})]", "Linear-Time River Modelling", "Mamba", (), None),
    "venue behind a stop": (f"**Mamba**: Linear-time models of rivers. ICML 2020. [[pdf]({U})]", "Linear-time models of rivers", "Mamba", (), 2020),
    "remark behind a name": (f"**Mamba**: a nice way to model rivers. [[pdf]({U})]", "Mamba", None, (), None),
    "title in brackets": (f"RiverNet ({RIVERS}) [pdf]({U})", RIVERS, "RiverNet", (), None),
    "with a venue": (f"RiverNet ({RIVERS}, ICML 2020) [pdf]({U})", RIVERS, "RiverNet", (), 2020),
    "behind a linked name": (f"[RiverNet]({U}) ({RIVERS})", RIVERS, "RiverNet", (), None),
    "within the link": (f"[RiverNet ({RIVERS})]({U})", RIVERS, "RiverNet", (), None),
    "what letters stand for": (f"LSR (Learning Swim Rivers Well) [pdf]({U})", "LSR (Learning Swim Rivers Well)", None, (), None),
    "somebody's house": (f"[{ADA} (New York Genome Center)]({U})", f"{ADA} (New York Genome Center)", None, (), None),
    "who made it": (f"[Net 2 (Ant Group / Another Lab)]({U})", "Net 2 (Ant Group / Another Lab)", None, (), None),
    "nobody's name": (f"[{RIVERS}]({U}), {ADA}, {BO}, Cy Third, Di Fourth and many authors", RIVERS, None, (), None),
    "a remark in brackets": (f"[Sage Maker]({U}) [Paid Service]", "Sage Maker", None, (), None),
    "few words quoted": (f"R1’s “Aha Moment” in Visual Reasoning [[Paper]({U})]", "R1’s “Aha Moment” in Visual Reasoning", None, (), None),
    "by, behind bold": (f"**Biomed** by {ADA} et al. (2020). Biomed is free for all. [paper]({U})", "Biomed", None, (ADA,), 2020),
    # keys, hashes, dashes
    "key of a citation": (f"[Exa21] {RIVERS}. [pdf]({U})", RIVERS, None, (), None),
    "key with a plus": (f"[EO+21] [{RIVERS}]({U})", RIVERS, None, (), None),
    "linked key": (f"[Exa21]({U}) {ADA}, {BO}. {RIVERS}. ICML 2021.", RIVERS, None, (ADA, BO), 2021),
    "name with a number": (f"[VGG16] {RIVERS}, 2014 [pdf]({U})", RIVERS, "VGG16", (), 2014),
    "hash and a space": (f"#[{RIVERS}] ({U})", RIVERS, None, (), None),
    "dash within bold": (f"**- {RIVERS} (CVPR 2025)** [arXiv]({U})", RIVERS, None, (), 2025),
    "address as text": (f"[<{U}>]({U})", "arxiv:1706.03762", None, (), None),
    # people
    "family called How": (f"{ADA}, Jonathan P. How. {RIVERS}. ICRA 2019. [pdf]({U})", RIVERS, None, (ADA, "Jonathan P. How"), 2019),
    "only he": (f"{RIVERS}. Jonathan P. How. ICRA 2019. [pdf]({U})", RIVERS, None, ("Jonathan P. How",), 2019),
    "given name of a venue": (f"[{RIVERS}]({U}) {ADA}, {BO}, Chi Jin.", RIVERS, None, (ADA, BO, "Chi Jin"), None),
    "etc.": (f"[{RIVERS}]({U}), {ADA}, {BO}, etc.", RIVERS, None, (ADA, BO), None),
    "small family name": (f"[{RIVERS}]({U}), {ADA}, {BO}, Cy Third, Jin zeng", RIVERS, None, (ADA, BO, "Cy Third", "Jin zeng"), None),
    "dots between": (f'**Net:** {ADA} · {BO} · Cy Third · Di Fourth.<br>"{RIVERS}." CVPR (2025). [pdf]({U})', RIVERS, "Net", (ADA, BO, "Cy Third", "Di Fourth"), 2025),
    "brackets around a link": (f"**Swim** (A. Example et. al., May. 2019., Baidu, [arxiv]({U}))", "Swim", None, ("A. Example",), 2019),
    "et al. ends them": (f"[Example et al. Ekya: {RIVERS}. In *NSDI'22*.]({U})", f"Ekya: {RIVERS}", None, ("Example",), 2022),
    "whose lab they are of": (f"[(A Lab and MSR) Example et al. Ekya: {RIVERS}.]({U})", f"Ekya: {RIVERS}", None, ("Example",), None),
    "two behind a dash": (f"[{RIVERS} — Wilson & Collins (2019)]({U})", RIVERS, None, ("Wilson", "Collins"), 2019),
    "no title": (f"Example, Carl M., Dorje C. Brody, and Markus P. Müller. arXiv preprint [arXiv:1706.03762]({U})", "Example, Carl M., Dorje C. Brody, and Markus P. Müller", None, (), None),
    "below, in brackets": (f"[{RIVERS}]({U})\n  - ({ADA}, {BO})", RIVERS, None, (ADA, BO), None),
    "next line, in brackets": (f"[{RIVERS}]({U})  \n  [{ADA}, {BO}]", RIVERS, None, (ADA, BO), None),
    "months are nobody": (f"**Swim** (A. Example, B. Sample, Feb. 2017., Baidu, [arxiv]({U}))", "Swim", None, ("A. Example", "B. Sample"), 2017),
    "label by somebody": (f"**Open Data** by {ADA} (2021). A talk on data. [pdf]({U})", "Open Data", None, (ADA,), 2021),
    "two in brackets": (f"[{RIVERS} (Example & Sample, 2011)]({U})", RIVERS, None, ("Example", "Sample"), 2011),
    "one in brackets": (f"[{RIVERS} (Example, 2011)]({U})", RIVERS, None, (), 2011),
    "citation as link": (f"{RIVERS} [[Example et al., EMNLP 2018]]({U})", RIVERS, None, ("Example",), 2018),
    "inverted with spaces": (f"[{RIVERS}]({U}), Example, Ada  and Sample, Bo, 2019", RIVERS, None, (ADA, BO), 2019),
    "initials and semicolons": (f"[{RIVERS}]({U}). Example, A. B.; Sample, C. *Rivers* 2020, 1.", RIVERS, None, ("A. B. Example", "C. Sample"), 2020),
    "footnotes in italics": (f"**{RIVERS}**. *{ADA}, {BO}*, Cy Third, Di Fourth*. [pdf]({U})", RIVERS, None, (ADA, BO, "Cy Third", "Di Fourth"), None),
    "glued initials": (f"{RIVERS}\n  - A. Example, B. Sample and C.Third. *ICML 2019*. [pdf]({U})", RIVERS, None, ("A. Example", "B. Sample", "C. Third"), 2019),
    "A is an initial": (f"[{RIVERS}]({U})\n  - A Example *et al.* *(who swam)*", RIVERS, None, ("A Example",), None),
    "one below, by": (f"[{RIVERS}]({U})\n  - by {ADA}", RIVERS, None, (ADA,), None),
    "one below, initials": (f"[{RIVERS}]({U})\n  - Ada B. Example", RIVERS, None, ("Ada B. Example",), None),
    "one below, who knows": (f"[{RIVERS}]({U})\n  - Ada Example", RIVERS, None, (), None),
    # what stands around a title
    "somebody presents": (f"{ADA} presents [Inferring and Debugging River Maps](https://x.org/a.pdf)", "Inferring and Debugging River Maps", None, (), None),
    "spaces, a remark": (f"{RIVERS}   a nice remark on boats [pdf]({U})", RIVERS, None, (), None),
    "spaces, a title": (f"Learning to Swim  in Rivers [pdf]({U})", RIVERS, None, (), None),
    "headline and place": (f"`[Example et al. XYZ20]` Learning to Swim in Rivers. ACM Multimedia, 2020. [[pdf]]({U})", RIVERS, None, ("Example",), 2020),
    "place of any name": (f"{RIVERS}. TOIS. [[pdf]]({U})", RIVERS, None, (), None),
    "spotlight": (f"{RIVERS} (spotlight): [NeurIPS20]({U})", RIVERS, None, (), 2020),
    "cited behind its name": (f"[Boat]({U}): A. Example, B. Sample. 2015. Boat: {RIVERS}. (2015).", f"Boat: {RIVERS}", "Boat", ("A. Example", "B. Sample"), 2015),
    "quotation and subtitle": (f'**"Who Swims?": Learning Where the Rivers Run** — Example et al., KDD 2016. [pdf]({U})', '"Who Swims?": Learning Where the Rivers Run', None, ("Example",), 2016),
    "quotation below a remark": (f'***What is done there***\n  - **"{RIVERS}"**, XYZ, 2020\n  - {ADA} *et al.*\n  - [[Paper]]({U})', RIVERS, None, (ADA,), 2020),
    "bracket closed by a link": (f"{RIVERS} (2019, [pdf]({U}))", RIVERS, None, (), 2019),
    "people in that bracket": (f"{RIVERS} (Example et al., 2019, [pdf]({U}))", RIVERS, None, ("Example",), 2019),
    "house behind links": (f"**Boat** [[Paper]({U})] @Meta\n  <br/> {RIVERS} (ICCV 2017)", RIVERS, "Boat", (), 2017),
    # where and when
    "journal and volume": (f"A. Example, {RIVERS}, Journal of Rivers and Law, Vol. 4, Issue 2 (2006). {U}", RIVERS, None, ("A. Example",), 2006),
    "day-month-year": (f'Example, Ada, and {BO}. "{RIVERS}." [arXiv:1706.03762]({U}) (11-Nov-08).', RIVERS, None, (ADA, BO), 2008),
    "year and month of arXiv": (f"{RIVERS}. [arXiv201909]({U})", RIVERS, None, (), 2019),
    "two digits in Chinese": (f"{RIVERS}\n  * {U}\n  * IEEE Transactions，20年8月", RIVERS, None, (), 2020),
    # field by field
    "lines": (f"**Title:** {RIVERS}\n  **Authors:** {ADA}, {BO}\n  **Year:** 2020\n  **Link:** {U}", RIVERS, None, (ADA, BO), 2020),
    "one line": (f"**Title:** {RIVERS} **Authors:** {ADA}, {BO} **Year:** 2020 [pdf]({U})", RIVERS, None, (ADA, BO), 2020),
    "linked title": (f"**Title:** [{RIVERS}]({U})<br>**Authors:** {ADA}<br>**Venue:** ICML 2020", RIVERS, None, (ADA,), 2020),
    "plain": (f"Title: {RIVERS}\n  Authors: {ADA}, {BO}\n  Link: {U}", RIVERS, None, (ADA, BO), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_kind_of_head_is_read(kind):
    text, *said = KINDS[kind]
    entry = Document(f"- {text}\n".encode()).entries[0]
    assert [entry.title, entry.name, entry.authors, entry.year] == said


TABLES = [
    (
        "| Model | Year | Paper |\n|---|---|---|\n"
        f"| **GIT-Mol** | 2023 | [Computers in Biology]({U}) |\n"
        "| **Uni-Mol** | 2023 | [ICLR 2023](https://arxiv.org/abs/1706.03763) |\n"
        "| **MoMu** | 2022 | [arXiv](https://arxiv.org/abs/1706.03764) |",
        ("GIT-Mol", None, 2023),
    ),
    (
        f"| Date | Title | Link | Tags |\n|---|---|---|---|\n|**01-27**|**{RIVERS}**|[1706]({U})|`EACL'23`, `Rivers`|",
        (RIVERS, None, 2023),
    ),
    (
        "| Papers | Links |\n|---|---|\n| 1) **Swim** - a model of rivers. | [Paper](https://lab.org/a) |",
        ("Swim", None, None),
    ),
    (
        f"| Model | Paper |\n|---|---|\n| Boat (large) (Example et al.2018) | [{RIVERS}]({U}) |",
        (RIVERS, "Boat (large)", 2018),
    ),
    (
        f"| Title | Link |\n|---|---|\n| *{RIVERS}* – Example et al. | [pdf]({U}) |",
        (RIVERS, None, None),
    ),
    (
        f"| Venue | Title |\n|---|---|\n| arXiv:2009.05923 | [{RIVERS}]({U}) |",
        (RIVERS, None, None),
    ),
    (
        f"| Year | Paper | Name |\n|---|---|---|\n| 2012 | [{RIVERS}]({U}) | N/A |",
        (RIVERS, None, 2012),
    ),
]


@pytest.mark.parametrize(("table", "said"), TABLES)
def test_row_is_read(table, said):
    entry = Document(table.encode()).entries[0]
    assert (entry.title, entry.name, entry.year) == said


FIELDS = ["**Authors:** Example et al. (Some House)  ", "**Year:** 2020"]


@pytest.mark.parametrize("mark", ["", "- "])
def test_fields_below_a_linked_heading_are_its_work_s(mark):
    below = "\n".join(mark + field for field in FIELDS)
    other = U.replace("3762", "3763")
    text = f"### [{RIVERS}]({U})\n\n{below}\n\n### [{MEAN}]({other})\n\nGood on rivers, seas and\nlakes.\n"
    first, *_, last = Document(text.encode()).entries
    assert (first.title, first.authors, first.year) == (RIVERS, ("Example",), 2020)
    assert (last.title, last.authors, last.year) == (MEAN, (), None)


def listed(heads):
    """Return the people of each item of a list."""
    text = "\n".join(
        f"- {head.format(U.replace('3762', str(3762 + i)))}" for i, head in enumerate(heads)
    )
    return [entry.authors for entry in Document(text.encode()).entries]


def test_one_family_in_brackets_is_read_where_others_of_its_list_stand_there():
    cited = [f"[River Maps ({one} et al., 2018)]({{}})" for one in ("Aa", "Bo", "Cy", "Di", "Ed")]
    alone = [f"[{RIVERS} (Pizzagalli, 2014)]({{}})", f"[{RIVERS} (Neuron, 2014)]({{}})"]
    assert listed([*cited, *alone])[5:] == [("Pizzagalli",), ()]
    venues = [f"[River Maps ({one}, 2018)]({{}})" for one in ("Nature", "Cell", "Science", "PNAS")]
    assert listed([*venues, *alone])[4:] == [(), ()]


def test_one_name_in_italics_is_read_where_others_of_its_list_stand_in_italics():
    several = [f"[{RIVERS}]({{}})\n  - *{ADA}, {BO}*"] * 4
    alone = f"[{MEAN}]({{}})\n  - *{ADA}*"
    assert listed([*several, alone])[4] == (ADA,)
    assert listed([alone]) == [()]


def test_what_titles_end_with_is_not_cut_from_a_list_of_people():
    alone = [
        f"{RIVERS} at Night, {one} [pdf]({{}})" for one in ("Webb", "Stone", "Park", "Reed")
    ] * 3
    people = f"**{MEAN}**. *Example, Ada and Sample, Bo and Zhao, Jun*. [pdf]({{}})"
    assert listed([*alone, people])[-1] == (ADA, BO, "Jun Zhao")


def test_venues_behind_people_are_cut_from_them():
    dated = [
        f"*{one} et al. (OSDI '24)* — What {one} did about the rivers of the north [pdf]({{}})"
        for one in ("Webb", "Stone", "Park", "Reed", "Holm")
    ]
    assert listed(dated) == [("Webb",), ("Stone",), ("Park",), ("Reed",), ("Holm",)]


@pytest.mark.parametrize("words", ["", "(", "2019", "(2019)", ". . .", "- -"])
def test_words_that_cite_nothing_have_no_people(words):
    assert not split_authors(cite(words)[1])
