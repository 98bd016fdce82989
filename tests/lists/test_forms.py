"""In which form a new item or row is written: that of its neighbours, and only if it reads back as itself."""

from dataclasses import replace

import pytest

from studiolo.errors import ListError
from studiolo.lists import Document, Item, apply_edits, edited, insert, inverse


ITEM = Item(
    "Rivers of Attention",
    "https://arxiv.org/abs/2311.90001",
    authors=("Ada Lovelace", "Bo Turing", "Cy Third"),
    year=2023,
)


def written(text, item=ITEM, section="S"):
    """Return what is inserted into a list, after all that must hold of an insertion."""
    doc = Document(text.encode())
    edits = insert(doc, item, section)
    new = edited(doc, edits, added=1)
    assert apply_edits(new.data, inverse(edits)) == doc.data
    (entry,) = [e for e in new.entries if str(e.key) == "arxiv:2311.90001"]
    assert entry.title == item.title
    assert entry.year in (item.year, None)
    assert entry.authors == item.authors[: len(entry.authors)]
    assert entry.section == (section,)
    (edit,) = edits
    return edit.new.decode().strip("\n")


FORMS = [
    (
        '1. **"Old Lakes for All"**. *Ann Example et al*. arXiv 2021. [[paper](https://arxiv.org/abs/1804.04235)]',
        '2. **"Rivers of Attention"**. *Ada Lovelace et al*. arXiv 2023. [[paper](https://arxiv.org/abs/2311.90001)]',
    ),
    (
        "- **Old Lakes** (2016), A. Example et al. [[pdf]](https://arxiv.org/abs/1804.04235)",
        "- **Rivers of Attention** (2023), Ada Lovelace et al. [[pdf]](https://arxiv.org/abs/2311.90001)",
    ),
    (
        "* [Old Lakes](https://arxiv.org/abs/1804.04235) `Uber` `2021`",
        "* [Rivers of Attention](https://arxiv.org/abs/2311.90001) `2023`",
    ),
    (
        "- [2021] **Old Lakes.** *Ann Example (Lake University) et al. arXiv.* [[paper](https://arxiv.org/abs/1804.04235)] [[code](https://github.com/a/b)]",
        "- [2023] **Rivers of Attention.** *Ada Lovelace et al. arXiv.* [[paper](https://arxiv.org/abs/2311.90001)]",
    ),
    (
        "* Old Lakes - https://arxiv.org/abs/1804.04235",
        "* Rivers of Attention - https://arxiv.org/abs/2311.90001",
    ),
    (
        "- __Old Lakes__: a survey of some waters ([arXiv](https://arxiv.org/abs/1804.04235), [slides](https://a.org/x))",
        "- __Rivers of Attention__ ([arXiv](https://arxiv.org/abs/2311.90001))",
    ),
    (
        "- <b>[Old Lakes](https://arxiv.org/abs/1804.04235)</b>, a description of what it does.",
        "- <b>[Rivers of Attention](https://arxiv.org/abs/2311.90001)</b>",
    ),
    (
        "- [ ] *[Old Lakes](https://arxiv.org/abs/1804.04235)* #waters",
        "- [ ] *[Rivers of Attention](https://arxiv.org/abs/2311.90001)*",
    ),
    (
        "- [Old Lakes](https://arxiv.org/abs/1804.04235), Ann Example and Bob Sample, 2021.",
        "- [Rivers of Attention](https://arxiv.org/abs/2311.90001), Ada Lovelace, Bo Turing and Cy Third, 2023.",
    ),
    (
        "1. (2017 LAKE) **Old Lakes.** _Ann Example, Bob Sample_. [[pdf](https://arxiv.org/abs/1804.04235)]",
        "2. (2023) **Rivers of Attention.** _Ada Lovelace, Bo Turing, Cy Third_. [[pdf](https://arxiv.org/abs/2311.90001)]",
    ),
    (
        "1. [**Old Lakes.**](https://arxiv.org/abs/1804.04235) _Ann Example, Bob Sample._ Arxiv 2021.",
        "2. [**Rivers of Attention.**](https://arxiv.org/abs/2311.90001) _Ada Lovelace, Bo Turing, Cy Third._ Arxiv 2023.",
    ),
    (
        "- [Old Lakes](https://arxiv.org/abs/1804.04235), Example et al., 2021 | [bibtex](./a.txt)",
        "- [Rivers of Attention](https://arxiv.org/abs/2311.90001), Ada Lovelace et al., 2023",
    ),
    (
        "- [Old Lakes](https://arxiv.org/abs/1804.04235), Ann Example\\*, Bob Sample\\*, Dan Old, 2021",
        "- [Rivers of Attention](https://arxiv.org/abs/2311.90001), Ada Lovelace, Bo Turing, Cy Third, 2023",
    ),
    (
        '- Example, Ann, Bob Sample, and Dan Old. ["Old Lakes."](https://arxiv.org/abs/1804.04235) 2021',
        '- Lovelace, Ada, Bo Turing, and Cy Third. ["Rivers of Attention."](https://arxiv.org/abs/2311.90001) 2023',
    ),
    (
        "* __Old Lakes__, (2019), _Ann Example, Bob Sample_. [[pdf]](https://arxiv.org/abs/1804.04235)",
        "* __Rivers of Attention__, (2023), _Ada Lovelace, Bo Turing, Cy Third_. [[pdf]](https://arxiv.org/abs/2311.90001)",
    ),
    (
        "1. **Old Lakes.** LAKE, 2019. [paper](https://arxiv.org/abs/1804.04235) [data](https://a.org/x)",
        "2. **Rivers of Attention.** 2023. [paper](https://arxiv.org/abs/2311.90001)",
    ),
    (
        "1. **Old Lakes**.\n   In **arXiv**, [[Paper](https://arxiv.org/abs/1804.04235)], [[Code](https://github.com/a/b)].",
        "2. **Rivers of Attention**.\n   **arXiv**, [[Paper](https://arxiv.org/abs/2311.90001)].",
    ),
    (
        "- <[Old Lakes](https://arxiv.org/abs/1804.04235)>, 2019.",
        "- <[Rivers of Attention](https://arxiv.org/abs/2311.90001)>, 2023.",
    ),
    (
        "3. **Old Lakes** `LAKE 2021`\n\n   *of some waters* [[paper]](https://arxiv.org/abs/1804.04235) 2021.05",
        "4. **Rivers of Attention** `2023`\n\n   [[paper]](https://arxiv.org/abs/2311.90001)",
    ),
    (  # of two people the second too has the family name first
        "- **Old Lakes** [[pdf](https://arxiv.org/abs/1804.04235)]  \n  *Example, Ann and Sample, Bob*",
        "- **Rivers of Attention** [[pdf](https://arxiv.org/abs/2311.90001)]  \n  *Lovelace, Ada and Turing, Bo and Third, Cy*",
    ),
    (
        '- Ann Example, Bob Sample. "Old Lakes." Journal of Waters, 2019. [[pdf](https://arxiv.org/abs/1804.04235)]',
        '- Ada Lovelace, Bo Turing, Cy Third. "Rivers of Attention." 2023. [[pdf](https://arxiv.org/abs/2311.90001)]',
    ),
    (
        "- **Old Lakes,** in Journal of Waters, 2019. [pdf](https://arxiv.org/abs/1804.04235)",
        "- **Rivers of Attention,** 2023. [pdf](https://arxiv.org/abs/2311.90001)",
    ),
    (
        "- Old Lakes [[12]](https://arxiv.org/abs/1804.04235)",
        "- Rivers of Attention [[paper]](https://arxiv.org/abs/2311.90001)",
    ),
    (
        "- [Old Lakes](https://arxiv.org/abs/1804.04235). arXiv preprint arXiv:1804.04235 (2018).",
        "- [Rivers of Attention](https://arxiv.org/abs/2311.90001). arXiv preprint arXiv:2311.90001 (2023).",
    ),
    (
        "- Old Lakes [[pdf]](https://arxiv.org/abs/1804.04235)\n  - Ann Example and Bob Sample\n  - LAKE 2018",
        "- Rivers of Attention [[pdf]](https://arxiv.org/abs/2311.90001)\n  - Ada Lovelace, Bo Turing and Cy Third\n  - 2023",
    ),
    (
        "- Example A, Sample B. Old Lakes. Journal of Waters. 2019 Dec. [link](https://arxiv.org/abs/1804.04235)",
        "- Ada Lovelace, Bo Turing, Cy Third. Rivers of Attention. 2023. [link](https://arxiv.org/abs/2311.90001)",
    ),
    (  # year and month are not a number of the item
        "- [2507] [Old Lakes](https://arxiv.org/abs/2507.04235)",
        "- [Rivers of Attention](https://arxiv.org/abs/2311.90001)",
    ),
    (  # a year below a longer number is not the next item
        "9. **Old Lakes** [[pdf](https://arxiv.org/abs/1804.04235)]  \n   *Ann Example, Bob Sample*  \n   **LAKE**, 2018.",
        "10. **Rivers of Attention** [[pdf](https://arxiv.org/abs/2311.90001)]  \n    *Ada Lovelace, Bo Turing, Cy Third*  \n    2023.",
    ),
]


