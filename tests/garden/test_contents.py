"""The contents of a library: what the tables say, which pages are made, kept and taken away, and what files of tags are called."""

import json
import re
from pathlib import PureWindowsPath

import pytest

from studiolo.errors import ListError, UsageError
from studiolo.garden import load_catalogue, plan_contents
from studiolo.garden.tag_files import tag_files
from studiolo.library import Library, carry_out, undo


LIST = """# Reading

## To Review

* [FNet](https://arxiv.org/abs/2105.03824) #fourier
  * Q: Does it train faster?
* [B](https://arxiv.org/abs/2101.00002) #nlp

## Read

* [C | D](https://arxiv.org/abs/2101.00003)
"""
NOTE = "# A <b>note</b> | with bars\n\nlabels: NLP, open_source\n\nSome words here.\n"
TOPIC = "# Double descent\n\nMore data can hurt.\n"
MARKS = "<!-- studiolo:contents -->\n<!-- /studiolo:contents -->\n"


@pytest.fixture
def home(library, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(library.parent))
    write(library, "README.md", f"# Mine\n\n{MARKS}\nMy last words.\n")
    write(library, "lists/reading.md", LIST)
    write(library, "notes/a note.md", NOTE)
    return Library(library)


def write(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def tend(home, **how):
    """Write the contents, and return what each page that changed now holds."""
    home.forget()
    plan = plan_contents(home, load_catalogue(home), **how).plan
    if plan is None:
        return {}
    carry_out(home, plan)
    return {
        home.relative(page.path): page.after.decode() if page.after is not None else None
        for page in plan.pages
    }


def without_days(text):
    return re.sub(r"\d{4}-\d\d-\d\d", "DAY", text)


def test_tables_say_what_each_page_holds(home):
    written = tend(home)
    assert list(written) == ["README.md", "tags/NLP.md", "tags/fourier.md", "tags/open_source.md"]
    assert without_days(written["README.md"]) == (
        "# Mine\n\n<!-- studiolo:contents sort=changed -->\n\n"
        "| Changed | List | Entries | Read | Open questions | Words |\n"
        "| :--- | :--- | ---: | ---: | ---: | ---: |\n"
        "| DAY | [Reading](lists/reading.md) | 3 | 1 | 1 | 15 |\n\n"
        "| Changed | Note | Words | Tags |\n"
        "| :--- | :--- | ---: | :--- |\n"
        "| DAY | [A note \\| with bars](notes/a%20note.md) | 10 | [NLP](tags/NLP.md) [open_source](tags/open_source.md) |\n\n"
        "Tags: [NLP](tags/NLP.md) 2, [fourier](tags/fourier.md) 1, [open_source](tags/open_source.md) 1\n\n"
        "<!-- /studiolo:contents -->\n\nMy last words.\n"
    )
    assert without_days(written["tags/NLP.md"]) == (
        "# Pages tagged NLP\n\n<!-- studiolo:tag -->\n\n"
        "| Changed | Note | Words | Tags |\n"
        "| :--- | :--- | ---: | :--- |\n"
        "| DAY | [A note \\| with bars](../notes/a%20note.md) | 10 | [NLP](NLP.md) [open_source](open_source.md) |\n\n"
        "* [B](https://arxiv.org/abs/2101.00002) in [Reading](../lists/reading.md)\n\n"
        "<!-- /studiolo:tag -->\n"
    )


def test_second_run_changes_nothing_and_one_undo_takes_the_first_back(home):
    before = (home.folder / "README.md").read_bytes()
    assert tend(home)
    assert tend(home) == {}
    undo(home)
    assert (home.folder / "README.md").read_bytes() == before
    assert not (home.folder / "tags").exists()


def test_links_lead_to_pages_that_are_there(home):
    for name, text in tend(home).items():
        for target in re.findall(r"\]\(([^):]+)\)", text):
            assert (home.folder / name).parent.joinpath(target.replace("%20", " ")).is_file()


def test_topics_have_a_page_that_says_what_names_them(home):
    write(home.folder, "topics/double-descent.md", TOPIC)
    write(home.folder, "lists/reading.md", LIST.replace("Does it", "Is it double descent? Does it"))
    written = tend(home)
    assert without_days(written["topics/README.md"]) == (
        "# Topics\n\n<!-- studiolo:topics -->\n\n"
        "| Changed | Topic | Questions | Words |\n| :--- | :--- | ---: | ---: |\n"
        "| DAY | [Double descent](double-descent.md) | 1 | 6 |\n\n<!-- /studiolo:topics -->\n"
    )
    assert "| Changed | Topic | Words |" in written["README.md"]
    assert tend(home) == {}


@pytest.mark.parametrize(
    ("by", "first"), [("title", "A"), ("words", "B"), ("entries", "C"), ("questions", "D")]
)
def test_rows_are_sorted_as_one_asks_and_stay_so(home, by, first):
    for name in ("lists/reading.md", "notes/a note.md"):
        (home.folder / name).unlink()
    paper = "* [x](https://arxiv.org/abs/2101.0000{})\n"
    texts = {"A": "", "B": "w " * 50, "C": paper.format(1), "D": "Q: Why is it so?"}
    for name, text in texts.items():
        write(home.folder, f"{name}.md", f"# {name}\n\n{text}\n")
    rows = re.findall(r"\[(.)\]\(.\.md\)", tend(home, sort=by)["README.md"])
    assert rows[0] == first
    assert tend(home) == {}
    with pytest.raises(UsageError, match="'size' is not an order of the contents"):
        tend(home, sort="size")  # fmt: skip


def test_page_without_marks_stays_as_it_is_until_the_reader_says_so(home):
    write(home.folder, "README.md", "# Mine\n")
    write(home.folder, "tags/nlp.md", "# What I think of NLP\n")
    tending = plan_contents(home, load_catalogue(home))
    assert {home.relative(path) for path in tending.unmarked} == {"README.md", "tags/nlp.md"}
    tend(home)
    assert (home.folder / "README.md").read_text() == "# Mine\n"
    written = tend(home, into_unmarked=True)
    assert written["README.md"].startswith("# Mine\n\n<!-- studiolo:contents")
    assert written["tags/nlp.md"].startswith("# What I think of NLP\n\n<!-- studiolo:tag")
    assert not (home.folder / "tags/NLP.md").exists()  # one file where capitals do not count


def test_tag_that_vanished_leaves_no_page_but_what_a_person_wrote_on_it(home):
    tend(home)
    mine = home.folder / "tags/NLP.md"
    mine.write_text(mine.read_text() + "\nMy own words.\n")
    write(home.folder, "notes/a note.md", "# A note\n")
    write(home.folder, "lists/reading.md", LIST.replace(" #nlp", "").replace(" #fourier", ""))
    written = tend(home)
    assert (written["tags/fourier.md"], written["tags/open_source.md"]) == (None, None)
    assert written["tags/NLP.md"] == (
        "# Pages tagged NLP\n\n<!-- studiolo:tag -->\n\nNo page has this tag any more.\n\n"
        "<!-- /studiolo:tag -->\n\nMy own words.\n"
    )
    assert tend(home) == {}
    undo(home)
    assert (home.folder / "tags/fourier.md").is_file()


def test_pages_of_tags_and_contents_are_neither_lists_nor_pages(home):
    tend(home)
    home.forget()
    assert [home.relative(path) for path in home.list_paths()] == [
        "README.md",
        "lists/reading.md",
        "notes/a note.md",
    ]
    assert home.documents[home.folder / "README.md"].entries == ()
    assert home.documents[home.folder / "README.md"].tags == ()


def test_page_that_ends_in_a_comment_says_what_to_do(home):
    text = "# Mine\n\n<!--\nnever closed --!>\n"
    write(home.folder, "README.md", text)
    with pytest.raises(
        UsageError, match=r"README\.md ends inside a fence or a comment.*write these two lines"
    ):
        tend(home, into_unmarked=True)  # fmt: skip
    assert (home.folder / "README.md").read_text() == text


def test_page_that_is_not_utf8_is_not_written(home):
    (home.folder / "README.md").write_bytes(b"# \xff\n\n" + MARKS.encode())
    with pytest.raises(ListError, match="is not UTF-8"):
        tend(home)


def test_synonyms_and_spellings_are_one_tag(home):
    write(home.folder, ".studiolo/tags.toml", 'NLP = "language"\n"open source" = ""\n')
    written = tend(home)
    assert "[language](tags/language.md) 2" in written["README.md"]
    assert "open_source" not in written["README.md"]


HOSTILE = [
    "../x",
    "a/b",
    "🔥",
    "x" * 300,
    "con",
    "a:b",
    "...",
    "NUL.txt",
    "-",
    "a\u202eb",
    "é" * 200,
]


def test_files_of_tags_are_safe_on_three_systems():
    names = list(tag_files([*HOSTILE, "nlp", "deep learning", "自然言語", "c++"]).values())
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert len(name.encode()) <= 200
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f\s]', name)
        assert not name.startswith((".", "-"))
        assert not re.match(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)\.", name)
        assert PureWindowsPath("tags", name).parent == PureWindowsPath("tags")
    assert names[-4:] == ["nlp.md", "deep-learning.md", "自然言語.md", "c++.md"]


def test_hostile_tags_write_inside_the_folder_of_tags_alone(home):
    tags = json.dumps(HOSTILE, ensure_ascii=False)
    write(home.folder, "notes/a note.md", f"---\ntags: {tags}\n---\n# A\n")
    written = tend(home)
    made = {name for name in written if name.startswith("tags/")}
    assert all(re.fullmatch(r"tags/[^/]+\.md", name) for name in made)
    assert {path.name for path in home.folder.iterdir()} == {
        ".studiolo", "README.md", "lists", "notes", "tags",
    }  # fmt: skip
    assert tend(home) == {}


def test_two_tags_that_would_share_a_file_do_not():
    names = tag_files(["a b", "a-b", "A?b"])
    assert names["a-b"] == "a-b.md"
    assert tag_files(["a--b", "x?&y"]).popitem()[1].startswith("x-y-")
    assert tag_files(["a--b"]) == {"a--b": "a--b.md"}
    assert len({name.casefold() for name in names.values()}) == 3
