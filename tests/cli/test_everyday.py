"""A day with a library: lists by name, tags, adding, removing, passing over, what was read when."""

import json
import re
import shlex

import pytest

from studiolo.errors import FileError, StudioloError, UsageError
from studiolo.sources import SOURCES
from tests.test_docs import PAGES, blocks
from tests.test_house import COMMANDS

from .commands import run


LIST = (
    "# To Review\n\n## Transformers\n\n* [FNet](https://arxiv.org/abs/2105.03824)\n  * a note\n\n"
    "# Read\n\n## Transformers\n\n* [Performers](https://arxiv.org/abs/2009.14794)\n"
)
BOOKMARKS = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<DT><A HREF="https://arxiv.org/abs/1706.03762" ADD_DATE="1616337559" TAGS="nlp,attention">Attention Is All You Need</A>
<DT><A HREF="https://example.org/a/very/long/address/of/a/page/that/names/a/thing" ADD_DATE="1616337560">A page of many words and then some more of them, so that it is long</A>
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/recent.md").write_text(LIST)
    (tmp_path / "lists/Old things.md").write_text("* [Old](https://arxiv.org/abs/1605.02226)\n")
    (tmp_path / "b.html").write_text(BOOKMARKS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def text(library, name="lists/recent.md"):
    return (library / name).read_text()


def test_list_is_meant_by_its_name_its_beginning_or_nothing(library, monkeypatch):
    for word in ("recent", "RECENT.md", "lists/recent", "rec", "lists/recent.md"):
        assert "FNet" in run("show", word)
    assert "2 entries" in run("show")
    assert "Old" in run("show", "old things")
    monkeypatch.chdir("/")
    assert "FNet" in run("show", "recent", "--library", library)
    assert "FNet" in run("show", "--library", library)
    with pytest.raises(UsageError, match=r"no list 'x' in .* There are: lists/Old things\.md, lists/recent\.md"):  # fmt: skip
        run("show", "x", "--library", library)


def test_name_of_several_lists_is_not_guessed(library):
    (library / "lists/reckless.md").write_text("* x\n")
    with pytest.raises(UsageError, match=r"'rec' may be one of: lists/recent\.md, lists/reckless\.md"):  # fmt: skip
        run("show", "rec")


def test_sentence_that_names_only_some_says_how_many_more(library):
    for number in range(9):
        (library / f"lists/month-{number}.md").write_text(
            f"* [Kernel {number}](https://a.org/{number})\n"
        )
    with pytest.raises(UsageError, match=r"lists/month-6\.md and 3 more\."):
        run("show", "x")
    with pytest.raises(UsageError, match=r"lists/month-7\.md and 1 more\. Give more of its path"):
        run("show", "month")
    with pytest.raises(UsageError, match=r"and 3 more\. Give more of the title"):
        run("read", "Kernel")


@pytest.mark.parametrize("word", ["lists/recent.md", "lists/recent.md/below"])
def test_library_is_not_made_of_a_file(library, word):
    with pytest.raises(UsageError, match=r"^lists/recent\.md is a file.* studiolo init lists$"):
        run("init", word)


def test_export_of_no_list_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"There is no Markdown list in .* studiolo init"):
        run("export", "markdown")
    assert run("export", "json", "--inbox") == "[]\n"


def test_list_by_name_where_a_command_takes_one(library):
    run("collect", "urls", "1706.03762")
    run("add", "arxiv:1706.03762", "--list", "recent", "-s", "Transformers", "--title", "T")
    assert "1706.03762" in text(library)
    assert "1 work" not in run("export", "csv", "--list", "old things")
    assert "Old" in run("export", "csv", "--list", "old things")
    assert "0 errors" in run("check", "recent")
    run("read", "FNet", "--list", "recent")


def test_default_list_and_ignored_files_come_from_the_config(library):
    (library / "README.md").write_text("* [x](https://arxiv.org/abs/1605.00001)\n" * 9)
    (library / "archive/deep").mkdir(parents=True)
    (library / "archive/deep/a.md").write_text("* [y](https://arxiv.org/abs/1605.00002)\n")
    (library / ".studiolo/config.toml").write_text(
        'list = "lists/Old things.md"\nignore = ["README.md", "archive/**"]\n'
    )
    assert "Old" in run("show")
    with pytest.raises(UsageError, match="'README' in"):
        run("show", "README")
    assert "1605.0000" not in run("export", "csv")
    run("add", "arxiv:1706.03762", "--title", "T", "--new-section", "New")
    assert "1706.03762" in text(library, "lists/Old things.md")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ('list = "gone.md"', r"names the list 'gone\.md', which is not there"),
        ('list = "../x.md"', "leads out of the library"),
        ("list = 3", r"list is 3\. Write a path"),
        ('ignore = "x"', r"ignore is 'x'\. Write patterns"),
        ("lst = 1", r"sets 'lst', which does not exist\. There are: list, ignore"),
        ("list =", "is not TOML"),
    ],
)
def test_wrong_config_is_a_sentence(library, config, sentence):
    (library / ".studiolo/config.toml").write_text(config)
    with pytest.raises(FileError, match=sentence):
        run("show")


