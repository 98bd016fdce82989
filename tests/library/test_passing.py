"""From a source through the inbox onto a list: nothing wrong is written, and nothing that was saved is lost."""

import pytest

from studiolo.errors import UsageError
from studiolo.keys import Key
from studiolo.library import (
    Inbox,
    Library,
    carry_out,
    desk,
    find_entry,
    load_kept,
    load_waiting,
    undo,
)
from studiolo.lists import Document
from studiolo.metadata import Facts
from studiolo.sources import SavedItem, SavedLink


LIST = """# Reading

## To Review

* [FNet](https://arxiv.org/abs/2105.03824)
  * to be compared with https://arxiv.org/abs/2006.16236
"""
OTHER = "https://arxiv.org/abs/2006.16236"


@pytest.fixture
def library(tmp_path):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_text(LIST)
    return Library(tmp_path)


def waiting_for(library, *things):
    Inbox(library).collect(things)
    return load_waiting(library)


def add(library, word, **more):
    waiting = load_waiting(library)
    pending = desk.thing_to_add(waiting, word, title=more.get("title", ""))
    plan = desk.add(library, waiting, pending, **{"section": "To Review", **more})
    carry_out(library, plan)
    return [line[1:] for line in plan.diff() if line.startswith("+")]


def entries(library):
    return Document.load(library.folder / "list.md").entries


def test_paper_that_a_note_names_waits_and_can_be_added(library):
    waiting = waiting_for(library, SavedItem("bookmarks", OTHER, "Linear Transformers"))
    assert [pending.name for pending in waiting.pending] == ["arxiv:2006.16236"]
    assert not waiting.pending[0].on_list
    assert add(library, "2006.16236") == [f"* [Linear Transformers]({OTHER})"]
    assert load_waiting(Library(library.folder)).pending == []


def test_word_for_a_mentioned_paper_means_no_entry_around_it(library):
    documents = [Document.load(library.folder / "list.md")]
    with pytest.raises(
        UsageError,
        match=r"arxiv:2006\.16236 is on no list; it is only mentioned below FNet .*add arxiv:2006\.16236",
    ):
        find_entry("2006.16236", documents)


@pytest.mark.parametrize(
    ("saved", "typed"),
    [
        ("https://aclanthology.org/2021.naacl-long.127", "acl:2021.naacl-long.12"),
        ("https://github.com/openmind/mixer-xl", "github:openmind/mixer"),
        ("https://doi.org/10.1145/3292500.33307012", "doi:10.1145/3292500.3330701"),
        ("https://openreview.net/forum?id=AbCdEfGhIj", "openreview:AbCdEfGhI"),
    ],
)
def test_key_that_begins_another_never_means_it(library, saved, typed):
    waiting_for(library, SavedItem("bookmarks", saved, "Something else"))
    before = (library.folder / "list.md").read_bytes()
    with pytest.raises(
        UsageError, match=r"is not in the inbox\. In the inbox there are: .*--title"
    ):
        add(library, typed)
    assert (library.folder / "list.md").read_bytes() == before
    assert add(library, typed, title="What I meant")
    assert str(entries(library)[-1].key) == typed
    assert [str(pending.key) for pending in load_waiting(Library(library.folder)).pending] != []


def test_word_that_is_no_key_lists_the_nearest(library):
    waiting_for(library, SavedItem("bookmarks", OTHER, "Transformers are RNNs"))
    with pytest.raises(
        UsageError,
        match=r"is not a key.*In the inbox there are: arxiv:2006\.16236 \(Transformers are RNNs\)",
    ):
        add(library, "transformers are")


def test_beginning_of_an_id_means_what_has_no_key_and_only_one(library):
    waiting = waiting_for(library, SavedItem("bookmarks", "?lY47tw", "Recipe"))
    name = waiting.pending[0].name
    assert waiting.find(name[:8]).title == "Recipe"
    assert waiting.find(name[:5]) is None


