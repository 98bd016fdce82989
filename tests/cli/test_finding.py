import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

import studiolo
from studiolo.cli import finding
from studiolo.cli.app import app
from studiolo.cli.console import Styled
from studiolo.errors import FileError, UsageError


EXAMPLE = Path(studiolo.__file__).parent / "example"


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library with the bundled list and a small pool, the current folder, without a browser."""
    (tmp_path / "lists").mkdir()
    (tmp_path / ".studiolo/pools").mkdir(parents=True)
    (tmp_path / "lists/list.md").write_bytes((EXAMPLE / "lists/recent-ml-research.md").read_bytes())
    rows = [
        ("arxiv:2106.00001", "Causal inference with interventions", "Causal graphs and treatment effects."),
        ("arxiv:2106.00002", "Causal discovery", "Causal inference of graphs."),
        ("arxiv:2106.00003", "Fourier mixing of tokens", "Fourier transforms of tokens, Fourier."),
        ("arxiv:2106.00004", "Graphs of tokens", "Transforms after Fourier, and treatment of graphs."),
    ]  # fmt: skip
    (tmp_path / ".studiolo/pools/arxiv.jsonl").write_text(
        "".join(
            json.dumps({"key": key, "title": title, "authors": ["Ada Lovelace"], "abstract": abstract, "categories": ["cs.LG"], "published": "2021-06-01", "said_by": "arxiv"}) + "\n"
            for key, title, abstract in rows
        )
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finding, "_has_browser", lambda: False)
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def run_json(*words):
    return json.loads(run(*words, "--json"))


def test_find_shows_numbers_titles_keys_and_places(library):
    first, *_ = run("find", "fourier", "tokens").splitlines()
    assert first.split() == ["1", "FNet:", "Mixing", "Tokens", "with", "Fourier", "Transforms", "(2021)", "arxiv:2105.03824", "lists/list.md:37"]  # fmt: skip


def test_find_says_what_it_corrected_and_how_to_insist(library):
    result = CliRunner().invoke(app, ["find", "attenttion"])
    assert "Performers" in result.stdout
    assert result.stderr.splitlines() == [
        "Showing “attention”: nothing here has “attenttion”.",
        "To search for it as typed: studiolo find '\"attenttion\"'",
    ]
    assert run("find", '"attenttion"') == "Nothing was found.\n"
    result = CliRunner().invoke(app, ["find", "rethinking", "attenttion", "year:2020.."])
    assert result.stderr.splitlines()[1:] == [
        "To search for it as typed: studiolo find 'rethinking \"attenttion\" year:2020..'"
    ]


def test_find_for_programs(library):
    found = run_json("find", "fourier", "-author:nobody")
    [hit] = found["hits"]
    assert hit["key"] == "arxiv:2105.03824"
    assert hit["place"] == "lists/list.md:37"
    assert hit["url"] == "https://arxiv.org/abs/2105.03824"
    assert set(hit) == {"key", "title", "authors", "date", "place", "url", "score", "snippet", "marks", "has"}  # fmt: skip


@pytest.mark.parametrize("word", ["-nothing", "-learning", "-hypernet", "-author:vaswani"])
def test_a_query_may_begin_with_what_is_left_out(library, word):
    assert run_json("find", word, "fourier")["hits"][0]["key"] == "arxiv:2105.03824"


def test_whole_search_in_the_shells_quotes_is_one(library):
    found = run("find", "year:2021..", "has:question")
    assert "FNet" in found
    assert run("find", "year:2021.. has:question") == found
    assert run("find", 'year:2021.. "fourier"') == run("find", "year:2021..", '"fourier"')


def test_quotes_that_the_shell_takes_from_a_field_are_put_back(library):
    for words in (("author:James Lee-Thorp", "fourier"), ("author:lee fourier",)):
        [hit] = run_json("find", *words)["hits"]
        assert hit["key"] == "arxiv:2105.03824"


def test_without_a_last_result_it_says_what_to_do(library):
    for command in ("open", "not-for-me"):
        result = CliRunner().invoke(app, [command, "1"])
        assert str(result.exception).startswith(
            "The last result is empty, so there is no number 1."
        )


def test_suggestions_beside_a_list_by_its_name(library):
    assert run("suggest", "--list", "list") == run("suggest", "--list", "lists/list.md")


def test_an_unknown_option_of_find_is_refused(library):
    for option in ("--jsn", "-n", "-h"):
        with pytest.raises(UsageError, match=rf"There is no option {option}\."):
            run("find", "fourier", option)


def test_find_knows_which_papers_can_run(library):
    assert {"arxiv:2105.03824", "arxiv:2009.14794"} <= {h["key"] for h in run_json("find", "has:claims")["hits"]}  # fmt: skip


def test_a_new_edit_is_found(library):
    path = library / "lists/list.md"
    run("find", "fourier")
    path.write_text(path.read_text().replace("Mixing Tokens", "Stirring Tokens"))
    assert "Stirring" in run("find", "stirring")


def test_open_prints_the_address_of_a_number_and_of_a_key(library):
    run("find", "fourier", "tokens")
    assert run("open", "1") == "https://arxiv.org/abs/2105.03824\n"
    assert run("open", "ExpireSpan") == "https://arxiv.org/abs/2105.06548\n"
    assert run("open", "arxiv:1503.00075") == "https://arxiv.org/abs/1503.00075\n"
    run("suggest", "FNet")
    assert run("open", "1") == "https://arxiv.org/abs/2106.00003\n"


def test_open_opens_the_browser_where_there_is_one(library, monkeypatch):
    opened = []
    monkeypatch.setattr(finding, "_has_browser", lambda: True)
    monkeypatch.setattr(finding.typer, "launch", opened.append)
    run("open", "FNet")
    assert opened == ["https://arxiv.org/abs/2105.03824"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)", ""])
def test_open_opens_nothing_but_the_web(library, monkeypatch, url):
    monkeypatch.setattr(finding, "_has_browser", lambda: True)
    monkeypatch.setattr(finding.typer, "launch", None)
    place = library / ".studiolo/cache/find/last.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps([{"key": "a", "title": "A page", "url": url, "place": "topics/a.md:1"}]))  # fmt: skip
    with pytest.raises(UsageError, match=r"“A page” has no web address. It stands in topics/a.md:1."):  # fmt: skip
        run("open", "1")


@pytest.mark.parametrize("spoilt", ["", "{", "[1]", "{}", '[{"key": 1}]'])
def test_a_spoilt_last_result_is_none(library, spoilt):
    place = library / ".studiolo/cache/find/last.json"
    place.parent.mkdir(parents=True)
    place.write_text(spoilt)
    with pytest.raises(UsageError, match=r"The last result is empty, so there is no number 1\."):
        run("open", "1")


def test_an_empty_section_gets_suggestions_and_nothing_is_written(library):
    before = (library / "lists/list.md").read_bytes()
    found = run_json("suggest", "--section", "Causal Inference")
    assert {s["key"] for s in found["suggestions"][:2]} == {"arxiv:2106.00001", "arxiv:2106.00002"}
    assert (library / "lists/list.md").read_bytes() == before


def test_suggestions_say_why_with_categories_apart(library):
    lines = run("suggest", "FNet").splitlines()
    assert "Fourier mixing of tokens" in lines[0]
    words, *apart = lines[1].strip().split("; ")
    assert "fourier" in words
    assert words.endswith("%")
    assert "cs.lg" not in words
    assert all(part.startswith(("by ", "in ", "on ")) for part in apart)


def test_not_for_me_takes_a_number_or_a_key_and_is_taken_back(library):
    before = run_json("suggest", "--section", "Causal Inference")["suggestions"]
    said = run("not-for-me", "1")
    assert said.endswith("is not suggested any more. Take it back: studiolo undo\n")
    after = run_json("suggest", "--section", "Causal Inference")["suggestions"]
    assert {s["key"] for s in after} == {s["key"] for s in before[1:]}
    assert run("not-for-me", before[0]["key"]).startswith("You said no to")
    run("not-for-me", "https://arxiv.org/abs/2106.00003")
    run("undo")
    run("undo")
    assert run_json("suggest", "--section", "Causal Inference")["suggestions"] == before


def test_suggestions_beside_a_tag_of_one_list_and_since_a_day(library):
    run("tags", "FNet", "+fourier")
    (library / "lists/other.md").write_text("# Other\n\n## Causal Inference\n\n* [Causal graphs](https://arxiv.org/abs/2106.00002)\n")  # fmt: skip
    assert run_json("suggest", "--tag", "fourier")["suggestions"][0]["key"] == "arxiv:2106.00003"
    here = ["suggest", "--section", "Causal Inference", "--list", "lists/other.md"]
    assert run_json(*here)["suggestions"][0]["key"] == "arxiv:2106.00001"
    assert run_json(*here, "--since", "2021-06")["suggestions"]
    assert run_json(*here, "--since", "30d")["suggestions"] == []


def test_lines_fit_a_terminal_and_lose_nothing():
    parts = ["Attention is ", Styled("all you", "bold"), "r need, 深度强化学习综述 and more", "  ", Styled("lists/list.md:31", "dim")]  # fmt: skip
    for width in range(24, 90):
        lines = finding.wrapped(width, "  1  ", parts)
        texts = ["".join(p.text if isinstance(p, Styled) else p for p in line) for line in lines]
        assert max(map(cell_len, texts)) <= width
        assert all(text.startswith("      ") for text in texts[1:])
        words = " ".join(texts).split()
        assert words == [
            "1",
            "Attention",
            "is",
            "all",
            "your",
            "need,",
            "深度强化学习综述",
            "and",
            "more",
            "lists/list.md:31",
        ]
        bold = [p.text.strip() for line in lines for p in line if isinstance(p, Styled) and p.style == "bold"]  # fmt: skip
        assert " ".join(bold).split() == ["all", "you"]
    assert len(finding.wrapped(80, "  1  ", parts)) == 1
    assert finding.wrapped(10, "  1  ", ["https://example.org/a/very/long/address"]) == [["  1  ", "https://example.org/a/very/long/address"]]  # fmt: skip


def test_what_to_read_next(library):
    run("read", "FNet")
    found = run_json("suggest", "--unread")["suggestions"]
    assert "arxiv:2105.03824" not in {one["key"] for one in found}
    assert found[0]["reasons"]
    assert all(one["place"].startswith("lists/") for one in found)


def test_similar_shows_both_worlds(library):
    found = run_json("similar", "FNet")
    assert "arxiv:2105.03824" not in {one["key"] for one in found["yours"]}
    assert found["others"][0]["key"] == "arxiv:2106.00003"
    assert "What was fetched:" in run("similar", "FNet")


def test_suggest_wants_one_question_at_a_time(library):
    with pytest.raises(UsageError, match=r"Give keys, --section or --tag, one of them"):
        run("suggest", "FNet", "--tag", "x")
    with pytest.raises(UsageError, match=r"Give one of them"):
        run("suggest", "--unread", "--since", "3d")
    with pytest.raises(UsageError, match=r"'soon' is not a date"):
        run("suggest", "--since", "soon")


def test_a_library_to_read_only_forgets_the_last_result(library, monkeypatch):
    def refuse(*_, **__):
        raise FileError("read only")

    monkeypatch.setattr("studiolo.files.save_bytes", refuse)
    assert "FNet" in run("find", "fourier")