def test_readme_with_prose_is_not_taken_for_the_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("# Project\n\n* install it\n* use it\n* [docs](https://x.org)\n")  # fmt: skip
    (tmp_path / "papers.md").write_text("# P\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    run("add", "arxiv:1706.03762", "--title", "T")
    assert "1706.03762" in (tmp_path / "papers.md").read_text()


def test_outside_of_a_library_only_the_folders_own_lists_are_checked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other/deep").mkdir(parents=True)
    (tmp_path / "other/deep/x.md").write_text("[broken](nowhere.md)\n")
    with pytest.raises(UsageError, match=r"There is no Markdown list in .* create one with: studiolo init"):  # fmt: skip
        run("check")
    (tmp_path / "a.md").write_text("* x\n")
    assert run("check") == "0 errors, 0 warnings\n"


def test_collecting_says_that_it_made_a_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "There was no library here, so one was made: " in run("collect", "urls", "1706.03762")
    assert "no library here" not in run("collect", "urls", "2105.03824")


def test_tags_go_beside_the_list_where_it_shows_none(library):
    assert "reading.jsonl" in run("tags", "FNet", "+fourier", "+mixing")
    assert text(library) == LIST
    run("tags", "FNet", "-Mixing")
    assert run("tags", "FNet") == "    1  fourier\n1 tag\n"
    assert "1 entry" in run("show", "--tag", "fourier")
    assert "has the tag fourier and mixing" in run("show", "--tag", "fourier", "--tag", "mixing")
    assert "is marked as reading and has the tag fourier. " in run(
        "show", "--tag", "fourier", "--state", "reading"
    )
    assert "is marked as reading. To see what there is: studiolo show " in run(
        "show", "--state", "reading"
    )
    assert json.loads(run("show", "--json"))["entries"][0]["tags"] == ["fourier"]
    assert "FNet" in run("find", "tag:fourier")
    assert "Taken back: tags -Mixing".casefold() in run("undo").casefold()
    assert "2 tags" in run("tags", "FNet")
    with pytest.raises(UsageError, match=r"'x' is not a tag of FNet\. It has: fourier, mixing"):
        run("tags", "FNet", "-x")
    assert "has these tags already" in run("tags", "FNet", "+FOURIER")


def test_tags_go_into_the_list_where_it_shows_them(library):
    path = library / "lists/recent.md"
    path.write_text(LIST.replace("00002)", "").replace("2105.03824)", "2105.03824) #nlp"))
    before = path.read_text()
    run("tags", "Performers", "+kernels", "--list", "recent")
    assert "2009.14794) #kernels\n" in path.read_text()
    run("undo")
    assert path.read_text() == before
    assert "    1  nlp" in run("tags")


def test_tags_of_a_list_go_into_its_comment(library):
    run("tags", "recent", "+reading-group")
    assert text(library).endswith("\n<!-- TAGS\nreading-group\n-->\n")
    assert "reading-group  of lists/recent.md" in run("tags")
    run("undo")
    assert text(library) == LIST


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["+nlp"], "Say whose tags"),
        (["FNet", "+"], "A tag is empty"),
        (["FNet", "--nlp"], "There is no option --nlp"),
    ],
)
def test_wrong_words_about_tags_are_a_sentence(library, words, sentence):
    with pytest.raises(UsageError, match=sentence):
        run("tags", *words)


def test_removed_entry_comes_back_byte_for_byte(library):
    said = run("remove", "FNet", "--dry-run")
    assert "  -* [FNet]" in said
    assert text(library) == LIST
    said = run("remove", "FNet")
    assert "Removed FNet, with 1 note from lists/recent.md. Take it back: studiolo undo" in said
    assert "inbox" not in said
    assert "FNet" not in text(library)
    assert "Taken back: removed FNet" in run("undo")
    assert text(library) == LIST