@pytest.mark.parametrize(("old", "new"), FORMS, ids=[new for _, new in FORMS])
def test_brackets_emphasis_quotes_people_and_year_stand_as_in_the_neighbour(old, new):
    assert written(f"# S\n\n{old}\n") == new


def test_people_are_written_as_most_neighbours_write_several():
    old = "- [{}](https://arxiv.org/abs/1804.0423{}) *{}*\n"
    people = ("Ann Example; Bob Sample", "Cy Lee; Di Moe", "Example, Ann and Sample, Bob")
    lines = [
        old.format(f"Old Lakes {x}", i, who)
        for i, (x, who) in enumerate(zip("ABC", people, strict=True))
    ]
    line = written("# S\n" + "".join(lines))
    assert line.endswith("*Ada Lovelace; Bo Turing; Cy Third*")


def test_particle_goes_with_the_family_name():
    item = replace(ITEM, authors=("Ada van der Lovelace", "Bo Turing"))
    old = "- [Old Lakes](https://arxiv.org/abs/1804.04235) *Moe, Di and De Bar, Cy*\n"
    assert written("# S\n" + old, item).endswith(" *van der Lovelace, Ada and Turing, Bo*")


def test_one_person_whose_name_would_not_be_read_has_the_given_name_first():
    item = replace(ITEM, authors=("Ada Lovelace",))
    old = (
        "- **Old Lakes** — Example, Ann, 2019 | Waters. [[pdf](https://arxiv.org/abs/1804.04235)]\n"
    )
    assert " — Ada Lovelace, 2023" in written("# S\n" + old, item)


