"""The workflow that `init --github` writes: what it may do, what it is pinned to, and its steps on a clone here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import studiolo
from studiolo.errors import UsageError
from studiolo.sources.issues import issue_item

from .commands import run


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A library in a repository with a remote, as somebody pushes it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "library"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git(folder, "init", "-q", "-b", "main")
    run("init", ".", "--github")
    (folder / "notes").mkdir()
    (folder / "notes/a.md").write_text("# A note\n\nlabels: nlp\n\nWords.\n")
    git(folder, "add", "-A")
    git(
        folder, "commit", "-q", "-m", "first"
    )  # the day of a page is that of its commit, not of its file
    run("contents", "--write", "--yes")
    git(folder, "clone", "-q", "--bare", ".", tmp_path / "remote.git")
    git(folder, "remote", "add", "origin", tmp_path / "remote.git")
    push(folder, "contents")
    return folder


def git(folder, *words):
    words = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *map(str, words)]
    done = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def push(folder, words):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", words)
    git(folder, "push", "-q", "-u", "origin", "main")


def workflow(folder):
    found = yaml.safe_load((folder / ".github/workflows/studiolo.yml").read_text())
    found["on"] = found.pop(True)  # YAML 1.1 reads `on` as yes
    return found


def run_job(folder, job, tmp_path):
    """Run the steps of a job that are commands, in a fresh clone, as the runner does; return the clone."""
    clone = tmp_path / f"{job}-clone"
    git(tmp_path, "clone", "-q", tmp_path / "remote.git", clone)
    made = workflow(folder)
    python = Path(sys.executable).parent
    for step in made["jobs"][job]["steps"]:
        if "run" not in step or step["name"] == "Install":
            continue
        said = {**made["env"], **step.get("env", {})}
        said = {name: re.sub(r"\$\{\{.*?\}\}", "you", value) for name, value in said.items()}
        environment = {**os.environ, **said, "PATH": f"{python}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=clone, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
    return clone


def test_each_job_may_do_only_what_it_needs(repository):
    made = workflow(repository)
    assert made["permissions"] == {}
    assert {name: job["permissions"] for name, job in made["jobs"].items()} == {
        "check": {"contents": "read"},
        "contents": {"contents": "write"},
        "report": {"contents": "read", "pages": "write", "id-token": "write"},
    }
    assert "pull_request" in made["on"]
    assert "pull_request_target" not in made["on"]
    for name, job in made["jobs"].items():
        assert job["timeout-minutes"] <= 15
        checkout = job["steps"][0]["with"]
        assert checkout.get("persist-credentials", True) is (name == "contents")
    assert "github.event_name != 'pull_request'" in made["jobs"]["contents"]["if"]


def test_parts_are_pinned_by_commit_and_nothing_of_an_event_is_run(repository):
    for job in workflow(repository)["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])
            assert "${{" not in step.get("run", "")
    assert workflow(repository)["env"] == {
        "STUDIOLO": f"studiolo=={studiolo.__version__}",
        "LIST": "lists/recent-ml-research.md",
    }


def test_files_that_are_there_stay(repository):
    path = repository / ".github/workflows/studiolo.yml"
    path.write_text("mine\n")
    said = run("init", ".", "--github")
    assert f"{path.relative_to(repository)} stays as it is" in said
    assert path.read_text() == "mine\n"


def test_library_below_the_top_of_a_repository_is_told(repository):
    with pytest.raises(UsageError, match="GitHub looks for workflows only there"):
        run("init", "below", "--github")


def test_form_asks_for_what_the_source_reads(repository):
    form = yaml.safe_load((repository / ".github/ISSUE_TEMPLATE/to-read.yml").read_text())
    assert form["labels"] == ["to-read"]
    answers = {"Link": "2105.03824", "Why": "Fourier", "Tags": "a, b", "State": "reading"}
    labels = [field["attributes"]["label"] for field in form["body"]]
    body = "\n\n".join(f"### {label}\n\n{answers[label]}" for label in labels)
    issue = {"number": 1, "title": "FNet", "body": body, "html_url": "https://github.com/o/r/issues/1"}  # fmt: skip
    item = issue_item(issue, [])
    assert (item.url, item.note) == ("https://arxiv.org/abs/2105.03824", "Fourier")
    assert (item.tags, item.state) == (("a", "b"), "reading")


def test_steps_do_on_a_clone_what_they_say(repository, tmp_path):
    run_job(repository, "check", tmp_path)
    first = git(repository, "rev-parse", "origin/main")
    clone = run_job(repository, "contents", tmp_path)
    assert git(clone, "rev-parse", "origin/main") == first  # nothing to commit
    (repository / "notes/a.md").write_text("# Another title\n\nlabels: vision\n\nOther words.\n")
    push(repository, "second")
    clone.rename(tmp_path / "old")
    clone = run_job(repository, "contents", tmp_path)
    assert git(clone, "log", "-1", "--format=%an: %s") == "github-actions[bot]: Contents"
    changed = git(clone, "show", "--name-status", "--no-renames", "--format=", "HEAD").split("\n")
    assert changed == ["M\tREADME.md", "D\ttags/nlp.md", "A\ttags/vision.md"]
    assert git(clone, "rev-parse", "HEAD") == git(tmp_path / "remote.git", "rev-parse", "main")
    git(repository, "pull", "-q")
    assert run("contents", "--check") == "The contents are up to date.\n"
    site = run_job(repository, "report", tmp_path) / "site"
    assert (
        'type="application/atom+xml" title="Recent ML Research" href="feed.xml">'
        in (site / "index.html").read_text()
    )
    assert "https://you.github.io/you/feed.xml" in (site / "feed.xml").read_text()
