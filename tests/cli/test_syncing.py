"""sync: every place that was collected from, again; what is remembered of them, and what is not."""

import json
import subprocess
from pathlib import Path

import pytest

from studiolo.errors import SourceError, UsageError
from studiolo.library import Library, Place, load_places, place_of_file, save_place
from tests.net.server import Said, Server

from .commands import run


BOOKMARKS = (
    '<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DT><A HREF="https://arxiv.org/abs/1706.03762">A</A>\n'
)
MORE = '<DT><A HREF="https://arxiv.org/abs/2105.03824">B</A>\n<DT><A HREF="javascript:x">C</A>\n'


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    folder = tmp_path / "library"
    (folder / ".studiolo").mkdir(parents=True)
    (folder / "exports").mkdir()
    (folder / "exports/b.html").write_text(BOOKMARKS)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("STUDIOLO_GITHUB_API", server.url)
    yield server
    server.close()


def remembered(library):
    return [
        {name: value for name, value in json.loads(line).items() if name != "on"}
        for line in (library / ".studiolo/sources.jsonl").read_text().splitlines()
    ]


def test_file_is_read_again_and_only_what_is_new_is_taken_in(library, monkeypatch):
    run("collect", "bookmarks", "exports/b.html")
    assert remembered(library) == [{"source": "bookmarks", "how": "file", "where": "exports/b.html"}]  # fmt: skip
    (library / "exports/b.html").write_text(BOOKMARKS + MORE)
    before = (library / ".studiolo/inbox.jsonl").read_bytes()
    line = "bookmarks exports/b.html: read 3 = new 1 + known 1 + skipped 1\n"
    said = run("sync", "--dry-run")
    assert said == line + "1 source, 1 new thing.\nNothing was written (--dry-run).\n"
    assert (library / ".studiolo/inbox.jsonl").read_bytes() == before
    monkeypatch.chdir("/")
    assert run("sync", "--library", library) == line + "1 source, 1 new thing.\nNext: studiolo inbox\n"  # fmt: skip
    assert run("sync", "--library", library).endswith("1 source, nothing new.\n")
    assert len(remembered(library)) == 1


def test_library_that_was_moved_still_finds_its_exports(library):
    run("collect", "bookmarks", library / "exports/b.html")
    moved = library.rename(library.parent / "moved")
    assert "read 1 = new 0 + known 1 + skipped 0" in run("sync", "--library", moved)


def test_file_in_the_home_folder_is_remembered_without_its_name(library):
    Path("~/b.html").expanduser().write_text(BOOKMARKS)
    run("collect", "bookmarks", Path("~/b.html").expanduser())
    assert remembered(library)[0]["where"] == "~/b.html"
    assert "read 1 = new 0 + known 1" in run("sync")


def test_broken_source_does_not_keep_the_others(library):
    for name in ("a.html", "exports/b.html", "c.html"):
        (library / name).write_text(BOOKMARKS)
        run("collect", "bookmarks", name)
    (library / "a.html").unlink()
    (library / "c.html").write_bytes(b"\0\0PK\3\4")
    said = run("sync", code=1)
    assert "a.html is not there any more. Forget it: studiolo sync --forget 'bookmarks a.html'" in said  # fmt: skip
    assert "bookmarks exports/b.html: read 1 = new 0 + known 1" in said
    assert "3 sources, nothing new; 2 of them could not be read." in said


def test_place_is_forgotten_and_what_came_from_it_stays(library):
    run("collect", "bookmarks", "exports/b.html")
    assert "Forgotten: bookmarks exports/b.html." in run("sync", "--forget", "exports/b.html")
    assert "Start with: studiolo collect --help" in run("sync")
    assert "1 paper waiting" in run("inbox")
    with pytest.raises(UsageError, match=r"Nothing was collected from 'x'\. There are: none"):
        run("sync", "--forget", "x")
    run("collect", "bookmarks", "exports/b.html")
    with pytest.raises(UsageError, match=r"from 'x'\. There are: bookmarks exports/b\.html"):
        run("sync", "--forget", "x")
    (library / "c.html").write_text(BOOKMARKS)
    run("collect", "bookmarks", "c.html")
    with pytest.raises(UsageError, match=r"may be one of: bookmarks exports/b\.html; bookmarks c\.html"):  # fmt: skip
        run("sync", "--forget", "bookmarks")
    run("sync", "--forget", "bookmarks c.html")
    (library / "x.txt").write_text("2105.03824")
    run("collect", "urls", "x.txt")
    assert "Forgotten: urls x.txt." in run("sync", "--forget", "urls")
    assert "known 1" in run("sync", "bookmarks")
    with pytest.raises(UsageError, match=r"from 'reddit'\. There are: bookmarks exports/b\.html"):
        run("sync", "reddit")


