import json
import subprocess

import pytest

from studiolo.errors import SourceError
from studiolo.library import Inbox, Library, load_waiting
from studiolo.library.inbox import BATCH, load_items
from studiolo.library.waiting import save_passed, tidy_title
from studiolo.sources import SavedFolder, SavedItem, SavedLink, Skipped


FNET = "https://arxiv.org/abs/2105.03824"


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path)


def item(url=FNET, **more):
    return SavedItem(more.pop("source", "bookmarks"), url, more.pop("title", "FNet"), **more)


def collect(library, *things, **more):
    return Inbox(library).collect(things, **more)


def test_same_export_twice_adds_nothing(library):
    things = [item(), item("https://x.org/"), SavedFolder("bookmarks", ("ML",), "note")]
    first = collect(library, *things)
    size = (library.state / "inbox.jsonl").stat().st_size
    again = collect(library, *things)
    assert (first.read, first.new, first.known) == (2, 2, 0)
    assert (again.read, again.new, again.known) == (2, 0, 2)
    assert (library.state / "inbox.jsonl").stat().st_size == size


def test_read_is_new_and_known_and_skipped(library):
    collect(library, item())
    counts = collect(library, item(), item("https://x.org/"), Skipped("f:3", "why"))
    assert counts.read == counts.new + counts.known + counts.num_skipped == 3


def test_one_page_in_two_folders_stays_two(library):
    collect(library, item(folder=("a",)), item(folder=("b",)))
    assert [one.folder for one in load_items(library)] == [("a",), ("b",)]


def test_same_page_with_other_words_stays_two_and_still_adds_nothing_twice(library):
    things = [item(note="one"), item(note="two"), item(note="one")]
    counts = collect(library, *things)
    assert (counts.new, counts.known) == (2, 1)
    counts = collect(library, *things)
    assert (counts.new, counts.known, counts.changed) == (0, 3, 0)
    assert [one.note for one in load_items(library)] == ["one", "two"]


def test_longer_note_of_a_known_item_is_kept(library):
    collect(library, item(note=""))
    counts = collect(library, item(note="now with a note"))
    assert (counts.new, counts.known, counts.changed) == (0, 1, 1)
    assert [one.note for one in load_items(library)] == ["now with a note"]


def test_number_of_a_place_survives_a_rename(library):
    collect(library, item("https://github.com/a/old", native="7", source="github-stars"))
    counts = collect(library, item("https://github.com/b/new", native="7", source="github-stars"))
    assert (counts.new, counts.changed) == (0, 1)


def test_dry_run_writes_nothing(library):
    counts = collect(library, item(), dry_run=True)
    assert counts.new == 1
    assert not library.state.exists()


def test_items_go_through_the_file_unchanged(library):
    thing = item(
        note="a\nb",
        about="c",
        folder=("x", "y"),
        tags=("t",),
        saved_at="2021-05-25T10:00:00Z",
        native="7",
        links=(SavedLink("badge", FNET, "T"), SavedLink("text", FNET)),
        extra={"k": "v"},
        place="f:1",
    )
    collect(library, thing)
    assert list(load_items(library)) == [thing]


def test_what_was_read_before_a_source_fails_is_kept(library):
    def reading():
        yield item()
        raise SourceError("the rest is damaged")

    with pytest.raises(SourceError, match="the rest is damaged"):
        Inbox(library).collect(reading())
    assert len(list(load_items(library))) == 1


def test_interrupted_reading_is_remembered_as_such(library):
    def broken():
        yield item()
        raise SourceError("no network")

    with pytest.raises(SourceError):
        Inbox(library).collect(broken(), source="github-stars", of="me")
    assert not Inbox(library).was_read_to_the_end("github-stars", "me")
    Inbox(library).collect([item()], source="github-stars", of="me")
    assert Inbox(library).was_read_to_the_end("github-stars", "me")
    assert not Inbox(library).was_read_to_the_end("github-stars", "you")


def test_many_items_are_written_in_batches(library, monkeypatch):
    sizes = []
    from studiolo.library import inbox

    append = inbox.append_json_lines
    monkeypatch.setattr(
        inbox,
        "append_json_lines",
        lambda path, records: (sizes.append(len(records)), append(path, records)),
    )
    collect(library, *(item(f"https://x.org/{number}") for number in range(BATCH + 10)))
    assert sizes == [BATCH, 10]


def test_lines_that_somebody_spoilt_hide_no_item(library):
    collect(library, item())
    with (library.state / "inbox.jsonl").open("ab") as file:
        file.write(
            b'1\nnull\n[]\n{"id": 1}\n{"id": 2, "source": "x", "url": 3}\n{"id": 4, "source": "x", "url": "y", "links": 5}\n'
        )
    collect(library, item("https://x.org/"))
    assert [pending.items[0].url for pending in load_waiting(library).pending] == [
        FNET,
        "https://x.org/",
    ]


