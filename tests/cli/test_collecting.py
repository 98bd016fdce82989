"""The reader's first session, and every command of collecting, through the command line."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from studiolo.cli.app import app
from studiolo.cli.collecting import collect
from studiolo.errors import SourceError, StudioloError, UsageError
from studiolo.sources import SOURCES
from tests.metadata.feeds import entry, feed
from tests.net.server import Said, Server


LIST = "# Reading\n\n# To Review\n\n## Transformers\n\n* [Rethinking Attention](https://arxiv.org/abs/2009.14794) - 2020\n\n## Causal Inference\n"
BOOKMARKS = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<DL><p>
<DT><H3>Causal inference</H3><DL><p>
<DT><A HREF="https://arxiv.org/abs/1907.02893v3" ADD_DATE="1616337559">[1907.02893] Invariant Risk Minimization</A>
<DD>from the reading group
</DL><p>
<DT><A HREF="https://arxiv.org/pdf/2105.03824.pdf" ADD_DATE="1616337560">FNet: Mixing Tokens</A>
<DT><A HREF="https://cooking.org/pasta">Pasta</A>
<DT><A HREF="javascript:alert(1)">Bookmarklet</A>
</DL><p>
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a list and an export, which is the current one."""
    (tmp_path / "list.md").write_text(LIST)
    (tmp_path / "bookmarks.html").write_text(BOOKMARKS)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_TOKEN", "STUDIOLO_CONTACT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    server = Server()
    for name in ("ARXIV", "SEMANTIC_SCHOLAR", "OPENALEX", "CROSSREF", "DATACITE", "GITHUB"):
        monkeypatch.setenv(f"STUDIOLO_API_{name}", f"{server.url}/{name.lower()}")
    monkeypatch.setenv("STUDIOLO_GITHUB_API", server.url)
    yield server
    server.close()


def studiolo(*words, typed=""):
    """Run a command and return what it printed; what Studiolo raises on purpose is raised here too."""
    result = CliRunner().invoke(
        app, [str(word) for word in words], input=typed, catch_exceptions=True
    )
    if isinstance(result.exception, StudioloError) or (
        result.exception and not isinstance(result.exception, SystemExit)
    ):
        raise result.exception
    return result.output


def test_first_session_from_bookmarks_to_the_list_and_back(here):
    said = studiolo("collect", "bookmarks", "bookmarks.html")
    assert "read 4 = new 3 + known 0 + skipped 1" in said
    assert "in 1 folder\n" in said
    assert "skipped bookmarks.html:9: a bookmarklet (javascript:), not a page: Bookmarklet" in said
    assert "Next: studiolo inbox" in said

    said = studiolo("inbox")
    assert said.index("arxiv:2105.03824") < said.index("arxiv:1907.02893")
    assert "2 papers waiting, and 1 other page (--all)." in said

    said = studiolo("triage", typed="n\ny\n")
    assert "To Review > Causal Inference: you saved it with the folder “Causal inference”" in said
    assert "  +* [Invariant Risk Minimization](https://arxiv.org/abs/1907.02893) - 2019" in said
    assert "Written 1, passed over 0" in said
    text = (here / "list.md").read_text()
    assert (
        "* [Invariant Risk Minimization](https://arxiv.org/abs/1907.02893) - 2019\n  * from the reading group\n"
        in text
    )

    assert "Taken back: added 'Invariant Risk Minimization'" in studiolo("undo")
    assert (here / "list.md").read_text() == LIST


def test_same_export_twice_adds_nothing(here):
    studiolo("collect", "bookmarks", "bookmarks.html")
    before = (here / ".studiolo/inbox.jsonl").read_bytes()
    assert "read 4 = new 0 + known 3 + skipped 1" in studiolo(
        "collect", "bookmarks", "bookmarks.html"
    )
    assert (here / ".studiolo/inbox.jsonl").read_bytes() == before


def test_dry_run_writes_nothing(here):
    said = studiolo("collect", "bookmarks", "bookmarks.html", "--dry-run")
    assert "new 3" in said
    assert "Nothing was written" in said
    assert not (here / ".studiolo").exists()


def test_library_is_found_from_a_folder_inside_it(here, monkeypatch):
    studiolo("collect", "bookmarks", "bookmarks.html")
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert "2 papers waiting" in studiolo("inbox")


