"""The commands by which a library tends itself."""

import json
import re

import pytest

from studiolo.claims import load_paper
from studiolo.errors import FileError, UsageError
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


def test_tags_are_one_vocabulary_with_synonyms(library):
    (library / "list.md").write_text(
        "* [A](https://arxiv.org/abs/2101.00001) #NLP #deep_learning\n"
    )
    (library / "other.md").write_text("---\ntags: [Deep Learning, language]\n---\n# B\n")
    (library / ".studiolo/tags.toml").write_text('nlp = "language"\n')
    assert run("tags") == (
        "    1  language  of note.md, other.md\n    1  Deep Learning  of other.md\n2 tags\n"
    )
    assert "1 entry," in run("show", "list.md", "--tag", "language")
    assert "1 entry," in run("show", "list.md", "--tag", "nlp")
    assert "arxiv" in run("export", "bibtex", "--list", "list.md", "--tag", "deep learning")


def test_merged_tag_is_written_everywhere_and_remembered_and_undo_takes_it_back(library):
    (library / "list.md").write_text("* [A](https://arxiv.org/abs/2101.00001) #NLP\n")
    (library / "plain.md").write_text("* [B](https://arxiv.org/abs/2101.00002)\n")
    run("tags", "B", "+nlp", "--list", "plain.md")
    before = {path.name: path.read_bytes() for path in library.glob("*.md")}
    kept = (library / ".studiolo/reading.jsonl").read_text()
    said = run("tags", "--merge", "nlp", "language")
    assert "  -labels: nlp" in said
    assert "  +labels: language" in said
    assert said.endswith("nlp is language now, on 2 pages. Take it back: studiolo undo\n")
    assert (library / "list.md").read_text().endswith(" #language\n")
    assert (library / ".studiolo/reading.jsonl").read_text() == kept.replace('"nlp"', '"language"')
    assert (library / ".studiolo/tags.toml").read_text() == 'nlp = "language"\n'
    assert run("tags", "--merge", "nlp", "language") == "Nothing has the tag 'nlp'.\n"
    run("undo")
    assert {path.name: path.read_bytes() for path in library.glob("*.md")} == before
    assert (library / ".studiolo/reading.jsonl").read_text() == kept
    assert not (library / ".studiolo/tags.toml").exists()


def test_synonyms_in_a_circle_are_said(library):
    (library / ".studiolo/tags.toml").write_text('a = "b"\nb = "a"\n')
    with pytest.raises(FileError, match="a = b = a goes round in a circle"):
        run("tags")
    (library / ".studiolo/tags.toml").write_text("a = 1\n")
    with pytest.raises(FileError, match="a is 1. Write a tag"):
        run("tags")


def test_merging_back_is_not_a_circle(library):
    run("tags", "--merge", "nlp", "language")
    run("tags", "--merge", "language", "nlp")
    assert "    0  nlp  of note.md\n" in run("tags")


def test_page_without_tags_gets_suggestions_from_the_reader_s_own_and_nothing_is_written(library):
    texts = {
        "one.md": "labels: attention\n\nAttention heads attend to keys and queries of a transformer.",
        "two.md": "labels: attention\n\nSparse attention lets heads attend to fewer keys.",
        "three.md": "labels: cooking\n\nBread dough rises with yeast in a warm kitchen.",
        "four.md": "labels: cooking\n\nSourdough bread wants a hot oven and a slow yeast.",
        "new.md": "Do attention heads share their keys?",
    }
    for name, text in texts.items():
        (library / name).write_text(f"# {name.removesuffix('.md')}\n\n{text}\n")
    said = run("tags", "--suggest")
    assert "  attention: because of attention, heads, keys\n" in said
    assert "cooking" not in said
    assert said.endswith("Nothing was written. To take one: studiolo tags new.md +attention\n")
    [found] = json.loads(run("tags", "--suggest", "--json"))
    assert (found["page"], found["tags"][0]["tag"]) == ("new.md", "attention")
    assert json.loads(run("tags", "one.md", "--suggest", "--json"))[0]["page"] == "one.md"
    run("tags", "new.md", "+attention")
    assert run("tags", "--suggest").startswith("0 pages without tags")