def test_torn_last_line_is_not_read_and_cut_before_the_next(library):
    collect(library, item())
    path = library.state / "inbox.jsonl"
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert len(list(load_items(library))) == 1
    collect(library, item("https://x.org/"))
    assert len(list(load_items(library))) == 2
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_markers_of_a_merge_hide_no_item(library):
    collect(library, item(), item("https://x.org/"))
    path = library.state / "inbox.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"<<<<<<< ours\n" + first + b"=======\n" + second + b">>>>>>> theirs\n")
    assert len(list(load_items(library))) == 2


def test_state_of_two_branches_merges_without_conflict(tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    library = Library(tmp_path)
    git("init", "-q", "-b", "main")
    collect(library, item())
    git("add", "-A")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "other")
    collect(library, item("https://a.org/"))
    git("commit", "-qam", "two")
    git("checkout", "-q", "main")
    collect(library, item("https://b.org/"))
    git("commit", "-qam", "three")
    git("merge", "-q", "other", "-m", "merge")
    assert {one.url for one in load_items(library)} == {FNET, "https://a.org/", "https://b.org/"}


def test_cache_is_ignored_by_git(library):
    collect(library, item())
    assert "cache/" in (library.state / ".gitignore").read_text().splitlines()


def test_links_to_one_paper_are_one_line_of_the_inbox(library):
    collect(
        library,
        item(
            "https://arxiv.org/pdf/2105.03824v2.pdf",
            title="2105.03824.pdf",
            saved_at="2022-01-01T00:00:00Z",
        ),
        item(
            "https://www.alphaxiv.org/abs/2105.03824",
            title="[2105.03824] FNet: Mixing Tokens | arXiv",
            saved_at="2021-01-01T00:00:00Z",
        ),
        item(
            "https://github.com/google-research/fnet",
            title="google-research/fnet",
            source="github-stars",
            native="7",
            links=(SavedLink("badge", FNET),),
        ),
    )
    (pending,) = load_waiting(library).pending
    assert (pending.name, pending.title, pending.saved_at) == (
        "arxiv:2105.03824",
        "FNet: Mixing Tokens",
        "2021-01-01T00:00:00Z",
    )
    assert pending.sources == ("bookmarks", "github-stars")
    assert len(pending.items) == 3


def test_newest_comes_first(library):
    collect(
        library,
        item("https://a.org/", saved_at="2020-01-01T00:00:00Z"),
        item("https://b.org/", saved_at="2022-01-01T00:00:00Z"),
    )
    assert [pending.items[0].url for pending in load_waiting(library).pending] == [
        "https://b.org/",
        "https://a.org/",
    ]


def test_what_is_on_a_list_waits_no_more(library):
    (library.folder / "list.md").write_text(f"# L\n\n* [FNet]({FNET}v3)\n")
    collect(library, item(), item("https://x.org/"))
    assert [pending.items[0].url for pending in load_waiting(library).pending] == ["https://x.org/"]


def test_code_of_a_listed_paper_waits_with_the_place_of_its_paper(library):
    (library.folder / "list.md").write_text(f"# L\n\n* [FNet]({FNET})\n")
    collect(
        library, item("https://github.com/google-research/fnet", links=(SavedLink("badge", FNET),))
    )
    (pending,) = load_waiting(library).pending
    assert (pending.name, pending.on_list) == ("arxiv:2105.03824", "list.md:3")


def test_thing_passed_over_comes_back_only_when_asked(library):
    collect(library, item())
    save_passed(library, ["arxiv:2105.03824"])
    assert load_waiting(library).pending == []
    assert len(load_waiting(library, with_passed=True).pending) == 1
    save_passed(library, ["arxiv:2105.03824"], back=True)
    assert len(load_waiting(library).pending) == 1


def test_note_without_an_address_of_its_own_waits_under_its_number(library):
    collect(library, item("?lY47tw", title="Recipe"))
    (pending,) = load_waiting(library).pending
    assert (pending.key, pending.title) == (None, "Recipe")
    assert load_waiting(library).find(pending.name[:8]).title == "Recipe"


@pytest.mark.parametrize(
    ("saved", "shown"),
    [
        ("[2105.03824] FNet: Mixing Tokens", "FNet: Mixing Tokens"),
        ("[math/0211159] The entropy formula", "The entropy formula"),
        ("FNet | OpenReview", "FNet"),
        ("(3) Yannic Kilcher on FNet - YouTube", "Yannic Kilcher on FNet"),
        ("GitHub - a/b: thing", "a/b: thing"),
        ("[R] FNet : r/MachineLearning", "[R] FNet"),
        ("arXiv", "arXiv"),
    ],
)
def test_titles_lose_what_the_site_added(saved, shown):
    assert tidy_title(saved) == shown