def test_library_can_be_named(here, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    studiolo("collect", "bookmarks", "bookmarks.html", "--library", other)
    assert (other / ".studiolo/inbox.jsonl").exists()
    assert not (here / ".studiolo").exists()
    with pytest.raises(UsageError, match="There is no folder"):
        studiolo("inbox", "--library", "nowhere")


def test_triage_without_a_list_offers_to_make_one(here):
    (here / "list.md").unlink()
    studiolo("collect", "bookmarks", "bookmarks.html")
    with pytest.raises(UsageError, match="Triage needs a list"):
        studiolo("triage", typed="n\n")
    said = studiolo("triage", typed="y\ny\nq\n")
    assert "Create reading-list.md with a section" in said
    assert "https://arxiv.org/abs/2105.03824" in (here / "reading-list.md").read_text()


def test_triage_takes_another_section_passes_over_and_goes_back(here):
    studiolo("collect", "bookmarks", "bookmarks.html")
    said = studiolo("triage", typed="?\ns\n2\ny\nu\np\nu\nq\n")
    assert "write it as shown" in said
    assert "To Review > Causal Inference: your choice" in said
    assert "taken back: added 'FNet: Mixing Tokens'" in said
    assert "taken back: passed over 'FNet: Mixing Tokens'" in said
    assert "Written 0, passed over 0" in said
    assert (here / "list.md").read_text() == LIST


def test_code_of_a_listed_paper_goes_below_it_or_into_the_section_that_is_chosen(here):
    studiolo(
        "collect", "urls", "https://github.com/a/b is code of https://arxiv.org/abs/2009.14794"
    )
    said = studiolo("triage", typed="y\n")
    assert "→ below “" in said
    assert "list.md:7: its paper is there" in said
    assert "  * https://github.com/a/b\n" in (here / "list.md").read_text()
    studiolo("undo")
    said = studiolo("triage", typed="s\n2\ny\n")
    assert "To Review > Causal Inference: your choice" in said
    assert (here / "list.md").read_text().startswith(LIST)
    assert (here / "list.md").read_text() != LIST


def test_list_of_another_library_is_taken_back_there(here, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "list.md"
    other.write_text(LIST)
    said = studiolo(
        "add", "arxiv:1706.03762", "--title", "T", "--section", "Transformers", "--list", other, "--offline"
    )  # fmt: skip
    assert f"Take it back: studiolo undo --library {other.parent}" in said
    with pytest.raises(UsageError, match="nothing to undo"):
        studiolo("undo")
    studiolo("undo", "--library", other.parent)
    assert other.read_text() == LIST


def test_triage_ends_when_the_input_ends(here):
    studiolo("collect", "bookmarks", "bookmarks.html")
    assert "Written 0, passed over 0" in studiolo("triage", typed="")


def test_add_writes_below_the_named_section(here):
    studiolo("collect", "bookmarks", "bookmarks.html")
    said = studiolo("add", "arxiv:1907.02893", "--section", "Transformers", "--offline")
    assert "+* [Invariant Risk Minimization](https://arxiv.org/abs/1907.02893) - 2019" in said
    assert "Written to list.md. Take it back: studiolo undo" in said
    with pytest.raises(UsageError, match=r"arxiv:1907\.02893 is already on the list: list\.md:8"):
        studiolo("add", "https://arxiv.org/abs/1907.02893v3", "--section", "Transformers")


def test_add_names_the_sections_there_are(here):
    with pytest.raises(UsageError, match="has no section 'Nowhere'"):
        studiolo("add", "arxiv:1907.02893", "--title", "T", "--section", "Nowhere")


def test_add_asks_arxiv_for_the_title_and_keeps_it(here, server):
    server.say("/arxiv", Said(feed(entry())))
    said = studiolo("add", "arxiv:2105.03824", "--section", "Transformers", "--dry-run")
    assert (
        "+* [FNet: Mixing Tokens with Fourier Transforms](https://arxiv.org/abs/2105.03824) - 2021"
        in said
    )
    assert (here / "list.md").read_text() == LIST
    studiolo("add", "arxiv:2105.03824", "--section", "Transformers", "--offline")
    assert "FNet: Mixing Tokens with Fourier Transforms" in (here / "list.md").read_text()
    assert len(server.asked) == 1


def test_title_that_no_service_knows_is_the_one_it_was_saved_with_or_is_asked_for(here, server):
    for _ in range(2):
        server.say("/arxiv", Said(feed()))
    with pytest.raises(UsageError, match=r"No title is known for arxiv:2105\.03824"):
        studiolo("add", "arxiv:2105.03824", "--section", "Transformers")
    assert (here / "list.md").read_text() == LIST
    studiolo("collect", "bookmarks", "bookmarks.html")
    said = studiolo("add", "arxiv:1907.02893", "--section", "Transformers")
    assert "+* [Invariant Risk Minimization](https://arxiv.org/abs/1907.02893) - 2019" in said
    assert any("/arxiv" in str(asked) for asked in server.asked)


def test_add_without_any_title_says_how_to_give_one(here):
    with pytest.raises(
        UsageError, match=r"No title is known for arxiv:2105\.03824\. Give one with --title"
    ):
        studiolo("add", "arxiv:2105.03824", "--section", "Transformers", "--offline")


def test_pass_over_and_not_same_are_remembered(here):
    studiolo(
        "collect", "urls", "https://github.com/a/b is code of https://arxiv.org/abs/2105.03824"
    )
    studiolo("same", "github:a/b", "arxiv:2105.03824")
    assert "github:a/b is about arxiv:2105.03824: the reader says so (reader)" in studiolo(
        "why", "github:a/b", "arxiv:2105.03824"
    )
    studiolo("not-same", "github:a/b", "arxiv:2105.03824")
    assert "are not the same: you said so" in studiolo("why", "arxiv:2105.03824", "github:a/b")


def test_why_prints_evidence_and_place(here):
    (here / "list.md").write_text(
        "* [FNet](https://arxiv.org/abs/2105.03824)\n  * https://github.com/a/b\n"
    )
    assert studiolo("why", "github:a/b", "arxiv:2105.03824").strip() == (
        "github:a/b is about arxiv:2105.03824: they stand in one entry of the list (list, list.md:1)"
    )
    assert "Nothing relates" in studiolo("why", "github:a/b", "arxiv:1907.02893")


def test_stars_are_collected_and_then_only_the_new_ones_are_asked_for(here, server):
    def page(*numbers):
        return [
            {
                "starred_at": "2021-05-25T10:00:00Z",
                "repo": {"id": n, "full_name": f"o/r{n}", "description": "x"},
            }
            for n in numbers
        ]

    path = "/users/me/starred?per_page=100&sort=created&direction=desc"
    server.say(
        path,
        Said.json(page(3, 2), headers={"Link": f'<{server.url}{path}&page=2>; rel="next"'}),
        Said.json(page(4, 3), headers={"Link": f'<{server.url}{path}&page=2>; rel="next"'}),
    )
    server.say(f"{path}&page=2", Said.json(page(1)))
    assert "read 3 = new 3" in studiolo("collect", "github-stars", "me")
    assert "read 2 = new 1 + known 1" in studiolo("collect", "github-stars", "me")
    assert [asked.path.endswith("page=2") for asked in server.asked] == [False, True, False]


def test_stars_come_from_a_file_too(here):
    (here / "stars.json").write_text(json.dumps([{"id": 1, "full_name": "o/a"}]))
    assert "read 1 = new 1" in studiolo("collect", "github-stars", "stars.json")


def test_lookup_counts_what_came_back_and_works_offline_afterwards(here, server):
    studiolo("collect", "bookmarks", "bookmarks.html")
    server.answer = lambda asked: (
        Said(feed(entry("1907.02893", 3, "Invariant Risk Minimization")))
        if asked.path.startswith("/arxiv")
        else None
    )
    said = studiolo("lookup")
    assert (
        "asked 3 = known before 0 + new 1 + unknown to every service 2 + without an answer 0"
        in said
    )
    assert "unknown: arxiv:2105.03824" in said
    said = studiolo("lookup", "arxiv:1907.02893", "--offline")
    assert (
        "arxiv:1907.02893  Invariant Risk Minimization - 2021 - James Lee-Thorp, Joshua Ainslie (arxiv)"
        in said
    )
    said = studiolo("lookup", "arxiv:2001.00001", "--offline")
    assert "without an answer 1" in said
    assert "Offline, and 127.0.0.1 was never asked this before" in said


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("bibtex", "@misc{"),
        ("csl", "["),
        ("ris", "TY  - "),
        ("html", "<!DOCTYPE NETSCAPE"),
        ("json", "["),
        ("csv", "key,url"),
    ],
)
def test_export_writes_every_format(here, form, start):
    assert studiolo("export", form).startswith(start)
    studiolo("export", form, "-o", "out.txt")
    assert (here / "out.txt").read_bytes().startswith(start.encode())