def test_colon_behind_a_short_name_stays_in_its_emphasis():
    old = "- [arXiv 2023] ***POND:*** Old Lakes of the Far North [[Paper]](https://arxiv.org/pdf/1804.04235)"
    assert written(f"# S\n\n{old}\n", Item(ITEM.title, ITEM.url, name="RIVER", year=2024)) == (
        "- [arXiv 2024] ***RIVER:*** Rivers of Attention [[Paper]](https://arxiv.org/abs/2311.90001)"
    )


def test_full_stop_of_a_title_is_not_written_twice():
    old = '- "Old Lakes." [paper](https://arxiv.org/abs/1804.04235)'
    assert written(f"# S\n\n{old}\n") == (
        '- "Rivers of Attention." [paper](https://arxiv.org/abs/2311.90001)'
    )
    doc = Document(f"# S\n\n{old}\n".encode())
    (edit,) = insert(doc, Item("Why Rivers Run Etc.", ITEM.url), "S")
    assert edit.new.startswith(b'- "Why Rivers Run Etc." [paper]')


def test_venue_that_would_be_read_as_a_person_goes_before_the_people():
    old = "- [Old Lakes](https://arxiv.org/abs/1804.04235), Ann Example, Bob Sample, Dan Old, Lakeland 2021"
    item = Item(ITEM.title, ITEM.url, authors=ITEM.authors)
    assert written(f"# S\n\n{old}\n", item) == (
        "- [Rivers of Attention](https://arxiv.org/abs/2311.90001), Ada Lovelace, Bo Turing, Cy Third"
    )


