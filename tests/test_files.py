"""Writing: whole or not at all, and only over what was read."""

import errno
import os
import signal
import stat
import subprocess
import sys

import pytest

import studiolo.files
from studiolo.errors import FileError, StaleEdit
from studiolo.files import (
    append_json_lines,
    kind_at,
    load_json_lines,
    said_of,
    save_bytes,
    turn,
    update_bytes,
)


OLD = b"* [A](https://arxiv.org/abs/2101.00001)\n"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "list.md").write_bytes(OLD)
    return tmp_path / "list.md"


def test_mode_and_owner_stay(path):
    path.chmod(0o640)
    before = path.stat()
    save_bytes(path, b"new\n", OLD)
    after = path.stat()
    assert path.read_bytes() == b"new\n"
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner_of_somebody_else_stays(path):
    os.chown(path, 12345, 23456)
    path.chmod(0o604)
    save_bytes(path, b"new\n", OLD)
    after = path.stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (12345, 23456, 0o604)


def test_symbolic_link_stays_one(path):
    link = path.with_name("link.md")
    link.symlink_to(path)
    save_bytes(link, b"new\n", OLD)
    assert link.is_symlink()
    assert path.read_bytes() == b"new\n"


def test_file_that_holds_something_else_is_not_replaced(path):
    with pytest.raises(StaleEdit, match=r"has changed since it was read. Nothing was written"):
        save_bytes(path, b"new\n", OLD + b"* mine\n")
    with pytest.raises(StaleEdit):
        save_bytes(path, b"new\n", None)
    with pytest.raises(StaleEdit):
        save_bytes(path.with_name("none.md"), b"new\n", OLD)
    assert path.read_bytes() == OLD


def test_crash_while_writing_leaves_the_old_file(path, monkeypatch):
    def crash(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(studiolo.files.os, "fsync", crash)
    with pytest.raises(
        FileError, match=r"cannot be written: No space left on device. It is as it was"
    ):
        save_bytes(path, b"new\n", OLD)
    assert path.read_bytes() == OLD
    assert [p.name for p in path.parent.iterdir()] == ["list.md"]


def test_update_gets_what_is_there_and_writes_nothing_where_nothing_changes(path):
    update_bytes(path, lambda found: found + b"more\n")
    assert path.read_bytes() == OLD + b"more\n"
    before = path.stat()
    update_bytes(path, lambda found: found)
    assert path.stat().st_ino == before.st_ino
    update_bytes(path.with_name("new.md"), lambda found: repr(found).encode())
    assert path.with_name("new.md").read_bytes() == b"None"


def test_update_that_raises_leaves_the_file(path):
    def refuse(found):
        raise StaleEdit("no")

    with pytest.raises(StaleEdit):
        update_bytes(path, refuse)
    assert path.read_bytes() == OLD


def test_lines_that_are_json_but_not_objects_are_passed_over_and_stay(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'1\nnull\n[1]\n"x"\n<<<<<<< ours\n{"id": 1}\n')
    append_json_lines(path, [{"id": 2}])
    assert list(load_json_lines(path)) == [{"id": 1}, {"id": 2}]
    assert path.read_bytes().startswith(b'1\nnull\n[1]\n"x"\n<<<<<<< ours\n')


def test_last_line_without_its_newline_is_read_and_kept(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": 1}')
    assert list(load_json_lines(path)) == [{"id": 1}]
    append_json_lines(path, [{"id": 2}])
    assert list(load_json_lines(path)) == [{"id": 1}, {"id": 2}]


def test_word_that_is_too_long_for_a_path_is_none(tmp_path):
    (tmp_path / "file").touch()
    assert kind_at(tmp_path) == "folder"
    assert kind_at(tmp_path / "file") == "file"
    for word in ("nothing", "pasted " * 100, "deep/" * 2000, "file/below", "\0"):
        assert kind_at(tmp_path / word) == ""


HOLDING = """
import sys, time
from pathlib import Path
from studiolo.files import turn
with turn(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the turn of the folder."""
    (tmp_path / ".studiolo").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, tmp_path], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        yield other
        other.kill()


def test_library_that_another_process_holds_is_waited_for_and_said(
    path, holder, monkeypatch, caplog
):
    monkeypatch.setattr(studiolo.files, "_QUIET_S", 0.05)
    monkeypatch.setattr(studiolo.files, "PATIENCE_S", 0.2)
    said = r"has been in use by another Studiolo for 0 s, so nothing was written\. Let"
    with pytest.raises(FileError, match=said), turn(path.parent):
        pass
    assert [r.getMessage() for r in caplog.records] == [
        f"Waiting for another Studiolo that changes {path.parent} ..."
    ]


def test_killed_process_leaves_no_turn_behind(path, holder):
    holder.send_signal(signal.SIGKILL)
    with turn(path.parent):
        save_bytes(path, b"new\n", OLD)
    assert path.read_bytes() == b"new\n"


def test_folder_that_is_not_a_library_has_no_turns_and_no_new_file(path):
    with turn(path.parent):
        assert list(path.parent.iterdir()) == [path]


def test_place_that_is_read_only_is_named_with_the_next_step(path, monkeypatch):
    folder = path.parent
    denied = OSError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(os, "access", lambda place, _: place == path)
    for one in (path, folder / "new" / "list.md"):
        said = f"Permission denied, as the folder {folder} is read only. To change that: chmod u+w {folder}"
        assert said_of(denied, one) == said
    monkeypatch.setattr(os, "access", lambda place, _: place == folder)
    said = f"Permission denied, as it is read only. To change that: chmod u+w {path}"
    assert said_of(denied, path) == said
    monkeypatch.setattr(os, "geteuid", lambda: 123456789)
    assert said_of(denied, path).endswith(
        "as it belongs to somebody else. Work on a copy that is yours"
    )
    frozen = OSError(errno.EROFS, "Read-only file system")
    assert said_of(frozen, path).endswith(
        f"Nothing in {folder} can be changed: work on a copy of it"
    )
    assert said_of(OSError(errno.ENOSPC, "No space"), path) == "No space"
