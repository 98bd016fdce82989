"""What a doubtful part of a head is, by what stands in its place in the other heads of the list."""

import pytest

from studiolo.lists import Document


NOUNS = ("Rivers", "Lakes", "Ponds", "Bays", "Fjords", "Deltas", "Straits", "Lagoons")
PAIRS = (
    "Ada Stone, Bo Field", "Cy Marsh, Di Brook", "Ed Hill, Flo Ford", "Gus Wood, Hal Moor",
    "Ida Lund, Jon Berg", "Kim Dahl, Lee Holm", "Mo Strand, Nan Fors", "Ole Skog, Pia Vik",
)  # fmt: skip


def read(*lines):
    return Document("".join(f"- {line}\n" for line in lines).encode()).entries


def link(i):
    return f"https://arxiv.org/abs/1804.0423{i}"


def heads(form, number=6):
    """Return heads of one form: `{n}` is a noun, `{u}` an address, `{p}` two people, `{i}` a number."""
    return [form.format(n=NOUNS[i], u=link(i), p=PAIRS[i], i=i) for i in range(number)]


def said(entry):
    return entry.title, entry.name, entry.authors, entry.year


@pytest.mark.parametrize(
    ("form", "odd", "meant"),
    [
        (  # a journal that nobody knows, where the others have venues
            "Sparse Maps of {n} (**CVPR**) [[paper]({u})]",
            "A Chart of Small Things (**Hydrology**) [[paper]({u})]",
            ("A Chart of Small Things", None, (), None),
        ),
        (  # words that are repeated are a label
            "From Maps to {n}: A Survey [Chart_24{i}1]({u})",
            "Of Wells and Springs [Chart_2412]({u})",
            ("Of Wells and Springs", None, (), None),
        ),
        (
            "**Work:** [Sparse Maps of {n}]({u})",
            "**Work:** [A Chart]({u})",
            ("A Chart", None, (), None),
        ),
        (
            "`Water + Land` **[Sparse Maps of {n}]({u})**",
            "`Water + Land` **[A Chart of Wells]({u})**",
            ("A Chart of Wells", None, (), None),
        ),
        (  # one person, or family names, where the others are several people
            "**Sparse Maps of {n}.** *{p}.* [[paper]({u})]",
            "**A Chart of Wells.** *Quin.* [[paper]({u})]",
            ("A Chart of Wells", None, ("Quin",), None),
        ),
        (
            "Sparse Maps of {n} - *{p}* - 2020 [[paper]({u})]",
            "A Chart of Wells - *Stone and Webb* - 2020 [[paper]({u})]",
            ("A Chart of Wells", None, ("Stone", "Webb"), 2020),
        ),
        (  # an institution there is nobody
            "**Sparse Maps of {n}.** *{p}.* [[paper]({u})]",
            "**A Chart of Wells.** *Water Research Asia.* [[paper]({u})]",
            ("A Chart of Wells", None, (), None),
        ),
        (  # people in small letters behind a title, by family names
            "Sparse maps of small {n}. Stone, Marsh {u}",
            "A chart of deep wells. Quin, Lund, Holm {u}",
            ("A chart of deep wells", None, ("Quin", "Lund", "Holm"), None),
        ),
        (
            "[Why {n} Matter by Ada Stone]({u})",
            "[How to Draw a Well by Quin Lund]({u})",
            ("How to Draw a Well", None, ("Quin Lund",), None),
        ),
    ],
)  # fmt: skip
def test_a_doubtful_part_is_what_the_others_in_its_place_are(form, odd, meant):
    *_, entry = read(*heads(form), odd.format(u=link(9)))
    assert said(entry) == meant


@pytest.mark.parametrize(
    "odd", ["A Chart of Small Things (**Hydrology**) [[paper]({u})]", "[How to Draw a Well by Quin Lund]({u})"]
)  # fmt: skip
def test_few_heads_show_no_habit(odd):
    (entry,) = read(odd.format(u=link(9)))
    assert "(Hydrology)" in entry.title or entry.title.endswith("by Quin Lund")


def test_titles_that_say_what_they_abbreviate_keep_it():
    """Brackets hold no venue where only some of them do."""
    lines = heads("[Sparse Maps of {n} (SM{i})]({u})") + heads(
        "[Charts of {n} (CVPR 2019)]({u})", 2
    )
    assert next(entry.title for entry in read(*lines)) == "Sparse Maps of Rivers (SM0)"


def test_a_repeated_title_stays_where_nothing_else_is_one():
    lines = heads("[Hydrology](https://e.org/{i})")
    assert {entry.title for entry in read(*lines)} == {"Hydrology"}


def test_titles_do_not_depend_on_how_the_list_is_walked():
    lines = [
        *heads("Sparse Maps of {n} (**CVPR**) [[paper]({u})]", 8),
        f"A Chart (**Hydrology**) [[paper]({link(9)})]",
    ]
    data = (
        "# A\n\n" + "".join(f"- {line}\n" for line in lines) + "\n# B\n\n- x (**Q**)\n"
    ).encode()
    walked = [said(entry) for entry in Document(data).each_entry()]
    assert walked == [said(entry) for entry in Document(data).entries]


def test_dash_in_a_title_of_a_list_without_dashes_is_of_the_title():
    plain = "".join(
        f"- A Map of {place} [[ICML2020]](https://arxiv.org/abs/2001.{i:05})\n"
        for i, place in enumerate(["Rivers", "Roads", "Hills", "Coasts"] * 3)
    )
    dashed = "- Folding Maps - How often can one fold a map? [[ICML2020]](https://arxiv.org/abs/2002.00001)\n"
    (entry,) = (e for e in Document((plain + dashed).encode()).entries if "Folding" in e.text)
    assert (entry.title, entry.name) == ("Folding Maps - How often can one fold a map?", None)


def test_two_digits_where_a_list_says_when_are_a_year():
    known = "".join(
        f"- **[CVPR 2{i}]** A Map of Rivers, Part {i} [[paper]](https://arxiv.org/abs/2001.{i:05})\n"
        for i in range(6)
    )
    other = (
        "- **[TIM 22]** Folding Maps of Many Places [[paper]](https://arxiv.org/abs/2002.00001)\n"
    )
    *_, entry = Document((known + other).encode()).entries
    assert (entry.title, entry.name, entry.year) == ("Folding Maps of Many Places", None, 2022)


def test_venue_as_text_of_a_link_is_not_the_title_beside_a_name():
    table = "| Model | Date | Paper |\n| --- | --- | --- |\n| mapBERT | 2022-09 | [Nature Machine Intelligence](https://doi.org/10.1038/s42256-022-00534-z) |\n"
    (entry,) = Document(table.encode()).entries
    assert (entry.title, entry.year) == ("mapBERT", 2022)


def test_citation_with_capitals_is_no_venue_of_its_list():
    """A topic with one citation below it: nothing of the citation is when the topic appeared."""
    text = f"- Small Maps\n  - Ada Holm, Bo Lund, Cy Marsh, Folding Maps of Rivers in Small Places, CVPR, 2015. [[p]({link(1)})]\n"
    (entry,) = (e for e in Document(text.encode()).entries if e.key)
    assert said(entry) == (
        "Folding Maps of Rivers in Small Places",
        None,
        ("Ada Holm", "Bo Lund", "Cy Marsh"),
        2015,
    )


def test_label_with_another_remark_keeps_its_words():
    (entry,) = read(f"[Paper (winter data)]({link(1)})")
    assert entry.title == "Paper (winter data)"
