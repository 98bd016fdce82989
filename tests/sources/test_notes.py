"""Lists and notes in Markdown: items with everything that stands around them."""

import pytest

from studiolo.errors import SourceError
from studiolo.sources.notes import load_notes, parse_notes

from .reading import split


def read(text):
    return split(parse_notes(text.encode(), "list.md"))


def one(text):
    (item,), _, skipped = read(text)
    assert skipped == []
    return item


def vault(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(path.name + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return split(load_notes(folder))


def test_item_has_the_title_people_year_and_section_that_the_list_shows():
    item = one(
        "# Vision\n\n## Later\n\n* [On Ships](https://arxiv.org/abs/1812.00001) - 2018 - Emmy Noether\n  * compare with the other one\n  * code: https://github.com/a/b\n"
    )
    assert (item.url, item.title, item.year) == (
        "https://arxiv.org/abs/1812.00001",
        "On Ships",
        2018,
    )
    assert (item.folder, item.authors) == (("Vision", "Later"), ("Emmy Noether",))
    assert (item.note, item.place) == (
        "compare with the other one\ncode: https://github.com/a/b",
        "list.md:5",
    )
    assert [link.url for link in item.links] == ["https://github.com/a/b"]


def test_label_of_a_link_is_no_title():
    assert (
        one("- Ships and Shoes [paper](https://arxiv.org/abs/1812.00001)\n").title
        == "Ships and Shoes"
    )


@pytest.mark.parametrize(
    ("mark", "state"),
    [("[ ]", "to read"), ("[x]", "read"), ("[/]", "reading"), ("TODO", "to read"), ("DONE", "read"), ("DOING", "reading"), ("NOW", "reading"), ("LATER [#A]", "to read"), ("[-]", None), ("CANCELED", None)],
)  # fmt: skip
def test_task_says_what_was_read_and_is_not_part_of_the_title(mark, state):
    item = one(f"- {mark} [On Ships](https://arxiv.org/abs/1812.00001)\n")
    assert (item.title, item.state) == ("On Ships", state)
    assert (item.extra.get("task") == "cancelled") == (mark in ("[-]", "CANCELED"))


def test_dates_of_a_task_are_kept_and_none_is_the_year_of_the_paper():
    item = one(
        "- [x] [On Ships](https://arxiv.org/abs/1812.00001) ➕ 2024-01-01 🛫 2024-01-02 📅 2024-05-01 ✅ 2024-03-03 🔼 🔁 every week ^abc123\n"
    )
    assert (item.title, item.year, item.state) == ("On Ships", None, "read")
    assert (item.saved_at, item.read_at) == ("2024-01-01T00:00:00Z", "2024-03-03T00:00:00Z")
    assert dict(item.extra) == {"start": "2024-01-02", "due": "2024-05-01"}


def test_dates_in_the_fields_of_dataview_are_dates_too():
    item = one(
        "- [x] [On Ships](https://arxiv.org/abs/1812.00001) [due:: 2024-05-01] (completion:: 2024-03-03)\n"
    )
    assert (item.title, item.read_at, dict(item.extra)) == (
        "On Ships",
        "2024-03-03T00:00:00Z",
        {"due": "2024-05-01"},
    )


def test_properties_and_logbook_of_logseq_are_taken_off():
    item = one(
        "- DONE [On Ships](https://arxiv.org/abs/1812.00001) #sea\n  tags:: [[deep learning]], ships\n  rating:: 5\n  id:: 65a1\n  collapsed:: true\n"
        "  SCHEDULED: <2024-03-04 Mon>\n  :LOGBOOK:\n  CLOCK: [2024-01-01]\n  :END:\n  - mine\n"
    )
    assert (item.title, item.tags, item.state) == (
        "On Ships",
        ("sea", "deep learning", "ships"),
        "read",
    )
    assert item.extra["rating"] == "5"
    assert item.extra["scheduled"] == "2024-03-04"
    assert not {"id", "collapsed"} & item.extra.keys()
    assert item.note == "mine"


def test_item_without_an_address_is_skipped_with_its_words():
    items, _, (skipped,) = read("- buy milk\n")
    assert (items, str(skipped)) == ([], "list.md:1: no web address: buy milk")


def test_address_in_a_paragraph_keeps_its_line():
    item = one(
        "# Diary\n\nRead [On Ships](https://arxiv.org/abs/1812.00001) today, and liked it.\n"
    )
    assert (item.title, item.note, item.folder) == (
        "On Ships",
        "Read On Ships today, and liked it.",
        ("Diary",),
    )


def test_code_and_images_are_no_saved_things():
    items, _, skipped = read(
        "```\nhttps://x.org/a\n- https://x.org/b\n```\n\n![picture](https://x.org/c.png)\n"
    )
    assert (items, skipped) == ([], [])


def test_rows_of_tables_keep_their_cells():
    item = one("| Title | arXiv | My rating |\n|---|---|---|\n| On Ships | 1812.00001 | 5 |\n")
    assert (item.url, item.title, item.extra["my rating"]) == (
        "https://arxiv.org/abs/1812.00001",
        "On Ships",
        "5",
    )


NOTE = """---
title: "On Ships: a study"
authors: [Emmy Noether, Felix Klein]
year: 2018
arxiv: 1812.00001
tags:
  - sea
  - two words
status: read
read-on: 2024-02-03
rating: 5
---
# Summary
It floats; see [the code](https://github.com/a/b).
"""


def test_note_about_a_paper_is_a_saved_thing(tmp_path):
    items, _, skipped = vault(tmp_path, Papers__Ships=NOTE)
    (item,) = items
    assert (item.url, item.title, item.folder) == (
        "https://arxiv.org/abs/1812.00001",
        "On Ships: a study",
        ("Papers",),
    )
    assert (item.authors, item.year, item.tags) == (
        ("Emmy Noether", "Felix Klein"),
        2018,
        ("sea", "two words"),
    )
    assert (item.state, item.read_at, item.extra["rating"]) == ("read", "2024-02-03T00:00:00Z", "5")
    assert item.note == "It floats; see the code (https://github.com/a/b)."
    assert item.extra["text"] == "# Summary\nIt floats; see [the code](https://github.com/a/b)."
    assert skipped == []


def test_task_that_links_to_a_note_says_the_state_of_its_paper(tmp_path):
    items, _, skipped = vault(
        tmp_path,
        Ships=NOTE.replace("status: read\n", ""),
        Todo="- [x] [[Ships]] ✅ 2024-01-02\n- [ ] [[Ships|that one]]\n- [ ] [[Boats]]\n\n![[Ships]]\n",
    )
    assert [(item.url, item.title, item.state) for item in items] == [
        ("https://arxiv.org/abs/1812.00001", "On Ships: a study", None),
        ("https://arxiv.org/abs/1812.00001", "On Ships: a study", "read"),
        ("https://arxiv.org/abs/1812.00001", "On Ships: a study", "to read"),
    ]  # fmt: skip
    assert items[1].read_at == "2024-01-02T00:00:00Z"
    assert [one.why for one in skipped] == ["no web address: Boats"]


@pytest.mark.parametrize("name", ["2024-03-02", "journals__2024_03_02"])
def test_day_of_a_daily_note_is_the_day_of_its_items(tmp_path, name):
    (item,), _, _ = vault(tmp_path, **{name: "- [On Ships](https://arxiv.org/abs/1812.00001)\n"})
    assert (item.saved_at, item.folder) == ("2024-03-02T00:00:00Z", ())


def test_page_of_a_graph_with_properties_is_a_saved_thing(tmp_path):
    (item, *_), _, _ = vault(
        tmp_path,
        pages__Reading___Ships="title:: On Ships\nurl:: https://arxiv.org/abs/1812.00001\ntags:: [[sea]], ships\n\n- mine\n",
    )
    assert (item.url, item.title, item.folder, item.tags) == (
        "https://arxiv.org/abs/1812.00001",
        "On Ships",
        ("Reading",),
        ("sea", "ships"),
    )


def test_hidden_folders_templates_and_backups_are_left_out(tmp_path):
    line = "- https://x.org/{}\n"
    items, _, _ = vault(
        tmp_path,
        a=line.format("a"),
        **{
            ".trash__b": line.format("b"),
            "templates__c": line.format("c"),
            "logseq__bak__d": line.format("d"),
        },
    )
    assert [item.url for item in items] == ["https://x.org/a"]


def test_long_note_is_kept_beside_and_not_as_a_remark(tmp_path):
    (item,), _, _ = vault(tmp_path, Ships=NOTE + "word " * 400)
    assert item.note == ""
    assert item.extra["text"].endswith("word word")


def test_folder_without_notes_is_refused(tmp_path):
    with pytest.raises(SourceError, match="There is no Markdown file below"):
        list(load_notes(tmp_path))


def test_item_that_only_stands_above_others_is_their_folder():
    items, _, skipped = read(
        "- ## To read\n\t- [On Ships](https://arxiv.org/abs/1812.00001)\n\t- {{video https://www.youtube.com/watch?v=JJR3pBl78zw}}\n"
        "- Boats\n\t- DONE [Kites](https://arxiv.org/abs/1812.00002) ((65a1-22ff))\n\t  read-on:: [[2024-01-02]]\n"
    )
    assert {(item.url, item.title, item.folder, item.state) for item in items} == {
        ("https://arxiv.org/abs/1812.00001", "On Ships", ("To read",), "to read"),
        ("https://www.youtube.com/watch?v=JJR3pBl78zw", "", ("To read",), "to read"),
        ("https://arxiv.org/abs/1812.00002", "Kites", ("Boats",), "read"),
    }
    assert [item.read_at for item in items if item.title == "Kites"] == ["2024-01-02T00:00:00Z"]
    assert skipped == []


def test_code_in_an_item_hides_nothing_after_it():
    items, _, _ = read(
        "- ```python\n  x = 'https://x.org/code'\n  ```\n- DONE [Kites](https://arxiv.org/abs/1812.00002)\n"
    )
    assert [(item.title, item.state) for item in items] == [("Kites", "read")]


def test_note_is_found_however_its_accents_are_composed(tmp_path):
    composed, decomposed = "\u00e9t\u00e9", "e\u0301te\u0301"
    items, _, skipped = vault(
        tmp_path, **{f"{decomposed}__{decomposed}": NOTE, "Todo": f"- [x] [[{composed}]]\n"}
    )
    assert [item.state for item in items] == ["read", "read"]
    assert items[-1].folder == (composed,)
    assert skipped == []


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (
            "It *floats*,\non water.\n\nSee [[Ships|the ships]].",
            "It floats, on water.\nSee the ships.",
        ),
        ("Plain words.", "Plain words."),
        ("# A\n\nx\n\n## B\n\ny", ""),
        ("- a point\n- another", ""),
        ("Words.\n\n> said by somebody", ""),
        ("", ""),
    ],
)
def test_note_about_a_paper_is_a_remark_only_where_it_is_plain_words(tmp_path, body, remark):
    (item,) = vault(tmp_path, a=f"---\nurl: https://arxiv.org/abs/1812.00001\n---\n{body}\n")[0]
    assert item.note == remark
    assert item.extra.get("text", remark) == body
