import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from studiolo.errors import FileError
from studiolo.index import Index, Row, load_or_build, store


ROWS = [
    Row(key=f"row/{n}", title=f"causal graph number {'abcdefgh'[n]}", abstract="inference of interventions")
    for n in range(8)
]  # fmt: skip


def builds(folder):
    return sorted(path.name for path in folder.glob("build-*"))


def never():
    raise AssertionError("was read")


def first(index):
    return [suggestion.key for suggestion in index.suggest(["row/0"])]


def test_an_index_is_kept_and_loaded_without_its_rows(tmp_path):
    built, says = load_or_build(tmp_path, lambda: ROWS, stamp="1")
    assert says == ""
    loaded, says = load_or_build(tmp_path, never, stamp="1")
    assert says == ""
    assert len(loaded) == len(built) == 8
    assert first(loaded) == first(built)
    assert loaded.search("causal").hits == built.search("causal").hits


def test_another_stamp_builds_anew_without_a_word(tmp_path):
    load_or_build(tmp_path, lambda: ROWS, stamp="1")
    index, says = load_or_build(tmp_path, lambda: ROWS[:3], stamp="2")
    assert (len(index), says) == (3, "")
    assert len(builds(tmp_path)) == 1


def test_who_has_the_old_index_open_keeps_it(tmp_path):
    old, _ = load_or_build(tmp_path, lambda: ROWS, stamp="1")
    load_or_build(tmp_path, lambda: ROWS[:3], stamp="2")
    assert len(first(old)) == 7
    assert len(old.search("causal").hits) == 8


@pytest.mark.parametrize("name", store.FILES)
@pytest.mark.parametrize("harm", ["cut", "emptied", "removed", "overwritten"])
def test_a_damaged_index_is_built_anew_and_said(tmp_path, name, harm):
    load_or_build(tmp_path, lambda: ROWS)
    path = tmp_path / builds(tmp_path)[0] / name
    data = path.read_bytes()
    if harm == "removed":
        path.unlink()
    else:
        middle = len(data) // 2
        path.write_bytes(
            {"cut": data[:-1], "emptied": b"", "overwritten": data[:middle] + b"\xff" * (len(data) - middle)}[harm]
        )  # fmt: skip
    index, says = load_or_build(tmp_path, lambda: ROWS)
    assert says == "The index was damaged; it was built anew."
    assert len(first(index)) == 7


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"version": 1}', '{"version": 1, "build": 3, "files": {}}']
)
def test_a_damaged_pointer_is_built_anew_and_said(tmp_path, text):
    load_or_build(tmp_path, lambda: ROWS)
    (tmp_path / "current.json").write_text(text)
    index, says = load_or_build(tmp_path, lambda: ROWS)
    assert says == "The index was damaged; it was built anew."
    assert len(index) == 8
    assert len(builds(tmp_path)) == 1


@pytest.mark.parametrize("version", [0, store.VERSION + 1])
def test_an_index_of_another_version_is_built_anew_and_said(tmp_path, version):
    load_or_build(tmp_path, lambda: ROWS)
    about = json.loads((tmp_path / "current.json").read_text())
    (tmp_path / "current.json").write_text(json.dumps(about | {"version": version}))
    _, says = load_or_build(tmp_path, lambda: ROWS)
    assert says == "The index was of another version of Studiolo; it was built anew."


def test_damage_that_is_found_late_is_said_and_mended_by_the_next_command(tmp_path):
    index, _ = load_or_build(tmp_path, lambda: ROWS)
    path = tmp_path / builds(tmp_path)[0] / "text.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xee" * len(data[4096:])
    path.write_bytes(data)
    about = json.loads((tmp_path / "current.json").read_text())
    about["files"]["text.sqlite"] = store._check(path)
    (tmp_path / "current.json").write_text(json.dumps(about))
    index, _ = load_or_build(tmp_path, never)
    with pytest.raises(FileError, match=r"is damaged .* the same command builds it anew"):
        index.search("causal")
    index, _ = load_or_build(tmp_path, lambda: ROWS)
    assert len(index.search("causal").hits) == 8


