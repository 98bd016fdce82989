import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studiolo.claims import check_paper, load_paper
from studiolo.cli.options import home_of


def studiolo(*arguments, cwd=None, check=True):
    done = subprocess.run(
        [sys.executable, "-m", "studiolo", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """The bundled library, as `studiolo init` copies it."""
    folder = tmp_path_factory.mktemp("bundled") / "lib"
    studiolo("init", folder)
    return folder


@pytest.fixture
def example(bundled, tmp_path):
    """A copy of the bundled library; returns the path of its list."""
    shutil.copytree(bundled, tmp_path / "lib")
    return tmp_path / "lib" / "lists" / "recent-ml-research.md"


def test_init_twice_changes_nothing(example):
    before = {p: p.read_bytes() for p in example.parents[1].rglob("*") if p.is_file()}
    assert "Already a library" in studiolo("init", example.parents[1]).stdout
    assert {p: p.read_bytes() for p in example.parents[1].rglob("*") if p.is_file()} == before


def test_init_beside_own_lists_adds_only_its_folder(tmp_path):
    (tmp_path / "mine.md").write_bytes(b"* https://arxiv.org/abs/2105.03824")
    studiolo("init", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".studiolo", "mine.md"]
    assert (tmp_path / "mine.md").read_bytes() == b"* https://arxiv.org/abs/2105.03824"


@pytest.mark.slow
def test_run_ends_with_the_path_of_the_report_and_remembers(example):
    done = studiolo("run", example, "--only", "double_descent", "--budget", "20s")
    report = done.stdout.splitlines()[-1]
    assert report.endswith("recent-ml-research.html")
    assert "Sample-wise Double Descent" in Path(report).read_text(encoding="utf-8")
    assert "\n    holds; paper scale; control: absent, as it must be" in done.stdout


def test_list_of_strangers_papers_is_told_how_to_start(tmp_path):
    path = tmp_path / "list.md"
    path.write_text(
        "* [A](https://arxiv.org/abs/2001.00011) https://github.com/someone/code\n"
        "* [B](https://arxiv.org/abs/2001.00012)\n"
    )
    done = studiolo("run", path)
    assert done.stdout.startswith(
        "0 of 2 entries can run; code is linked for 1 of the others; "
        "start one with: studiolo new-paper arxiv:2001.00011"
    )


def test_json_events_are_one_object_a_line(example):
    done = studiolo("run", example, "--json", "--only", "double_descent", "--budget", "1s")
    events = [json.loads(line, parse_constant=pytest.fail) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "Planned"
    assert events[-1]["event"] == "report"


def test_list_in_a_read_only_folder_is_reported_from_here(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "list.md").write_text("* https://arxiv.org/abs/2001.00011\n")
    folder.chmod(0o555)
    here = tmp_path / "here"
    here.mkdir()
    done = studiolo("report", folder / "list.md", cwd=here)
    assert "is read only; records and report go to" in done.stderr
    assert (here / ".studiolo" / "report" / "list.html").is_file()
    assert [p.name for p in folder.iterdir()] == ["list.md"]


def test_read_only_folder_one_is_in_is_not_replaced_by_itself(tmp_path, monkeypatch, capsys):
    (tmp_path / "list.md").write_text("* https://arxiv.org/abs/2001.00011\n")
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)
    assert home_of(Path("list.md"), None).samefile(tmp_path)
    assert capsys.readouterr().err == ""


def test_library_says_where_records_and_report_go(tmp_path):
    (tmp_path / "list.md").write_text("* https://arxiv.org/abs/2001.00011\n")
    (tmp_path / "other").mkdir()
    done = studiolo("report", tmp_path / "list.md", "--library", tmp_path / "other")
    assert done.stdout.strip() == str(tmp_path / "other" / ".studiolo" / "report" / "list.html")


def test_split_report_goes_where_one_says_and_only_as_pages(tmp_path):
    (tmp_path / "list.md").write_text("* https://arxiv.org/abs/2001.00011\n")
    done = studiolo("report", tmp_path / "list.md", "--split", "-o", tmp_path / "site")
    assert done.stdout.strip() == str(tmp_path / "site" / "index.html")
    done = studiolo("report", tmp_path / "list.md", "--split", "--format", "json", check=False)
    assert done.returncode == 2
    assert (
        "--split and --output write pages; --format json prints to standard output." in done.stderr
    )


def test_report_needs_no_run(example):
    page = studiolo("report", example).stdout.strip()
    assert page.endswith(".html")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["show", "nowhere.md"], 1, "nowhere.md cannot be read"),
        (
            ["run", "LIST", "--budget", "soon"],
            2,
            "'soon' is not a duration. Write 90s, 4m or 1.5h.",
        ),
        (
            ["run", "LIST", "--only", "nobody"],
            2,
            "There is no paper folder 'nobody' that can run for this list",
        ),
        (["new-paper", "a/b"], 2, "'a/b' is neither a folder name nor a key."),
    ],
)
def test_error_is_a_sentence_with_an_exit_code(example, arguments, code, sentence):
    arguments = [str(example) if a == "LIST" else a for a in arguments]
    done = studiolo(*arguments, check=False)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name", ["my_paper", pytest.param("arxiv:2105.03824", marks=pytest.mark.slow)]
)
def test_new_paper_passes_its_own_tests_and_runs(example, name):
    library = example.parents[1]
    folder = studiolo("new-paper", name, "--library", library).stdout.splitlines()[0].split(": ")[1]
    paper = load_paper(Path(folder))
    assert check_paper(paper) == []
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
    done = subprocess.run(tests, cwd=library, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    if name.startswith("arxiv"):
        assert paper.title == "FNet: Mixing Tokens with Fourier Transforms"
        assert paper.authors[0] == "James Lee-Thorp"
        assert paper.year == 2021


def test_new_paper_never_overwrites(example):
    library = example.parents[1]
    studiolo("new-paper", "mine", "--library", library)
    done = studiolo("new-paper", "mine", "--library", library, check=False)
    assert done.returncode == 2
    assert "exists already" in done.stderr


def test_readers_own_code_is_announced_once(example):
    library = example.parents[1]
    studiolo("new-paper", "mine", "--library", library)
    path = library / "list.md"
    path.write_text("* https://example.org/mine\n")
    first, second = studiolo("run", path), studiolo("run", path)
    assert "is this library's own code and now runs" in first.stderr
    assert "Claims of the papers (1): 1 holds." in first.stdout.splitlines()
    assert "own code" not in second.stderr


def test_broken_paper_of_the_reader_is_left_out_with_a_sentence(library):
    folder = library / "papers" / "broken"
    folder.mkdir(parents=True)
    (folder / "paper.toml").write_text('key = "arxiv:2001.00013"\n')
    (library / "list.md").write_text("* https://arxiv.org/abs/2001.00013\n")
    done = studiolo("run", library / "list.md", "--budget", "0s")
    assert "Left out:" in done.stderr
    assert "paper.toml, authors: found nobody" in done.stderr


def test_help_starts_fast():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(4):
        studiolo("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu_s / 4 < 0.4