def test_removed_entry_that_was_collected_waits_again(library):
    run("collect", "urls", "2105.03824")
    assert "studiolo pass arxiv:2105.03824" in run("remove", "FNet")
    assert "2105.03824" in run("inbox")


def test_several_are_added_and_each_is_taken_back(library):
    run("collect", "bookmarks", "b.html")
    run("collect", "urls", "Denoising Diffusion Probabilistic Models https://arxiv.org/abs/2006.11239")  # fmt: skip
    run("add", "arxiv:1706.03762", "arxiv:2006.11239", "--new-section", "Diffusion", "--offline")
    after = text(library)
    assert after.index("# To Review") < after.index("## Diffusion") < after.index("# Read\n")
    assert after.count("## Diffusion") == 1
    assert after.index("1706.03762") < after.index("2006.11239") < after.index("# Read\n")
    run("undo")
    run("undo")
    assert text(library) == LIST


def test_nothing_is_added_where_one_of_several_cannot_be(library):
    with pytest.raises(StudioloError, match=r"already on the list: lists/recent\.md:5"):
        run("add", "arxiv:1706.03762", "arxiv:2105.03824", "--offline")
    with pytest.raises(UsageError, match="Add the papers one by one"):
        run("add", "arxiv:1706.03762", "arxiv:2006.11239", "--title", "T")
    with pytest.raises(UsageError, match="Give one of them"):
        run("add", "arxiv:1706.03762", "-s", "Transformers", "--new-section", "B")
    assert text(library) == LIST


def test_section_of_what_is_to_be_read_is_meant_after_the_first_read(library):
    run("add", "arxiv:1706.03762", "--section", "Transformers", "--title", "T")
    after = text(library)
    assert after.index("1706.03762") < after.index("# Read\n")
    run("move", "Performers", "Transformers")
    assert text(library) == after
    assert "Read > Transformers" not in run("move", "FNet", "Transformers")


def test_passed_over_things_come_back_together(library):
    run("collect", "bookmarks", "b.html")
    name = json.loads(run("inbox", "--all", "--json"))[0]["name"]
    said = run("pass", "arxiv:1706.03762", name)
    assert said.count("Passed over: ") == 2
    assert "0 papers waiting, and 0 other pages" in run("inbox", "--all") or "empty" in run("inbox")
    assert "was passed over before" in run("pass", "1706.03762")
    with pytest.raises(UsageError, match=r"'arxiv:2105\.00001' is not in the inbox"):
        run("pass", "arxiv:2105.00001")
    run("undo")
    assert "1 paper waiting, and 1 other page" in run("inbox")


