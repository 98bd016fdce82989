"""Several files in one step: all of them or none, and one undo takes them back."""

import json

import pytest

from studiolo.errors import FileError, StaleEdit
from studiolo.library import Library, Page, Plan, carry_out, load_changes, plan_undo, undo


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".studiolo" not in path.parts
    }


@pytest.fixture
def home(library):
    (library / "README.md").write_bytes(b"# A\r\n\xff not UTF-8\nend")
    (library / "old.md").write_bytes(b"old\n")
    return Library(library)


def plan_for(home):
    readme = home.folder / "README.md"
    before = readme.read_bytes()
    return Plan(
        "contents",
        pages=(
            Page(readme, before, before.replace(b"not", b"still not")),
            Page(home.folder / "tags" / "a.md", None, b"a\n"),
            Page(home.folder / "old.md", b"old\n", None),
        ),
    )


def test_pages_are_written_made_and_taken_away_and_one_undo_takes_it_back(home):
    before = files(home.folder)
    carry_out(home, plan_for(home))
    now = files(home.folder)
    assert now == {"README.md": b"# A\r\n\xff still not UTF-8\nend", "tags/a.md": b"a\n"}
    change, back = plan_undo(home)
    assert change.what == "contents"
    assert {page.path.name: page.after for page in back.pages} == {
        "README.md": before["README.md"],
        "a.md": None,
        "old.md": b"old\n",
    }
    assert undo(home).what == "contents"
    assert files(home.folder) == before
    assert not (home.folder / "tags").exists()
    assert load_changes(home) == []


def test_journal_keeps_what_was_there_and_not_what_was_written(home):
    big = b"x" * 100_000
    carry_out(home, Plan("contents", pages=(Page(home.folder / "new.md", None, big),)))
    assert len((home.state / "history.jsonl").read_bytes()) < 400
    undo(home)
    assert not (home.folder / "new.md").exists()


def test_page_that_changed_meanwhile_leaves_all_as_they_were(home):
    plan = plan_for(home)
    (home.folder / "old.md").write_bytes(b"other\n")
    before = files(home.folder)
    with pytest.raises(StaleEdit, match="has changed since it was read"):
        carry_out(home, plan)
    assert files(home.folder) == before
    assert load_changes(home) == []


def test_page_edited_since_keeps_all_of_a_change(home):
    carry_out(home, plan_for(home))
    (home.folder / "tags" / "a.md").write_bytes(b"a\nmine\n")
    before = files(home.folder)
    with pytest.raises(StaleEdit, match=r"tags/a\.md was edited since “contents”"):
        undo(home)
    assert files(home.folder) == before


def test_half_of_a_change_that_a_crash_left_is_taken_back(home):
    before = files(home.folder)
    carry_out(home, plan_for(home))
    (home.folder / "old.md").write_bytes(b"old\n")  # as if it had never come to that page
    undo(home)
    assert files(home.folder) == before


@pytest.mark.parametrize("name", ["../x.md", "/etc/x.md", "tags/../../x.md"])
def test_journal_that_names_a_file_outside_is_refused(home, name):
    line = {"id": "1", "what": "x", "at": "", "pages": [[name, 0, "", 0, "", "ab"]]}
    (home.state / "history.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(FileError, match="leads out of the library"):
        undo(home)


def test_page_outside_of_the_library_is_not_written(home, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (home.folder / "tags").symlink_to(other)
    with pytest.raises(FileError, match="leads out of the library"):
        carry_out(home, plan_for(home))
    assert list(other.iterdir()) == []