def test_export_takes_a_section_a_list_or_the_inbox(here):
    studiolo("collect", "bookmarks", "bookmarks.html")
    assert len(json.loads(studiolo("export", "json", "--inbox"))) == 3
    assert len(json.loads(studiolo("export", "json", "--list", "list.md"))) == 1
    assert len(json.loads(studiolo("export", "json", "--section", "transformers"))) == 1
    with pytest.raises(UsageError, match="There is nothing below a heading 'x'"):
        studiolo("export", "json", "--section", "x")
    with pytest.raises(UsageError, match=r"There is no format 'doc'\. There are: bibtex, csl, ris"):
        studiolo("export", "doc")


def test_inbox_is_searched_and_written_as_json(here):
    studiolo("collect", "bookmarks", "bookmarks.html")
    assert "1 paper waiting" in studiolo("inbox", "causal")
    (found,) = json.loads(studiolo("inbox", "invariant", "--json"))
    assert (found["key"], found["items"][0]["note"]) == (
        "arxiv:1907.02893",
        "from the reading group",
    )
    assert len(json.loads(studiolo("inbox", "--json", "--all"))) == 3


def test_empty_inbox_says_how_to_fill_it(here):
    assert "The inbox is empty. To fill it: studiolo collect --help" in studiolo("inbox")
    assert "No paper is waiting" in studiolo("triage")