def test_what_was_only_tried_or_typed_or_failed_is_not_remembered(library):
    run("collect", "bookmarks", "exports/b.html", "--dry-run")
    run("collect", "urls", "2105.03824")
    with pytest.raises(SourceError):
        run("collect", "bookmarks", "nowhere.html")
    assert not (library / ".studiolo/sources.jsonl").exists()


def test_file_that_gave_nothing_is_not_remembered(library):
    (library / "exports/page.html").write_text("<p>No bookmark.</p>")
    (library / "exports/script.html").write_text(MORE.splitlines()[1])
    assert "holds nothing that bookmarks reads" in run("collect", "bookmarks", "exports/page.html")
    run("collect", "bookmarks", "exports/script.html")
    assert not load_places(Library(library))
    run("collect", "bookmarks", "exports/b.html")
    run("collect", "bookmarks", "exports/b.html")  # known, so it is no mistake
    assert [str(place) for place in load_places(Library(library))] == ["bookmarks exports/b.html"]


def test_stars_are_asked_for_by_the_login_and_no_token_is_kept(library, server, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    path = "/users/me/starred?per_page=100&sort=created&direction=desc"
    star = {"starred_at": "2021-05-25T10:00:00Z", "repo": {"id": 1, "full_name": "o/r"}}
    server.say(path, Said.json([star]), Said.json([star]))
    run("collect", "github-stars", "me")
    assert remembered(library) == [{"source": "github-stars", "how": "login", "where": "me"}]
    assert "github-stars me: read 1 = new 0 + known 1" in run("sync")
    assert b"ghp_secret" not in b"".join(p.read_bytes() for p in library.rglob("*.jsonl"))


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://gist.github.com/a/b", True),
        ("https://me:secret@gist.github.com/a/b", False),
        ("https://x.org/list.md?access_token=abc", False),
        ("https://x.org/list.md?X-Amz-Signature=abc", False),
        ("https://x.org/list.md?page=2", True),
    ],
)
def test_address_that_carries_a_secret_is_not_kept(library, address, kept):
    home = Library(library)
    assert save_place(home, Place("table", "page", address)) == kept
    assert load_places(home) == ([Place("table", "page", address)] if kept else [])


def test_strange_lines_hide_no_place(library):
    home = Library(library)
    path = library / ".studiolo/sources.jsonl"
    save_place(home, Place("arxiv-sanity", "file", "dict.db", {"user": "me"}))
    path.write_text(
        '<<<<<<< HEAD\n{"source": "x", "how": "magic", "where": "y"}\n{"source": "x"}\n[1]\n'
        + '{"source": "x", "how": "file", "where": "y", "options": {"a": [1]}}\n'
        + path.read_text()
    )
    assert load_places(home) == [Place("arxiv-sanity", "file", "dict.db", {"user": "me"})]


def test_unknown_source_of_a_later_version_is_a_sentence(library):
    save_place(Library(library), Place("mastodon", "login", "me"))
    assert "This Studiolo has no source 'mastodon'" in run("sync", code=1)


def test_path_outside_of_library_and_home_is_whole(library):
    place = place_of_file(Library(library), "urls", Path("/data/x.txt"), {"user": ""})
    assert place == Place("urls", "file", "/data/x.txt")
    assert place.path(Library(library)) == Path("/data/x.txt")


def test_two_branches_that_both_collected_remember_both(library):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
            cwd=library, check=True, capture_output=True,
        )  # fmt: skip

    (library / "c.html").write_text(BOOKMARKS)
    Library(library).prepare()
    git("init", "-q", "-b", "one")
    git("add", ".")
    git("commit", "-qm", "start")
    git("checkout", "-qb", "two")
    run("collect", "bookmarks", "c.html")
    git("add", ".")
    git("commit", "-qm", "two")
    git("checkout", "-q", "one")
    run("collect", "bookmarks", "exports/b.html")
    git("add", ".")
    git("commit", "-qm", "one")
    git("merge", "-q", "two", "-m", "both")
    assert {place.where for place in load_places(Library(library))} == {"c.html", "exports/b.html"}
