"""The commands by which a library tends itself."""

import re

import pytest

from studiolo.claims import load_paper
from studiolo.errors import UsageError
from studiolo.runs import paper_folders
from studiolo.runs.evidence import results_folder

from .commands import run


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "note.md").write_text("# A note\n\nlabels: nlp\n\nWords.\n")
    (tmp_path / "README.md").write_text("# Mine\n")
    return tmp_path


def test_contents_shows_what_it_would_write_and_writes_only_when_told(library):
    said = run("contents")
    assert "README.md: without marks, so left as they are" in said
    assert "new: tags/nlp.md (9 lines)" in said
    assert "Nothing was written. To write 1 page: studiolo contents --write" in said
    assert not (library / "tags").exists()
    said = run("contents", "--write", "--yes")
    assert "  +<!-- studiolo:contents sort=changed -->" in said
    assert "2 pages written. Take it back: studiolo undo" in said
    assert run("contents", "--write") == "The contents are up to date.\n"
    assert run("contents", "--check") == "The contents are up to date.\n"
    run("undo")
    assert (library / "README.md").read_text() == "# Mine\n"


def test_check_fails_where_something_is_not_up_to_date(library):
    said = run("contents", "--check", code=1)
    assert said.endswith("To write them: studiolo contents --write --yes\n")
    run("contents", "--write", "--yes")
    (library / "other.md").write_text("# Another\n")
    before = (library / "README.md").read_bytes()
    said = run("contents", "--check", code=1)
    assert said == "README.md is not up to date.\nTo write them: studiolo contents --write\n"
    assert (library / "README.md").read_bytes() == before
    with pytest.raises(UsageError, match="Give one of them"):
        run("contents", "--check", "--write")


def test_contents_say_how_many_claims_hold_whichever_machine_measured_them(library, monkeypatch):
    """The committed records of another machine, laid into a library, count as they do in the table of README.md."""
    run("init", "own")
    monkeypatch.chdir(library / "own")
    [paper] = [load_paper(folder) for folder in paper_folders() if folder.name == "double_descent"]
    for path in (paper.folder / "results").glob("*.json*"):
        place = results_folder(library / "own", paper) / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    run("contents", "--write", "--yes")
    text = (library / "own/README.md").read_text()
    assert "| Claims that hold |" in text
    assert re.search(r"recent-ml-research\.md\) \| 8 \|.*\| 10 of 10 \|", text)
    assert run("contents", "--check") == "The contents are up to date.\n"
