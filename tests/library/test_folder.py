"""Which library is meant, what lies in it, and the name that its state folder had before."""

import hashlib

import pytest

from studiolo.errors import FileError, UsageError
from studiolo.library import Inbox, Library, load_kept, load_waiting, undo
from studiolo.library.adopt import _log
from studiolo.sources import SavedItem


LIST = "# Reading\n\n* [A](https://arxiv.org/abs/2101.00001)\n"


def test_library_is_the_nearest_folder_with_its_state(tmp_path, monkeypatch):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "a" / ".studiolo").mkdir()
    (deep / "list.md").write_text(LIST)
    assert Library.find(near=deep / "list.md").folder == tmp_path / "a"
    assert Library.find(near=deep).folder == tmp_path / "a"
    monkeypatch.chdir(deep)
    assert Library.find().folder == tmp_path / "a"
    assert Library.find(deep).folder == deep


def test_without_any_state_it_is_the_lists_own_folder_or_the_one_above_lists(tmp_path, monkeypatch):
    (tmp_path / "lists").mkdir()
    assert Library.find(near=tmp_path / "lists" / "list.md").folder == tmp_path
    assert Library.find(near=tmp_path / "list.md").folder == tmp_path
    monkeypatch.chdir(tmp_path / "lists")
    assert Library.find().folder == tmp_path


def test_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"There is no folder .*nowhere\. Create it first"):
        Library.find(tmp_path / "nowhere")


def test_list_that_is_a_link_belongs_to_where_it_is_seen(tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name / ".studiolo").mkdir(parents=True)
    (tmp_path / "there" / "list.md").write_text(LIST)
    (tmp_path / "here" / "list.md").symlink_to(tmp_path / "there" / "list.md")
    home = Library.find(near=tmp_path / "here" / "list.md")
    assert home.folder == tmp_path / "here"
    assert home.relative(tmp_path / "here" / "list.md") == "list.md"
    assert home.holds(tmp_path / "here" / "list.md")
    assert not home.holds(tmp_path / "there" / "list.md")
    monkeypatch.chdir(tmp_path / "here")
    assert Library.find().folder == tmp_path / "here"


def test_library_behind_a_link_holds_its_lists_by_either_name(tmp_path):
    (tmp_path / "real" / "lists").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    home = Library(tmp_path / "link")
    assert home.relative(tmp_path / "real" / "lists" / "a.md") == "lists/a.md"
    assert home.relative(tmp_path / "link" / "lists" / "a.md") == "lists/a.md"
    assert home.relative(tmp_path / "b.md") == str(tmp_path / "b.md")


@pytest.mark.parametrize("name", ["", "..", "../b.md", "a/../../b.md", "/etc/hostname", "a\0b"])
def test_name_that_leads_out_of_the_library_is_refused(tmp_path, name):
    with pytest.raises(FileError, match="leads out of the library"):
        Library(tmp_path).inside(name)


def test_name_inside_the_library_is_a_path(tmp_path):
    assert Library(tmp_path).inside("lists/a.md") == tmp_path / "lists" / "a.md"
    assert Library(tmp_path).inside("a..b.md") == tmp_path / "a..b.md"


def test_lists_are_read_again_after_they_were_forgotten(tmp_path):
    home = Library(tmp_path)
    assert home.documents == {}
    (tmp_path / "list.md").write_text(LIST)
    assert home.documents == {}
    home.forget()
    home.forget()
    assert list(home.documents) == [tmp_path / "list.md"]


# the state folder of before


@pytest.fixture
def old(tmp_path, caplog):
    """A library with the state folder of before, and a note that can be taken back."""
    caplog.set_level("WARNING", logger=_log.name)
    (tmp_path / "list.md").write_text(LIST + "  * thought\n")
    home = Library(tmp_path)
    Inbox(home).collect([SavedItem("bookmarks", "https://arxiv.org/abs/2105.03824", "FNet")])
    (home.state / "reading.jsonl").write_text('{"key": "arxiv:2101.00001", "state": "read"}\n')
    start = len(LIST)
    (home.state / "edits.jsonl").write_text(
        '{"list": "list.md", "what": "note on A", "at": "2026-01-01T10:00:00+00:00", "digest": "'
        + hashlib.sha256((tmp_path / "list.md").read_bytes()).hexdigest()
        + f'", "edits": [{{"start": {start}, "old": "", "new": "  * thought\\n"}}]}}\n'
    )
    home.state.rename(tmp_path / ".carrel")
    return tmp_path


def test_state_folder_of_before_is_moved_and_everything_in_it_still_counts(old, caplog):
    home = Library.find(near=old / "list.md")
    assert caplog.messages == [
        f"{old / '.carrel'} is called {old / '.studiolo'} from now on. Nothing in it was changed."
    ]
    assert not (old / ".carrel").exists()
    assert len(load_waiting(home).pending) == 1
    assert len(load_kept(home.folder)) == 1
    assert undo(home).what == "note on A"
    assert (old / "list.md").read_text() == LIST
    Library.find(old)
    assert len(caplog.messages) == 1


def test_it_is_found_from_a_folder_inside(old, monkeypatch):
    (old / "sub").mkdir()
    monkeypatch.chdir(old / "sub")
    assert Library.find().folder == old


def test_where_both_are_there_the_old_one_is_left_and_it_is_said_once(old, caplog):
    (old / ".studiolo").mkdir()
    Library.find(old)
    Library.find(near=old / "list.md")
    assert caplog.messages == [
        f"{old / '.carrel'} is left as it is, because {old / '.studiolo'} is there too. "
        "Move what you miss from it by hand."
    ]
    assert (old / ".carrel" / "inbox.jsonl").exists()


def test_library_that_cannot_be_written_is_read_all_the_same(old, caplog, monkeypatch):
    def refuse(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    home = Library.find(near=old / "list.md")
    assert load_waiting(home).pending == []
    assert "is not read" in caplog.messages[0]
    assert "(Permission denied)" in caplog.messages[0]


def test_both_in_a_library_that_cannot_be_written_is_no_error(old, caplog, monkeypatch):
    (old / ".studiolo").mkdir()

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert Library.find(old).folder == old


def test_folder_of_another_program_of_that_name_is_left_alone(tmp_path, caplog):
    (tmp_path / ".carrel").mkdir()
    (tmp_path / ".carrel" / "config.toml").write_text("x = 1\n")
    (tmp_path / "sub").mkdir()
    assert Library.find(near=tmp_path / "sub").folder == tmp_path / "sub"
    assert Library.find(tmp_path).folder == tmp_path
    assert [path.name for path in (tmp_path / ".carrel").iterdir()] == ["config.toml"]
    assert caplog.messages == []
