"""Writing: whole or not at all, and only over what was read."""

import os
import stat
from pathlib import Path

import pytest

import studiolo.files
from studiolo.errors import ListError, StaleEdit, UsageError
from studiolo.files import save_bytes
from studiolo.keys import Key
from studiolo.library import Kept, load_kept, save_change, undo
from studiolo.library.history import load_changes
from studiolo.library.reading import kept_path, save_kept
from studiolo.lists import Document, annotate, edited


LIST = b"* [A](https://arxiv.org/abs/2101.00001)\n* [B](https://arxiv.org/abs/2101.00002)\n"
KEY = Key("arxiv", "2101.00001")


@pytest.fixture
def path(tmp_path):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_bytes(LIST)
    return tmp_path / "list.md"


def annotated(path, text):
    doc = Document.load(path)
    edits = annotate(doc, doc.entries[0], text)
    return doc, edits, edited(doc, edits, touched=[doc.entries[0]])


def test_mode_and_owner_stay(path):
    path.chmod(0o640)
    before = path.stat()
    save_bytes(path, b"new\n", LIST)
    after = path.stat()
    assert path.read_bytes() == b"new\n"
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner_of_somebody_else_stays(path):
    os.chown(path, 12345, 23456)
    path.chmod(0o604)
    save_bytes(path, b"new\n", LIST)
    after = path.stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (12345, 23456, 0o604)


def test_symbolic_link_stays_one(path):
    link = path.with_name("link.md")
    link.symlink_to(path)
    save_bytes(link, b"new\n", LIST)
    assert link.is_symlink()
    assert path.read_bytes() == b"new\n"


def test_list_that_was_edited_meanwhile_is_not_overwritten(path):
    doc, edits, new = annotated(path, "n")
    path.write_bytes(LIST + b"* mine\n")
    with pytest.raises(StaleEdit, match=r"has changed since it was read. Nothing was written"):
        save_change(path.parent, doc, edits, new, "note")
    assert path.read_bytes() == LIST + b"* mine\n"
    assert load_changes(path.parent) == []


def test_crash_while_writing_leaves_the_old_list(path, monkeypatch):
    def crash(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(studiolo.files.os, "fsync", crash)
    with pytest.raises(
        ListError, match=r"cannot be written: No space left on device. It is as it was"
    ):
        save_bytes(path, b"new\n", LIST)
    assert path.read_bytes() == LIST
    assert sorted(p.name for p in path.parent.iterdir()) == [".studiolo", "list.md"]


def test_undo_gives_every_byte_back_and_the_kept_state_too(path):
    root = path.parent
    for text in ("one", "two"):
        doc, edits, new = annotated(path, text)
        save_change(root, doc, edits, new, f"note {text}", [Kept(KEY, state="read", since=text)])
    assert load_kept(root)[KEY].since == "two"
    assert undo(root).what == "note two"
    assert load_kept(root)[KEY].since == "one"
    assert undo(root).what == "note one"
    assert path.read_bytes() == LIST
    assert load_kept(root) == {}
    with pytest.raises(UsageError, match="Nothing was changed in"):
        undo(root)


def test_undo_refuses_what_was_edited_since(path):
    doc, edits, new = annotated(path, "one")
    save_change(path.parent, doc, edits, new, "note one")
    path.write_bytes(path.read_bytes() + b"* mine\n")
    with pytest.raises(
        StaleEdit, match=r"was edited after “note one”, so that cannot be undone exactly"
    ):
        undo(path.parent)
    assert path.read_bytes().endswith(b"* mine\n")


def test_kept_lines_are_sorted_one_a_key_and_merge(tmp_path):
    keys = [Key("arxiv", f"2101.0000{i}") for i in (3, 1, 2)]
    save_kept(
        tmp_path,
        [Kept(key, title="é\u2028 \u202e", state="read", since="2026-01-01") for key in keys],
    )
    lines = kept_path(tmp_path).read_bytes().split(b"\n")
    assert len(lines) == 4
    assert lines == [*sorted(lines[:3]), b""]
    save_kept(tmp_path, [Kept(keys[0], abstract="long", notes=("n",))])
    one = load_kept(tmp_path)[keys[0]]
    assert (one.state, one.title, one.abstract, one.notes) == (
        "read",
        "é\u2028 \u202e",
        "long",
        ("n",),
    )


def test_what_is_known_is_never_forgotten_by_what_is_not(tmp_path):
    save_kept(
        tmp_path,
        [Kept(KEY, title="T", authors=("A B",), abstract="abstract", published="2021-01-01")],
    )
    save_kept(tmp_path, [Kept(KEY, state="read", since="2026-01-01")])
    one = load_kept(tmp_path)[KEY]
    assert (one.title, one.authors, one.abstract, one.published) == (
        "T",
        ("A B",),
        "abstract",
        "2021-01-01",
    )


def test_marks_of_a_conflict_lose_nothing(tmp_path):
    path = kept_path(tmp_path)
    path.parent.mkdir()
    path.write_text(
        '<<<<<<< ours\n{"key": "arxiv:2101.00001", "state": "reading", "since": "2026-01-01"}\n=======\n'
        '{"key": "arxiv:2101.00001", "state": "read", "since": "2026-02-01", "stars": 5}\n>>>>>>> theirs\n'
    )
    assert load_kept(tmp_path)[KEY].state == "read"
    save_kept(tmp_path, [Kept(KEY, notes=("n",))])
    text = path.read_text()
    assert '"stars": 5' in text
    assert text.count("arxiv:2101.00001") == 1
    assert "<<<<<<< ours\n" in text


def test_nothing_new_writes_nothing(tmp_path):
    save_kept(tmp_path, [Kept(KEY, title="T")])
    before = kept_path(tmp_path).stat()
    save_kept(tmp_path, [Kept(KEY, title="T")])
    assert kept_path(tmp_path).stat().st_ino == before.st_ino
    assert isinstance(kept_path(tmp_path), Path)