def test_the_cache_may_be_deleted(tmp_path):
    load_or_build(tmp_path / "cache", lambda: ROWS)
    for path in sorted((tmp_path / "cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    index, says = load_or_build(tmp_path / "cache", lambda: ROWS)
    assert (len(index), says) == (8, "")


def test_rows_that_fail_leave_the_old_index(tmp_path):
    load_or_build(tmp_path, lambda: ROWS, stamp="1")

    def broken():
        yield ROWS[0]
        raise RuntimeError("the list cannot be read")

    with pytest.raises(RuntimeError, match="cannot be read"):
        load_or_build(tmp_path, broken, stamp="2")
    index, says = load_or_build(tmp_path, never, stamp="1")
    assert (len(index), says) == (8, "")
    assert len(builds(tmp_path)) == 1


def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="No index can be kept in"):
        load_or_build(tmp_path / "file" / "cache", lambda: ROWS)


def test_a_disk_that_is_full_is_said(tmp_path, monkeypatch):
    def full(*arguments):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("studiolo.index.engine._build", full)
    with pytest.raises(FileError, match="cannot be written: database or disk is full"):
        load_or_build(tmp_path, lambda: ROWS)


BUILD_AND_HANG = """
import sys, time
from pathlib import Path
from studiolo.index import Row, load_or_build
def rows():
    for n in range(5000):
        yield Row(key=str(n), title=f"causal graph {n}")
    print("half", flush=True)
    time.sleep(60)
load_or_build(Path(sys.argv[1]), rows, stamp="2")
"""


def test_kill_9_in_a_build_leaves_the_old_index(tmp_path):
    load_or_build(tmp_path, lambda: ROWS, stamp="1")
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD_AND_HANG, tmp_path], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"half\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(builds(tmp_path)) == 2
    index, says = load_or_build(tmp_path, never, stamp="1")
    assert (len(index), says) == (8, "")
    index, says = load_or_build(tmp_path, lambda: ROWS[:2], stamp="3")
    assert (len(index), says) == (2, "")
    assert len(builds(tmp_path)) == 1


def test_two_at_once_build_once(tmp_path):
    started, reads = threading.Barrier(4), []

    def slowly():
        reads.append(1)
        time.sleep(0.2)
        yield from ROWS

    found = []

    def work():
        started.wait()
        index, says = load_or_build(tmp_path, slowly)
        found.append((len(index), says))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(8, "")] * 4
    assert reads == [1]


BUILD = """
import sys
from pathlib import Path
from studiolo.index import Row, load_or_build
def rows():
    print("read", flush=True)
    yield from (Row(key=str(n), title=f"causal graph {n}") for n in range(2000))
index, says = load_or_build(Path(sys.argv[1]), rows)
print(len(index), len(index.search("causal").hits), repr(says))
"""


def test_two_processes_at_once_build_once(tmp_path):
    both = [
        subprocess.Popen([sys.executable, "-c", BUILD, tmp_path], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].splitlines() for process in both]
    assert sorted(len(lines) for lines in said) == [1, 2]
    assert {lines[-1] for lines in said} == {"2000 20 ''"}
    assert len(builds(tmp_path)) == 1


def test_a_temporary_index_leaves_nothing_behind():
    with Index.build(ROWS) as index:
        folder = index._folder
        assert folder.exists()
    assert not folder.exists()


def test_building_and_searching_load_numpy_only_when_needed(tmp_path):
    load_or_build(tmp_path, lambda: ROWS)
    code = (
        "import sys; from pathlib import Path; from studiolo.index import load_or_build; "
        f"index, _ = load_or_build(Path({str(tmp_path)!r}), list); index.search('causal'); "
        "assert 'numpy' not in sys.modules; index.suggest(['row/0']); assert 'numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
