"""What is kept beside the lists: nothing that is known is lost."""

import subprocess

import pytest

from studiolo.errors import FileError
from studiolo.keys import Key
from studiolo.library import Kept, Library, load_kept
from studiolo.library.reading import kept_path, save_kept


KEY = Key("arxiv", "2101.00001")


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


def test_lines_that_are_json_but_not_objects_are_passed_over_and_stay(tmp_path):
    path = kept_path(tmp_path)
    path.parent.mkdir()
    strange = (
        b'1\nnull\n[]\n{"key": 3}\n{"key": "nonsense"}\n{"key": "arxiv:2101.00001", "notes": 7}\n'
    )
    path.write_bytes(strange)
    assert load_kept(tmp_path) == {}
    save_kept(tmp_path, [Kept(KEY, state="read")])
    assert path.read_bytes().endswith(strange)
    assert load_kept(tmp_path)[KEY].state == "read"


def test_nothing_new_writes_nothing(tmp_path):
    save_kept(tmp_path, [Kept(KEY, title="T")])
    before = kept_path(tmp_path).stat()
    save_kept(tmp_path, [Kept(KEY, title="T")])
    assert kept_path(tmp_path).stat().st_ino == before.st_ino


def test_file_that_cannot_be_read_is_a_sentence(tmp_path):
    kept_path(tmp_path).mkdir(parents=True)
    with pytest.raises(FileError, match=r"reading\.jsonl cannot be read: Is a directory"):
        load_kept(tmp_path)


def test_git_merges_lines_that_grow_by_keeping_both_and_asks_about_those_that_are_rewritten(
    tmp_path,
):
    library = Library(tmp_path)
    library.prepare()
    (library.state / ".gitattributes").write_text("*.jsonl merge=union\n")  # as it was before
    library.prepare()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)

    def merged_by(name):
        done = subprocess.run(
            ["git", "check-attr", "merge", f".studiolo/{name}"],
            cwd=tmp_path, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.split()[-1]

    assert {name: merged_by(name) for name in ("history.jsonl", "inbox.jsonl", "reading.jsonl")} == {
        "history.jsonl": "union",
        "inbox.jsonl": "union",
        "reading.jsonl": "set",
    }  # fmt: skip


def test_attributes_that_the_reader_wrote_stay(tmp_path):
    library = Library(tmp_path)
    library.prepare()
    (library.state / ".gitattributes").write_text("* text\n")
    library.prepare()
    assert (library.state / ".gitattributes").read_text() == "* text\n"