def test_what_is_left_out_of_a_form_goes_with_its_brackets():
    old = "- [2021] **Old Lakes.** *Ann Example (Lake University).* arXiv. [[paper](https://arxiv.org/abs/1804.04235)]"
    assert written(f"# S\n\n{old}\n") == (
        "- [2023] **Rivers of Attention.** *Ada Lovelace, Bo Turing, Cy Third.* arXiv. [[paper](https://arxiv.org/abs/2311.90001)]"
    )


def test_what_the_item_does_not_say_leaves_no_brackets_behind():
    old = '1. **"Old Lakes"**. *Ann Example et al*. arXiv 2021. [[paper](https://arxiv.org/abs/1804.04235)]'
    bare = Item(ITEM.title, ITEM.url)
    assert written(f"# S\n\n{old}\n", bare) == (
        '2. **"Rivers of Attention"**. arXiv. [[paper](https://arxiv.org/abs/2311.90001)]'
    )


def test_label_of_another_kind_of_address_becomes_paper():
    old = "- **Old Lakes** [[arXiv](https://arxiv.org/abs/1804.04235)]"
    doc = Document(f"# S\n\n{old}\n".encode())
    (edit,) = insert(doc, Item("Rivers", "https://openreview.net/forum?id=abc"), "S")
    assert edit.new == b"- **Rivers** [[paper](https://openreview.net/forum?id=abc)]\n"


def test_arxiv_is_named_where_neighbours_name_their_venue():
    lines = '- "Old Lakes", {0}, 2021. [[Paper](https://arxiv.org/abs/1804.04235)]\n'
    text = "# S\n\n" + "".join(map(lines.format, ["LAKE", "arXiv", "POND", "SEA"]))
    assert written(text) == (
        '- "Rivers of Attention", arXiv, 2023. [[Paper](https://arxiv.org/abs/2311.90001)]'
    )


def test_form_of_most_neighbours_wins_over_one_that_says_more():
    plain = "".join(f"* [Lake {i}](https://arxiv.org/abs/1804.0423{i})\n" for i in range(8))
    wordy = "* **Odd Lake** (2019), Ann Example. [[pdf]](https://arxiv.org/abs/1804.04239)\n"
    assert written(f"# S\n\n{plain}{wordy}") == (
        "* [Rivers of Attention](https://arxiv.org/abs/2311.90001)"
    )


def test_forms_that_differ_in_blanks_alone_are_one_habit():
    plain = "".join(
        f"1. **Lake {i}.** 2019. [[paper]](https://arxiv.org/abs/1804.0423{i})\n" for i in range(5)
    )
    people = "".join(
        f"1. **Lake {i}.** {blanks}*Ann Example, Bob Sample.* 2019. [[paper]](https://arxiv.org/abs/1804.0423{i})\n"
        for i, blanks in ((5, ""), (6, " "), (7, "\n   "), (8, ""))
    )
    assert written(f"# S\n\n{people}{plain}") == (
        "1. **Rivers of Attention.** *Ada Lovelace, Bo Turing, Cy Third.* 2023. [[paper]](https://arxiv.org/abs/2311.90001)"
    )