def test_urls_are_typed_piped_or_in_a_file(here):
    assert "new 2" in studiolo("collect", "urls", "2105.03824", "https://x.org/")
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "from studiolo.cli.collecting import app; app()",
            "collect",
            "urls",
            "-",
        ],
        input=b"1907.02893\n",
        capture_output=True,
        check=True,
        cwd=here,
    )
    assert b"read 1 = new 1" in process.stdout
    (here / "x.txt").write_text("2009.14794")
    assert "new 1" in studiolo("collect", "urls", "x.txt")


def test_tables_and_reddit_and_arxiv_sanity_are_collected(here):
    (here / "t.md").write_text("| p |\n|---|\n| [A](https://a.org/) |\n")
    assert "new 1" in studiolo("collect", "table", "t.md")
    (here / "saved_posts.csv").write_text(
        "id,permalink\nabc,https://www.reddit.com/r/x/comments/abc/t/\n"
    )
    assert "new 1" in studiolo("collect", "reddit", "saved_posts.csv")
    with pytest.raises(UsageError, match="Give a file, or --praw"):
        studiolo("collect", "reddit")
    with pytest.raises(SourceError, match="There is no file"):
        studiolo("collect", "arxiv-sanity", "dict.db")


@pytest.mark.parametrize("source", SOURCES)
def test_help_of_every_source_teaches_how_to_get_the_export(source, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    said = studiolo("collect", source, "--help")
    for line in (*SOURCES[source].how.splitlines(), *SOURCES[source].examples):
        assert line.strip()[:60] in said


def test_every_source_has_its_command_and_no_command_lacks_its_source():
    names = [command.name for command in collect.registered_commands]
    assert names[0] == "file"  # any of them
    assert names[1:] == list(SOURCES)


def test_collecting_a_file_says_what_it_took_it_for(here):
    said = studiolo("collect", "bookmarks.html")
    assert "bookmarks.html: bookmarks in HTML, read as `studiolo collect bookmarks` does\n" in said
    assert "read 4 = new 3 + known 0 + skipped 1" in said
    assert "read 4 = new 0 + known 3 + skipped 1" in studiolo(
        "collect", "bookmarks", "bookmarks.html"
    )


def test_several_files_are_collected_each_as_what_it_is(here):
    (here / "a.ris").write_text("TY  - JOUR\nTI  - Ships\nDO  - 10.1234/x\nER  - \n")
    (here / "b.md").write_text("- [Shoes](https://arxiv.org/abs/1812.00001)\n")
    said = studiolo("collect", "a.ris", "b.md", "--dry-run")
    assert "a.ris: references in RIS, read as `studiolo collect zotero` does" in said
    assert (
        "b.md: a Markdown file with a list of 1 item, read as `studiolo collect notes` does" in said
    )
    assert "  another reading: studiolo collect urls" in said
    assert said.count("read 1 = new 1 + known 0 + skipped 0") == 2
    assert not (here / ".studiolo").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pocket", "x.csv"], r"pocket is read by `studiolo collect bookmarks x\.csv`"),
        (["obsidian"], r"obsidian is read by `studiolo collect notes FILE`"),
        (
            ["https://arxiv.org/abs/1812.00001"],
            "For addresses and pipes: studiolo collect urls https",
        ),
        (
            ["nothing.json"],
            "There is neither a file nor a source called nothing.json. The sources are bookmarks,",
        ),
    ],
)
def test_word_that_is_no_file_is_told_what_to_do(here, words, sentence):
    with pytest.raises(UsageError, match=sentence):
        studiolo("collect", *words)


