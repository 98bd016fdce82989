"""Tags are compared by what they mean, whichever command is asked and however they are typed."""

import pytest
import typer

from studiolo.cli.app import app
from tests.cli.commands import run


SYNONYMS = 'NLP = "natural-language-processing"\n"text mining" = "nlp"\nwip = ""\n'
TYPED = ("nlp", "#NLP", "natural language_processing", "Text-Mining")
ASKS = {  # how each command with --tag is asked for what is tagged so, and what it is not to say
    "show": (("--json",), "2101.00002"),
    "export": (("json",), "2101.00002"),
    "inbox": (("--json",), "2101.00004"),
    "triage": ((), "2101.00004"),
    "suggest": ((), "2101.00006"),
}


@pytest.fixture
def tagged(library, monkeypatch):
    monkeypatch.chdir(library)
    (library / "list.md").write_text(
        "# Reading\n\n* [Tagging B](https://arxiv.org/abs/2101.00001) #nlp #wip\n* [Carving C](https://arxiv.org/abs/2101.00002) #vision\n"
    )
    (library / ".studiolo/tags.toml").write_text(SYNONYMS)
    page = '<DT><A HREF="https://arxiv.org/abs/{}" TAGS="{}">{}</A>\n'
    saved = library / "saved.html"
    saved.write_text(
        "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>\n"
        + page.format("2101.00003", "text-mining,wip", "Tagging B")
        + page.format("2101.00004", "vision", "Carving C")
        + "</DL>\n"
    )
    run("collect", "bookmarks", saved)
    return library


def commands_with(option):
    group = typer.main.get_command(app)
    return {
        name
        for name, command in group.commands.items()
        if any(option in one.opts for one in command.params)
    }


def test_every_command_with_tag_is_asked_here():
    assert commands_with("--tag") == set(ASKS)


@pytest.mark.parametrize("command", ASKS)
def test_tag_means_what_the_vocabulary_says_in_every_command(tagged, command):
    words, unwanted = ASKS[command]
    if command == "suggest":
        pool = tagged / "pool.bib"
        pool.write_text(
            "@article{a, title={Tagging words}, eprint={2101.00005}, archiveprefix={arXiv}}\n"
            "@article{b, title={Carving wood}, eprint={2101.00006}, archiveprefix={arXiv}}\n"
        )
        run("fetch-pool", pool)
    for typed in (*TYPED, *(["wip"] if command != "suggest" else [])):
        said = run(command, *words, "--tag", typed, typed="q")
        assert "Tagging" in said, (command, typed)
        assert unwanted not in said, (command, typed)


def test_find_has_all_that_mean_the_same(tagged):
    for typed in ("nlp", "text-mining", "natural-language-processing", "wip"):
        assert "2101.00001" in run("find", f"tag:{typed}"), typed
    assert "2101.00001" not in run("find", "Tagging", "-tag:text_mining")


def test_words_of_the_inbox_find_what_a_tag_means(tagged):
    assert "2101.00003" in run("inbox", "natural-language")


def test_what_a_tag_means_is_exported_and_a_hidden_tag_is_not(tagged):
    text = run("export", "csv")
    assert "natural-language-processing" in text
    assert "wip" not in text


def test_entry_that_has_a_synonym_has_the_tag(tagged):
    before = (tagged / "list.md").read_bytes()
    assert run("tags", "Tagging B", "+natural-language-processing").endswith(
        "has these tags already.\n"
    )
    assert (tagged / "list.md").read_bytes() == before
    run("tags", "Tagging B", "-text-mining")
    assert b"#nlp" not in (tagged / "list.md").read_bytes()
    run("undo")
    assert (tagged / "list.md").read_bytes() == before


def test_list_that_has_a_synonym_has_the_tag(tagged):
    page = tagged / "list.md"
    page.write_text("<!-- TAGS\nText mining\n-->\n" + page.read_text())
    assert run("tags", "list.md", "+nlp").endswith("has these tags already.\n")
    run("tags", "list.md", "-natural_language_processing")
    assert "Text mining" not in page.read_text()


def test_heading_that_says_what_a_tag_means_is_proposed(tagged):
    page = tagged / "list.md"
    page.write_text(page.read_text() + "\n# Natural language processing\n")
    assert "you saved it with the tag “text-mining”" in run("triage", "--tag", "nlp", typed="q")


def test_merge_renames_every_spelling(library, monkeypatch):
    monkeypatch.chdir(library)
    page = library / "list.md"
    page.write_text("* [A](https://arxiv.org/abs/2101.00001) #Linear_models #x\n")
    run("tags", "--merge", "linear-models", "linear")
    assert page.read_text() == "* [A](https://arxiv.org/abs/2101.00001) #linear #x\n"


def test_topic_gathers_entries_by_what_their_tags_mean(tagged):
    (tagged / "topics").mkdir()
    run("topic", "natural language processing")
    text = (tagged / "topics/natural-language-processing.md").read_text()
    assert "Tagging B" in text
    assert "Carving C" not in text


def test_tag_of_a_paragraph_is_kept_beside_the_list(library, monkeypatch):
    monkeypatch.chdir(library)
    text = "# Reading\n\n[Sparse Maps](https://arxiv.org/abs/2101.00009), ICLR 2020\n\n[Dense Maps](https://arxiv.org/abs/2101.00010), ICLR 2021\n"
    (library / "list.md").write_text(text)
    result = run("tags", "arxiv:2101.00009", "+maps")
    assert ".studiolo" in result
    assert (library / "list.md").read_text() == text
    assert "Sparse Maps" in run("show", "list.md", "--tag", "maps")