def test_blanks_are_those_of_most_neighbours_though_one_names_arxiv():
    old = "- **Old**{}[Lakes {}](https://arxiv.org/abs/1804.0423{}). {}\n"
    lines = [
        old.format(*x) for x in ((" ", "A", 1, "LAKE"), (" ", "B", 2, "SEA"), ("", "C", 3, "arXiv"))
    ]
    assert written("# S\n" + "".join(lines), replace(ITEM, name="RIV")).startswith(
        "- **RIV** [Rivers"
    )


def test_word_that_says_authors_stays_before_them():
    old = "- [Old Lakes](https://arxiv.org/abs/1804.04235) [LAKE]\n  - *authors*: Ann Example, Bob Sample"
    assert written(f"# S\n\n{old}\n") == (
        "- [Rivers of Attention](https://arxiv.org/abs/2311.90001)\n  - *authors*: Ada Lovelace, Bo Turing, Cy Third"
    )


def test_people_below_the_title_stand_below_it_again():
    old = "1. **Old Lakes.** [paper](https://arxiv.org/abs/1804.04235)\n\n   Authors: Ann Example, Bob Sample\n"
    assert written(f"# S\n\n{old}") == (
        "2. **Rivers of Attention.** [paper](https://arxiv.org/abs/2311.90001)\n\n"
        "   Authors: Ada Lovelace, Bo Turing, Cy Third"
    )


def test_notes_and_further_lines_belong_to_a_longer_number_too():
    old = "9. [Old Lakes](https://arxiv.org/abs/1804.04235)\n   - mine\n"
    doc = Document(f"# S\n\n{old}".encode())
    item = Item(ITEM.title, ITEM.url, notes=("a note",))
    new = edited(doc, insert(doc, item, "S"), added=1)
    assert new.data.decode().endswith(f"\n10. [{ITEM.title}]({ITEM.url})\n    - a note\n")
    assert [note.text for note in new.entries[-1].notes] == ["a note"]


@pytest.mark.parametrize("marker", ["-\t", "- ", "1.\t", "1. ", "10.\t", "99. "])
def test_tab_before_a_note_is_as_wide_as_the_marker_and_stays_alone(marker):
    old = f"{marker}[Old Lakes](https://arxiv.org/abs/1804.04235)\n\t- mine\n"
    doc = Document(f"# S\n\n{old}".encode())
    new = edited(doc, insert(doc, replace(ITEM, notes=("a note",)), "S"), added=1)
    indent = "\t " if marker == "99. " else "\t"  # below `100. ` a note needs five columns
    assert new.data.decode().endswith(f"({ITEM.url})\n{indent}- a note\n")
    assert [note.text for note in new.entries[-1].notes] == ["a note"]


def test_news_are_no_reason_to_write_the_title_twice():
    news = (
        "- [2025-01] Add Lakes ([paper](https://arxiv.org/abs/1804.04235)).\n"
        "- [2025-01] We now use the [flame](https://github.com/a/b) repository.\n"
    )
    line = written(f"# S\n{news}")
    assert line.startswith("- [2023]")
    assert line.count("Rivers") == 1


def test_implementations_by_people_do_not_lend_their_links():
    code = (
        "* `map` an implementation of Map by [Ann Example](https://github.com/a/b) - https://arxiv.org/abs/1804.04235\n"
        "* `atlas` by [Bob Sample](https://github.com/c/d) - https://arxiv.org/abs/1909.13719\n"
    )
    assert "github" not in written(f"# S\n{code}")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (("1.", "2."), "3."),
        (("1.", "1."), "1."),
        (("8)", "9)"), "10)"),
        (("3.", "2."), "1."),
        (("5.",), "6."),
    ],
)
def test_number_goes_on_as_the_neighbours_count(numbers, expected):
    items = "".join(
        f"{n} [Lake {i}](https://arxiv.org/abs/1804.0423{i})\n" for i, n in enumerate(numbers)
    )
    assert written(f"# S\n\n{items}").startswith(f"{expected} [Rivers")


