"""export and cite-key, as they are typed."""

import json

import pytest
from bibtexparser.entrypoint import parse_string
from typer.testing import CliRunner

from studiolo.cli.app import app
from studiolo.cli.start import EXAMPLE
from studiolo.errors import StudioloError, UsageError


LIST = """# Reading list

## To Review

* ["Learning to wait" - 2021 - Ann Poe](https://arxiv.org/abs/2106.00005)
  * my boss must not read this; better than https://doi.org/10.1000/other
* A thought without a link
* [A post](https://blog.example.org/post)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_text(LIST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def studiolo(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, StudioloError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def entries(text):
    return {
        entry.key: {field.key: field.value for field in entry.fields}
        for entry in parse_string(text).entries
    }


def test_entries_with_an_address_are_exported_and_prose_is_not(here):
    found = entries(studiolo("export", "bibtex"))
    assert [fields["title"] for fields in found.values()] == ["Learning to wait", "A post"]
    assert "doi" not in found["poe2021learning"]


def test_readme_and_topics_are_no_lists_and_nothing_is_added_to_them(here):
    (here / "README.md").write_text("# Tool\n\n## Use\n\n* install it\n* [docs](https://x.org/docs)\n* [paper](https://arxiv.org/abs/2001.00001)\n")  # fmt: skip
    (here / "topics").mkdir()
    (here / "topics/a.md").write_text("# A\n\n* [Other](https://arxiv.org/abs/2001.00003)\n")
    assert len(json.loads(studiolo("export", "json"))) == 2
    assert len(json.loads(studiolo("export", "json", "--list", "README.md"))) == 2
    (here / "list.md").unlink()
    (here / "README.md").write_text("# Tool\n\n## Use\n\n* install it\n* [docs](https://x.org/)\n")
    with pytest.raises(UsageError, match="There is no list in"):
        studiolo("add", "arxiv:2001.00009", "--title", "T", "--offline")


def test_readme_that_is_the_reading_list_is_one(here):
    (here / "list.md").rename(here / "README.md")
    assert len(json.loads(studiolo("export", "json"))) == 2


def test_bundled_library_exports_its_entries(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    studiolo("init", ".")
    (tmp_path / "README.md").write_text("# About\n\n* [site](https://x.org/)\n* words\n")
    keyed = [
        one for one in json.loads(studiolo("show", *sorted((EXAMPLE / "lists").glob("*.md")), "--json"))["entries"]
        if one["keys"]
    ]  # fmt: skip
    assert len(json.loads(studiolo("export", "json"))) == len(keyed)


def test_keys_stay_when_a_paper_is_added(here):
    before = entries(studiolo("export", "bibtex"))
    studiolo("add", "arxiv:2001.00002", "--title", "Learning to wait longer", "--offline", "-s", "To Review")  # fmt: skip
    after = entries(studiolo("export", "bibtex"))
    assert {key: after[key]["url"] for key in before} == {
        key: fields["url"] for key, fields in before.items()
    }
    assert len(after) == 3


def test_first_export_in_a_folder_says_that_it_keeps_the_keys(here):
    (here / ".studiolo").rmdir()
    result = CliRunner().invoke(app, ["export", "bibtex"])
    assert "The cite keys are kept from now on" in result.stderr
    assert (here / ".studiolo/cite-keys.jsonl").exists()
    assert CliRunner().invoke(app, ["export", "bibtex"]).stderr == ""


def test_folder_that_cannot_be_written_still_exports(here, monkeypatch):
    from studiolo.errors import FileError
    from studiolo.library import cite_keys

    def refuse(*_):
        raise FileError("cite-keys.jsonl cannot be written: Read-only file system.")

    monkeypatch.setattr(cite_keys, "update_bytes", refuse)
    result = CliRunner().invoke(app, ["export", "bibtex"])
    assert "poe2021learning" in result.stdout
    assert "Read-only file system. New cite keys are not kept." in result.stderr


@pytest.mark.parametrize("form", ["bibtex", "csl", "ris", "html", "json", "csv"])
def test_notes_are_private_unless_they_are_asked_for(here, form):
    assert "my boss" not in studiolo("export", form)
    assert "my boss" in studiolo("export", form, "--notes")


def test_cite_key_is_chosen_shown_and_refused_where_it_is_in_use(here):
    with pytest.raises(UsageError, match=r"arxiv:2106\.00005 has no cite key yet"):
        studiolo("cite-key", "2106.00005")
    assert "arxiv:2106.00005 is called poe in every export" in studiolo(
        "cite-key", "learning to wait", "poe"
    )
    assert studiolo("cite-key", "arxiv:2106.00005") == "poe\n"
    assert "poe" in entries(studiolo("export", "bibtex"))
    assert json.loads(studiolo("export", "csl"))[0]["id"] == "poe"
    with pytest.raises(UsageError, match="'POE' is the cite key of"):
        studiolo("cite-key", "https://blog.example.org/post", "POE")
    with pytest.raises(UsageError, match="'A thought without a link' has no link"):
        studiolo("cite-key", "A thought without a link", "x")


def test_list_elsewhere_keeps_its_own_cite_keys(here, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "theirs.md").write_text(LIST)
    studiolo("export", "bibtex", "--list", other / "theirs.md")
    assert (other / ".studiolo/cite-keys.jsonl").exists()
    assert not (here / ".studiolo/cite-keys.jsonl").exists()


def test_nothing_is_read_below_a_folder_that_is_no_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src/deep").mkdir(parents=True)
    (tmp_path / "src/deep/notes.md").write_text("* [x](broken\n")
    for command in ("check", "show"):
        with pytest.raises(UsageError, match="There is no Markdown list in"):
            studiolo(command)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/mine.md").write_text(LIST)
    assert "src/deep" not in studiolo("check")
