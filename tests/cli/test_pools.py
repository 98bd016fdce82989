"""fetch-pool, follow and unfollow through the command line."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from studiolo.cli.app import app
from studiolo.errors import NetworkError, StudioloError, UsageError
from studiolo.files import append_json_lines
from studiolo.library import Library, pool_rows
from tests.library.test_pools import README, GitHub
from tests.metadata.oai import Archive, records
from tests.net.server import Said, Server


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / ".studiolo").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_TOKEN", "STUDIOLO_CONTACT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("STUDIOLO_API_ARXIV_OAI", f"{server.url}/oai")
    monkeypatch.setenv("STUDIOLO_API_ARXIV", f"{server.url}/api")
    monkeypatch.setenv("STUDIOLO_API_GITHUB", f"{server.url}/api")
    monkeypatch.setenv("STUDIOLO_API_GITHUB_RAW", f"{server.url}/raw")
    yield server
    server.close()


def studiolo(*words, code=0):
    """Run a command and return what it printed; what Studiolo raises on purpose is raised here too."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, StudioloError) or (
        result.exception and not isinstance(result.exception, SystemExit)
    ):
        raise result.exception
    assert result.exit_code == code
    return result.stdout


def test_category_is_fetched_and_the_counts_add_up(here, server):
    server.answer = Archive(*records(3))
    said = studiolo("fetch-pool", "cs.LG", "--since", "2024")
    assert said.splitlines() == [
        "read 3 = new 3 + changed 0 + known 0 + gone 0 + left out 0 + skipped 0",
        "cs.LG: 3 papers since 2024-01-01, fetched up to 2024-06-01",
    ]
    assert len(list(pool_rows(Library(here)))) == 3


def test_pools_are_listed(here, server):
    assert "There is no pool yet" in studiolo("fetch-pool")
    server.answer = Archive(*records(3))
    studiolo("fetch-pool", "cs.LG")
    assert studiolo("fetch-pool") == "cs.LG: 3 papers, fetched up to 2024-06-01\n"


def test_offline_says_what_is_there_and_asks_nobody(here, server):
    with pytest.raises(NetworkError, match=r"Offline, and nothing of cs\.LG has been fetched"):
        studiolo("fetch-pool", "cs.LG", "--offline")
    server.answer = Archive(*records(3))
    studiolo("fetch-pool", "cs.LG")
    before = len(server.asked)
    assert studiolo("fetch-pool", "cs.LG", "--offline").startswith("cs.LG: 3 papers")
    assert len(server.asked) == before


def test_file_is_read_with_its_categories(here):
    rows = [{"id": f"2105.{n:05d}", "title": "T", "categories": c} for n, c in enumerate(["cs.LG stat.ML", "math.CO"], 1)]  # fmt: skip
    (here / "dump.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\nnonsense\n")
    said = studiolo("fetch-pool", "dump.jsonl", "-c", "cs.LG", "--since", "2020")
    assert "read 3 = new 1 + changed 0 + known 0 + gone 0 + left out 1 + skipped 1" in said
    assert "skipped dump.jsonl:3: not JSON" in said
    assert "dump.jsonl: 1 paper since 2020-01-01" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["banana"], "neither a file nor an arXiv category|lists nothing"),
        (["cs.LG", "--since", "soon"], "is not a date"),
        (["cs.LG", "-c", "cs.LG"], "--category is for files"),
        (["CS/LG"], "neither a file nor"),
    ],
)
def test_what_cannot_be_meant_is_told(here, server, words, message):
    server.answer = Archive()
    with pytest.raises(UsageError, match=f"{message}|no category"):
        studiolo("fetch-pool", *words)


def test_missing_file_is_told(here):
    with pytest.raises(StudioloError, match=r"There is no file nowhere\.bib"):
        studiolo("fetch-pool", "nowhere.bib")


def test_repository_is_followed_listed_updated_and_unfollowed(here, server):
    github = server.answer = GitHub(README=README)
    assert "You follow no list yet" in studiolo("follow")
    assert studiolo("follow", "github:owner/name").startswith("github:owner/name: 2 papers, fetched 20")  # fmt: skip
    github.files["README.md"] = b"* [A](https://arxiv.org/abs/2010.11929)\n"
    assert "2 papers" in studiolo("follow")
    assert "1 paper," in studiolo("follow", "--update")
    assert studiolo("unfollow", "owner/name") == "No longer following github:owner/name.\n"
    assert "You follow no list yet" in studiolo("follow")


def test_repository_that_is_not_there_is_not_followed(here, server):
    with pytest.raises(NetworkError, match="knows no repository owner/name"):
        studiolo("follow", "github:owner/name")
    assert "You follow no list yet" in studiolo("follow")


def test_one_repository_that_fails_does_not_stop_the_others(here, server):
    server.answer = GitHub(README=README)
    studiolo("follow", "github:owner/name")
    (here.parent / "ada.md").write_text(README)
    append_json_lines(here / ".studiolo" / "follows.jsonl", [{"list": "github:a/gone", "follow": True}])  # fmt: skip
    said = studiolo("follow", "--update", code=1)
    assert "github:owner/name: 2 papers" in said
    assert "github:a/gone: 0 papers; nothing is there any more" in said


def test_following_offline_uses_what_is_there(here, server):
    with pytest.raises(NetworkError, match="Offline"):
        studiolo("follow", "github:owner/name", "--offline")
    server.answer = GitHub(README=README)
    studiolo("follow", "github:owner/name")
    server.answer = lambda asked: Said(b"", 500)
    assert "2 papers" in studiolo("follow", "github:owner/name", "--offline")
    assert "2 papers" in studiolo("follow", "--update", "--offline")


@pytest.mark.slow
def test_command_that_is_killed_goes_on(here, server):
    """A real process, with Ctrl-C and kill -9 in the middle."""
    archive = Archive(*records(60))

    def answer(asked):
        time.sleep(0.02)
        return archive(asked)

    server.answer = answer
    for how in (signal.SIGINT, signal.SIGKILL):
        child = subprocess.Popen(
            [sys.executable, "-m", "studiolo", "fetch-pool", "cs.LG"], env=dict(os.environ),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        asked = len(server.asked)
        while len(server.asked) < asked + 3:
            time.sleep(0.02)
        child.send_signal(how)
        _, errors = child.communicate()
        if how == signal.SIGINT:
            assert "Stopped. cs.LG: " in errors
            assert child.returncode == 130
            assert "not complete: the same command goes on" in studiolo("fetch-pool")
    studiolo("fetch-pool", "cs.LG")
    rows = [row.key for row in pool_rows(Library(here))]
    assert sorted(rows) == sorted(f"arxiv:{one.number}" for one in archive.records)
    assert len((here / ".studiolo/pools/cs.LG.jsonl").read_text().splitlines()) == 60