ABOUT = [
    pytest.param(
        SavedItem("bookmarks", "https://blog.example.org/news-31", "News 31: chips, soup, a dog", f"see {OTHER}", tags=("gpu",)),
        "* [arxiv:2006.16236](https://arxiv.org/abs/2006.16236)",
        "News 31: chips, soup, a dog: https://blog.example.org/news-31",
        id="digest",
    ),
    pytest.param(
        SavedItem("github-stars", "https://github.com/o/r", "o/r", links=(SavedLink("description", "https://openreview.net/forum?id=AbCdEfGhIj"),)),
        "* [openreview:AbCdEfGhIj](https://openreview.net/forum?id=AbCdEfGhIj)",
        "https://github.com/o/r",
        id="star",
    ),
    pytest.param(
        SavedItem("github-stars", "https://github.com/o/r", "o/r", links=(SavedLink("readme", "https://proceedings.mlr.press/v139/kim21a.html"),)),
        "* [pmlr:v139/kim21a](https://proceedings.mlr.press/v139/kim21a.html)",
        "https://github.com/o/r",
        id="star of PMLR",
    ),
    pytest.param(
        SavedItem("reddit", "https://www.reddit.com/comments/abc123", "[R] Wow, read this &amp; weep", links=(SavedLink("target", OTHER),)),
        "* [arxiv:2006.16236](https://arxiv.org/abs/2006.16236)",
        r"\[R\] Wow, read this \&amp; weep: https://www.reddit.com/comments/abc123",
        id="post",
    ),
    pytest.param(
        SavedItem("bookmarks", "https://www.youtube.com/watch?v=abcdefghijk", "Somebody explains it - YouTube", f"on {OTHER}"),
        "* [arxiv:2006.16236](https://arxiv.org/abs/2006.16236)",
        "Somebody explains it: https://www.youtube.com/watch?v=abcdefghijk",
        id="talk",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("thing", "head", "note"), ABOUT)
def test_page_about_a_paper_gives_it_no_title_and_is_noted_below_its_link(
    library, thing, head, note
):
    (pending,) = waiting_for(library, thing).pending
    assert pending.title == pending.name
    lines = add(library, pending.name)
    assert lines[0] == head
    assert f"  * {note}" in lines
    assert sum(thing.url in line for line in lines) == 1
    assert entries(library)[-1].year in (None, 2020)
    assert entries(library)[-1].authors == ()


def test_what_a_service_says_is_the_title_whatever_links_the_paper(library):
    thing = SavedItem("bookmarks", "https://blog.example.org/n", "News", f"see {OTHER}")
    waiting = waiting_for(library, thing)
    key = Key("arxiv", "2006.16236")
    (library.state / "metadata.jsonl").write_text(
        '{"key": "arxiv:2006.16236", "title": "Transformers are RNNs", "year": 2020}\n'
    )
    assert waiting.pending[0].seen_in == "News"
    (pending,) = load_waiting(library).pending
    assert (pending.key, pending.title, pending.seen_in) == (key, "Transformers are RNNs", "")


def test_title_that_the_paper_was_saved_with_wins_over_pages_about_it(library):
    post = SavedItem("reddit", "https://www.reddit.com/comments/a", "[D] hot", links=(SavedLink("target", OTHER),))  # fmt: skip
    paper = SavedItem("bookmarks", OTHER, "[2006.16236] Transformers are RNNs")
    (pending,) = waiting_for(library, post, paper).pending
    assert pending.title == "Transformers are RNNs"


CITED = SavedItem(
    "urls",
    "https://doi.org/10.1038/nature14539",
    "Deep learning",
    note="start with convolutions",
    tags=("overview", "deep learning"),
    folder=("thesis",),
    saved_at="2020-01-02T00:00:00Z",
    authors=("LeCun, Yann", "Bengio, Yoshua", "Hinton, Geoffrey"),
    year=2015,
    venue="Nature",
    entry_type="article",
    cite_key="lecun2015deep",
    state="read",
    read_at="2021-03-04T00:00:00Z",
    extra={"volume": "521"},
)


def test_authors_and_year_of_a_bibliography_stand_where_the_neighbours_show_theirs(library):
    (library.folder / "list.md").write_text(
        "# R\n\n## To Review\n\n* [FNet](https://arxiv.org/abs/2105.03824) - 2021 - James Lee-Thorp, Joshua Ainslie\n"
        "* [Performers](https://arxiv.org/abs/2009.14794) - 2020 - Krzysztof Choromanski, Valerii Likhosherstov\n"
    )
    waiting_for(library, CITED)
    assert add(library, "10.1038/nature14539")[0] == (
        "* [Deep learning](https://doi.org/10.1038/nature14539) - 2015 - Yann LeCun, Yoshua Bengio, Geoffrey Hinton"
    )


def test_tags_stand_where_the_list_shows_tags_and_else_beside_it(library):
    waiting_for(library, CITED)
    lines = add(library, "10.1038/nature14539")
    assert not any("overview" in line for line in lines)
    kept = load_kept(library.folder)[Key("doi", "10.1038/nature14539")]
    assert (kept.tags, kept.state, kept.since) == (("overview", "deep learning"), "read", "2021-03-04")  # fmt: skip
    undo(library)
    assert (library.folder / "list.md").read_text() == LIST
    assert load_kept(library.folder) == {}
    (library.folder / "list.md").write_text(
        "# R\n\n## To Review\n\n* [FNet](https://arxiv.org/abs/2105.03824) #fourier\n* [Mixer](https://arxiv.org/abs/2105.01601) #mlp\n"
    )
    add(library, "10.1038/nature14539")
    assert entries(library)[-1].tags == ("overview",)
    kept = load_kept(library.folder)[Key("doi", "10.1038/nature14539")]
    assert kept.tags == ("deep learning",)


def test_what_was_read_is_ticked_where_the_list_has_boxes(library):
    before = "# R\n\n## To Review\n\n* [x] [FNet](https://arxiv.org/abs/2105.03824)\n* [ ] [Mixer](https://arxiv.org/abs/2105.01601)\n"
    (library.folder / "list.md").write_text(before)
    waiting_for(library, CITED)
    add(library, "10.1038/nature14539")
    assert [entry.state for entry in entries(library)] == ["read", "to read", "read"]
    undo(library)
    assert (library.folder / "list.md").read_text() == before


def test_notes_keep_their_lines_and_links(library):
    note = "first\n# second, with https://x.org/_a*b_c?q=1&amp=2\n\n1. third"
    waiting_for(library, SavedItem("bookmarks", OTHER, "Linear Transformers", note))
    add(library, "2006.16236")
    entry = entries(library)[-1]
    assert [said.text for said in entry.notes] == [
        "first", "# second, with https://x.org/_a*b_c?q=1&amp=2", "1. third",
    ]  # fmt: skip
    assert [link.url for link in entry.links] == [OTHER, "https://x.org/_a*b_c?q=1&amp=2"]


def test_note_below_code_that_names_a_paper_is_kept_beside(library):
    (library.folder / "list.md").write_text("# R\n\n## To Review\n\n* [FNet](https://arxiv.org/abs/2105.03824)\n")  # fmt: skip
    note = "https://arxiv.org/abs/1706.03762 and https://arxiv.org/abs/1810.04805 in one"
    waiting_for(library, SavedItem("bookmarks", "https://github.com/o/n", "A zoo of models", note))
    add(library, "github:o/n")
    assert [str(entry.key) for entry in entries(library)] == ["arxiv:2105.03824", "github:o/n"]
    assert load_kept(library.folder)[Key("github", "o/n")].notes == (note,)


def test_what_a_source_gave_goes_along_to_the_library_of_the_list(library, tmp_path_factory):
    other = Library(tmp_path_factory.mktemp("other"))
    other.prepare()
    path = other.folder / "theirs.md"
    path.write_text("# Theirs\n\n## To Review\n\n* [FNet](https://arxiv.org/abs/2105.03824)\n")
    waiting = waiting_for(library, CITED)
    pending = desk.thing_to_add(waiting, "10.1038/nature14539")
    carry_out(other, desk.add(library, waiting, pending, section="To Review", path=path))
    from studiolo.library.inbox import load_items

    assert [item.cite_key for item in load_items(other)] == ["lecun2015deep"]


def test_facts_of_any_key_of_a_work_are_its_facts(library):
    waiting = waiting_for(library, SavedItem("urls", "https://doi.org/10.1000/x", links=(SavedLink("same", OTHER),)))  # fmt: skip
    (pending,) = waiting.pending
    assert pending.name == "arxiv:2006.16236"
    from studiolo.library.waiting import facts_of

    known = Facts(Key("doi", "10.1000/x"), title="T")
    assert facts_of(pending, {known.key: known}) is known