def test_help_of_collect_teaches(here):
    said = " ".join(studiolo("collect", "--help").split())
    assert "`studiolo collect FILE` finds out what a file or folder is" in said
    assert "read = new + known + skipped" in said


@pytest.mark.parametrize(
    "command", ["inbox", "triage", "add", "undo", "why", "same", "not-same", "lookup", "export"]
)
def test_help_of_every_command_has_an_example(command):
    assert f"studiolo {command}" in studiolo(command, "--help")


def test_title_with_escape_sequences_does_not_reach_the_terminal(here):
    (here / "b.html").write_text(
        '<DT><A HREF="https://arxiv.org/abs/2105.03824">\x1b]0;owned\x07[bold]x[/bold]\x1b[31m</A>'
    )
    studiolo("collect", "bookmarks", "b.html")
    said = studiolo("inbox") + studiolo("triage", typed="q\n")
    assert "\x1b]0" not in said
    assert "\x07" not in said
    assert "[bold]x[/bold]" in said


@pytest.mark.slow
def test_hundred_thousand_bookmarks_take_less_than_twenty_seconds_and_400_megabytes(tmp_path):
    with (tmp_path / "b.html").open("w") as file:
        file.write("<DL><p>\n")
        for number in range(100_000):
            file.write(
                f'<DT><A HREF="https://example.org/{number}?a=1&b=2" ADD_DATE="{1_600_000_000 + number}" ICON="data:image/png;base64,{"A" * 600}"'
                f' TAGS="ml,t{number % 50}">Title of bookmark {number} &amp; more</A>\n<DD>note {number}\n'
            )
    code = """
import re, sys, time
from studiolo.cli.app import app
sys.argv[1:] = ["collect", "bookmarks", "b.html"]
try:
    app()
except SystemExit:
    pass
peak_kib = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]  # since exec, unlike ru_maxrss
print(time.process_time(), int(peak_kib) / 1024)
"""
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert "read 100,000 = new 100,000" in process.stdout
    cpu_s, peak_mib = map(float, process.stdout.split()[-2:])
    assert cpu_s < 20
    assert peak_mib < 400


def test_folder_called_as_a_source_is_read_as_any_other(here):
    (here / "notes").mkdir()
    (here / "notes" / "a.md").write_text("- [A](https://arxiv.org/abs/1706.03762)\n")
    assert studiolo("collect", "notes").startswith("notes: a folder with 1 note")
    assert "known 1" in studiolo("collect", "notes", "notes")


@pytest.mark.parametrize("source", ["notes", "table", "bookmarks"])
def test_file_with_nothing_to_read_says_what_would_be_read(here, source):
    (here / "page.html").write_text("<html><body>hello</body></html>")
    said = studiolo("collect", source, "page.html")
    assert (
        f"page.html holds nothing that {source} reads. What it reads: studiolo collect {source} --help"
        in said
    )


PASTED = "what a letter says, and more of it, " * 20 + "https://arxiv.org/abs/1706.03762"


def test_pasted_text_is_longer_than_a_path(here):
    assert "read 1 = new 1" in studiolo("collect", "urls", PASTED)


@pytest.mark.parametrize(
    "words",
    [
        *(["collect", name] for name in SOURCES if name != "urls"),
        ["collect"],
        ["plan"],
        ["report"],
        ["fetch-pool"],
        ["follow"],
        ["show", "--library"],
    ],
    ids=" ".join,
)
def test_pasted_text_in_the_place_of_a_file_is_refused_in_a_sentence(here, words):
    with pytest.raises((StudioloError, SystemExit)):
        studiolo(*words, PASTED)