def test_inbox_has_whole_lines_with_dates_in_a_pipe(library, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    run("collect", "bookmarks", "b.html")
    first, second, *_ = run("inbox", "--all").splitlines()
    assert re.fullmatch(r"url:\S{50,}  2021-03-21  A page of many words .* it is long", first)
    assert re.fullmatch(r"arxiv:1706\.03762 +2021-03-21  Attention Is All You Need", second)
    assert "1 paper waiting" in run("inbox", "--tag", "NLP")
    assert "0 papers waiting" in run("inbox", "--tag", "nlp", "--tag", "x")
    assert "Attention" in run("export", "csv", "--inbox", "--tag", "nlp")
    with pytest.raises(UsageError, match="Nothing has the tag 'x'"):
        run("export", "csv", "--inbox", "--tag", "x")


def test_inbox_in_a_terminal_keeps_dates_and_cuts_titles(library, monkeypatch):
    from studiolo.cli import inbox

    class Terminal:
        columns = 60

    monkeypatch.setattr(inbox.shutil, "get_terminal_size", Terminal)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert inbox._cut("a title of some words", "  where", 60) == ("a title of some words", "  where")  # fmt: skip
    assert inbox._cut("a title of some words", "  where", 12) == ("a title of…", "")
    assert inbox._cut("标题标题标题", "", 7) == ("标题标…", "")


def test_wrong_limit_and_unknown_source_are_refused(library):
    run("collect", "bookmarks", "b.html")
    run("inbox", "--limit", "-1", code=2)
    for command in ("inbox", "triage"):
        with pytest.raises(UsageError, match=r"is from 'gitub'\. There is: bookmarks"):
            run(command, "--source", "gitub")


def test_log_says_what_was_read_when(library):
    run("read", "FNet")
    run("read", "Old", "--started")
    said = run("log", "--since", "month")
    assert re.search(r"^\d{4}-\d\d-\d\d  ✓ FNet  arxiv:2105\.03824$", said, re.MULTILINE)
    assert re.search(r"◐ Old  arxiv:1605\.02226$", said, re.MULTILINE)
    assert re.search(r"^1 read, 1 started since \d{4}-\d\d-01\.$", said, re.MULTILINE)
    assert "1 more entry is marked as read on your lists, on a day that is not known." in run("log")
    run("unread", "FNet")
    [row] = json.loads(run("log", "--json"))
    assert (row["key"], row["state"], row["place"]) == ("arxiv:1605.02226", "reading", "lists/Old things.md:1")  # fmt: skip
    assert run("log", "--since", "2999") == "0 read, 0 started since 2999-01-01.\n"
    with pytest.raises(UsageError, match="'soon' is not a date"):
        run("log", "--since", "soon")


def test_log_knows_what_was_read_before_there_was_a_history(library):
    (library / ".studiolo/reading.jsonl").write_text(
        '{"key": "arxiv:1706.03762", "state": "read", "since": "2020-05-01", "title": "Attention"}\n'
    )
    assert "2020-05-01  ✓ Attention  arxiv:1706.03762" in run("log")


def test_reading_twice_is_logged_twice_and_undone_reading_is_not(library):
    run("tags", "FNet", "+x")
    run("read", "FNet", "--started")
    run("read", "FNet")
    assert [row["state"] for row in json.loads(run("log", "--json"))] in (
        ["read", "reading"],
        ["reading", "read"],
    )
    run("undo")
    assert [row["state"] for row in json.loads(run("log", "--json"))] == ["reading"]


def test_address_is_printed_for_a_number_a_name_and_a_key(library):
    run("find", "fnet")
    for word in ("1", "FNet", "arxiv:2105.03824"):
        assert run("open", word, "--print") == "https://arxiv.org/abs/2105.03824\n"


WITHOUT_LIBRARY = {
    "init": "its argument is the library",
    "serve": "its argument is the library",
    "doctor": "about the machine",
    "audit": "about files of predictions",
    "check-papers": "about paper folders",
    "fetch-data": "about data for every library",
}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_takes_the_library(name):
    names = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert ("--library" in names) != (name in WITHOUT_LIBRARY)


def examples():
    """Yield every command that the README, the docs, the help and the sources show."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            yield from ((page.name, line) for line in block.splitlines())
    for name, command in COMMANDS.items():
        yield from ((name, line.strip()) for line in (command.help or "").splitlines())
    for name, source in SOURCES.items():
        yield from ((name, line) for line in source.examples)


def test_every_example_can_be_pasted_into_zsh():
    """zsh takes ?, *, [ and so on for patterns, and refuses a command where no file matches."""
    wrong = []
    for where, line in examples():
        command = re.sub(r"^(Example:\s+)?", "", line.strip())
        if not command.startswith("studiolo "):
            continue
        lexer = shlex.shlex(command, posix=False, punctuation_chars="|<>;")
        lexer.commenters, lexer.whitespace_split = "#", True
        for word in lexer:
            if word.startswith("~/"):
                continue  # a pattern that is meant as one
            if re.search(r"""[?*\[\]^(){}]|^[=~](?!/)""", re.sub(r"""(["']).*?\1""", "", word)):
                wrong.append(f"{where}: {word} in {command}")
    assert wrong == []


def test_help_fills_the_width_of_the_terminal():
    """A line of help that was broken in the source would be broken twice in a narrow terminal."""
    for name, command in COMMANDS.items():
        for paragraph in (command.help or "").split("\n\n"):
            assert paragraph.startswith("\b") or "\n " in paragraph or "\n" not in paragraph, name


def test_what_can_be_added_of_several_is_added_and_the_rest_is_named(library):
    (library / "b.html").write_text(
        "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n"
        '<DT><A HREF="https://github.com/maps/maps">PyTorch</A>\n'
        '<DT><A HREF="https://arxiv.org/abs/2101.00001">Sparse Maps of Things</A>\n'
    )
    run("collect", "bookmarks", "b.html")
    keys = ("github:maps/maps", "arxiv:2101.00001")
    with pytest.raises(StudioloError, match=r"Added: 1 of 2. Not github:maps/maps: .*'PyTorch'"):
        run("add", *keys, "--section", "To Review > Transformers", "--offline")
    assert "Sparse Maps of Things" in text(library)
    assert "PyTorch" not in text(library)