def test_gap_is_that_between_most_neighbours_and_is_clean():
    line = "* [Lake {0}](https://arxiv.org/abs/1804.0423{0})"
    text = (
        f"# S\n\n{line.format(1)}\n\n{line.format(2)}\n\n{line.format(3)}\n  \n\n{line.format(4)}\n"
    )
    doc = Document(text.encode())
    (edit,) = insert(doc, ITEM, "S")
    assert edit.new.startswith(b"\n* [Rivers")


@pytest.mark.parametrize(
    "title",
    [
        "Notes",
        "Paper 2",
        "Maps (2016)",
        '"Why Should I Trust You?": Explaining Maps',
        "A | B",
        "Maps - and - Lakes",
        "What is a map?",
        "[Re] Maps",
        "TODO lists, solved",
        "C#",
        "All you need is `code`",
        "Maps. And lakes.",
        "1984: a model",
    ],
)
def test_title_of_any_words_reads_back_or_is_refused(title):
    for text in (
        "# S\n\n* [Old Lakes](https://arxiv.org/abs/1804.04235)\n",
        '# S\n\n1. **"Old Lakes"**. *Ann Example*. 2021. [[paper](https://arxiv.org/abs/1804.04235)]\n',
        "# S\n\n|Paper|Year|\n|-|-|\n|[Old Lakes](https://arxiv.org/abs/1804.04235)|2021|\n",
    ):
        doc = Document(text.encode())
        try:
            new = edited(doc, insert(doc, Item(title, ITEM.url, year=2023), "S"), added=1)
        except ListError as error:
            assert "would not read back" in str(error)  # noqa: PT017
            continue
        assert new.entries[-1].title.replace('"', "'") == title.replace('"', "'").rstrip(".")
        assert new.entries[-1].year in (2023, None)


ROWS = [
    (
        "| **Year** | **Title** |\n|---|---|\n| 2019 | [Old Lakes](https://arxiv.org/abs/1804.04235) |",
        "| 2023 | [Rivers of Attention](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Titel | Jahr | Link |\n|---|---|---|\n"
        "| **Old Lakes** | 2019 | [[PDF]](https://arxiv.org/abs/1804.04235) |",
        "| **Rivers of Attention** | 2023 | [[PDF]](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "|Paper|Code|\n|:-|:-:|\n|[**Old Lakes**](https://arxiv.org/abs/1804.04235)<br>Ann Example|-|",
        "|[**Rivers of Attention**](https://arxiv.org/abs/2311.90001)<br>Ada Lovelace, Bo Turing, Cy Third|-|",
    ),
    (
        "| # | Paper | Read? |\n|---|---|---|\n"
        "| 7 | [Old Lakes](https://arxiv.org/abs/1804.04235) | no |\n"
        "| 8 | [New Lakes](https://arxiv.org/abs/1804.04236) | no |",
        "| 9 | [Rivers of Attention](https://arxiv.org/abs/2311.90001) | no |",
    ),
    (
        "| Paper | Stars |\n|---|---|\n"
        "| [Old Lakes](https://arxiv.org/abs/1804.04235) | 3 |\n"
        "| [New Lakes](https://arxiv.org/abs/1804.04236) | 3 |",
        "| [Rivers of Attention](https://arxiv.org/abs/2311.90001) |  |",
    ),
    (
        "| **Paper** | **Links** |\n|---|---|\n"
        "| (1) **Old Lakes** | [Paper](https://arxiv.org/abs/1804.04235), [Post](https://x.com/a/status/1) |\n"
        "| (2) **New Lakes** | [Paper](https://arxiv.org/abs/1804.04236), [Post](https://x.com/a/status/2) |",
        "| (3) **Rivers of Attention** | [Paper](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "Paper | Where\n--- | ---\n[Old Lakes](https://arxiv.org/abs/1804.04235) | arXiv\n"
        "[New Lakes](https://arxiv.org/abs/1804.04236) | LAKE",
        "[Rivers of Attention](https://arxiv.org/abs/2311.90001) | arXiv",
    ),
    (
        "| # | Title | Links |\n|---|---|---|\n| 1 | Old Lakes | [arXiv](https://arxiv.org/abs/1804.04235) |\n"
        "| 2 | New Lakes | — |\n| 3 | Odd Lakes | — |\n| 4 | Far Lakes | — |",
        "| 5 | Rivers of Attention | [arXiv](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Name | Links |\n|---|---|\n| [Old Lakes](https://github.com/a/b) | [Paper](https://arxiv.org/abs/1804.04235) |\n"
        "| [New Lakes](https://github.com/c/d) | [Paper](https://arxiv.org/abs/1804.04236) |",
        "| Rivers of Attention | [Paper](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Title & Authors | Links |\n|---|---|\n"
        "| [Old Lakes](https://arxiv.org/abs/1804.04235) <br> Ann Example, Bob Sample | [Paper](https://arxiv.org/abs/1804.04235) |",
        "| [Rivers of Attention](https://arxiv.org/abs/2311.90001) <br> Ada Lovelace, Bo Turing, Cy Third | [Paper](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Title | Paper |\n|---|---|\n"
        "| Old Lakes | [![arXiv](https://img.shields.io/badge/arXiv-1804.04235-b31b1b.svg)](https://arxiv.org/abs/1804.04235) |",
        "| Rivers of Attention | [![arXiv](https://img.shields.io/badge/arXiv-2311.90001-b31b1b.svg)](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Title | Paper |\n|---|---|\n| Old Lakes<br/><sup><sub>*Ann Example, Bob Sample*</sup></sub> | [1804.04235](https://arxiv.org/abs/1804.04235) |",
        "| Rivers of Attention<br/><sup><sub>*Ada Lovelace, Bo Turing, Cy Third*</sup></sub> | [2311.90001](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Release | Title | Pub. |\n|---|---|---|\n"
        "| 2021/11 | [Old Lakes](https://arxiv.org/abs/1804.04235) | LAKE<br>2021 |\n"
        "| 2022/10 | [New Lakes](https://arxiv.org/abs/1804.04236) | SEA<br>2022 |",
        "| 2023 | [Rivers of Attention](https://arxiv.org/abs/2311.90001) | 2023 |",
    ),
    (
        "| Title | Journal | Paper |\n|---|---|---|\n"
        "| Old Lakes | 2018 LAKE | [1804.04235](https://arxiv.org/abs/1804.04235) |\n"
        "| New Lakes | 2019 LAKE | [1904.04235](https://arxiv.org/abs/1904.04235) |\n"
        "| Odd Lakes | 2019 SEA | [2019](https://arxiv.org/abs/1904.04236) |",
        "| Rivers of Attention | 2023 | [2311.90001](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Date | Title | Code |\n|---|---|---|\n| 2021 | Old Lakes | [Code](https://github.com/a/b) |\n"
        "| 2022 | New Lakes | [Code](https://github.com/c/d) |",
        "| 2023 | [Rivers of Attention](https://arxiv.org/abs/2311.90001) |  |",
    ),
    (
        "| Title | Paper |\n|---|---|\n"
        "| Old Lakes | [![thecvf](https://img.shields.io/badge/pdf-thecvf-7395C5.svg)](https://openaccess.thecvf.com/content/CVPR2023/papers/Ex_Old_Lakes_CVPR_2023_paper.pdf) |",
        "| Rivers of Attention | [paper](https://arxiv.org/abs/2311.90001) |",
    ),
    (
        "| Model | P@20 | MAP | Paper |\n|---|---|---|---|\n"
        "| OLD | [0.505](https://arxiv.org/abs/1804.04235) | [0.25](https://arxiv.org/abs/1804.04235) | [Old Lakes](https://arxiv.org/abs/1804.04235) |",
        "|  |  |  | [Rivers of Attention](https://arxiv.org/abs/2311.90001) |",
    ),
    (  # two figures each: which of them is the year is not known
        "| Date | Title | Paper |\n|---|---|---|\n| 23.04.10 | Old Lakes | [paper](https://arxiv.org/abs/1804.04235) |\n",
        "|  | Rivers of Attention | [paper](https://arxiv.org/abs/2311.90001) |",
    ),
]


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[row for _, row in ROWS])
def test_row_is_written_as_the_rows_above_it(table, row):
    assert written(f"# S\n\n{table}\n") == row


def test_row_of_a_table_drawn_in_straight_columns_is_as_wide():
    table = (
        "| Paper                                              | Year |\n"
        "|----------------------------------------------------|------|\n"
        "| [Old Lakes](https://arxiv.org/abs/1804.04235)      | 2019 |\n"
        "| [New Lakes](https://arxiv.org/abs/1804.04236)      | 2020 |\n"
        "| [Odd](https://arxiv.org/abs/1804.04237)            | 2021 |\n"
    )
    doc = Document(f"# S\n\n{table}".encode())
    (edit,) = insert(doc, Item("Rivers", "https://arxiv.org/abs/2311.90001", year=2023), "S")
    assert edit.new.decode() == ("| [Rivers](https://arxiv.org/abs/2311.90001)         | 2023 |\n")


def test_name_stands_in_its_column_though_the_link_says_it_too():
    table = "# S\n| Name | Title | Link |\n|---|---|---|\n" + "".join(
        f"| {n} | {n}: Old Lakes | [{n}](https://arxiv.org/abs/1804.0423{i}) |\n"
        for i, n in enumerate(("OLD", "OLE"))
    )
    row = written(table, replace(ITEM, name="RIV"))
    assert row == "| RIV | Rivers of Attention | [RIV](https://arxiv.org/abs/2311.90001) |"


def test_link_by_a_number_and_a_link_in_html_are_forms_too():
    item = Item("Dense Maps of Things", "https://arxiv.org/abs/2101.00009", year=2021)
    numbered = Document(
        b'# A\n\n- "Sparse Maps of Things". 2019. [[paper][1]]\n- "Whole Maps of Things". 2020. [[paper][2]]\n\n'
        b"[1]: https://arxiv.org/abs/2101.00001\n[2]: https://arxiv.org/abs/2101.00002\n"
    )
    (edit,) = insert(numbered, item, "A")
    assert (
        edit.new == b'- "Dense Maps of Things". 2021. [[paper](https://arxiv.org/abs/2101.00009)]\n'
    )
    tagged = Document(
        b'# A\n\n- 2019: Sparse Maps of Things [<a href="https://arxiv.org/abs/2101.00001" target="_blank">Paper</a>]\n'
        b'- 2020: Whole Maps of Things [<a href="https://arxiv.org/abs/2101.00002" target="_blank">Paper</a>]\n'
    )
    (edit,) = insert(tagged, item, "A")
    assert edit.new == (
        b'- 2021: Dense Maps of Things [<a href="https://arxiv.org/abs/2101.00009" target="_blank">Paper</a>]\n'
    )


@pytest.mark.parametrize("dated", ["A. Some et al., Feb. 201{0}., Meta", "201{0}"])
def test_a_bracket_that_a_link_closes_is_closed_in_a_new_item(dated):
    rows = [
        f"* **Boat {i}** ({dated.format(i)}, [arxiv](https://arxiv.org/abs/1706.0376{i}))"
        for i in range(5)
    ]
    doc = Document(("# S\n\n" + "\n".join(rows) + "\n").encode())
    (edit,) = insert(doc, ITEM, "S")
    people = "Ada Lovelace et al., " if "Some" in dated else ""
    assert edit.new.decode().strip() == f"* **{ITEM.title}** ({people}2023, [arxiv]({ITEM.url}))"
