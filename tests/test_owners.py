"""What owners of lists get: a hook for pre-commit and an action for GitHub."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from studiolo.lists.checks import CHECKS
from tests.cli.commands import run


ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
MATCHERS = json.loads((ROOT / ".github" / "problem-matcher.json").read_text())["problemMatcher"]
GOOD = "# Papers\n\n* [FNet](https://arxiv.org/abs/2105.03824)\n"
TWICE = GOOD + "* [FNet again](https://arxiv.org/pdf/2105.03824)\n"
DEAD = GOOD + "* [Gone](gone.md)\n"


@pytest.fixture
def repository(tmp_path):
    """A stranger's repository with nothing but a README."""
    folder = tmp_path / "awesome"
    folder.mkdir()
    (folder / "README.md").write_text(GOOD)
    return folder


def act(folder, **inputs):
    """Run the last step of the action as GitHub does."""
    given = {name: one["default"] for name, one in ACTION["inputs"].items()} | inputs
    step = ACTION["runs"]["steps"][-1]
    values = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], text)
        for name, text in step["env"].items()
    }
    programs = folder.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "studiolo").write_text(f'#!/bin/sh\nexec {sys.executable} -m studiolo "$@"\n')
    (programs / "studiolo").chmod(0o755)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | values | {"GITHUB_ACTION_PATH": str(ROOT), "PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip


def test_action_passes_a_good_list_and_writes_nothing(repository):
    done = act(repository)
    assert done.returncode == 0, done.stderr
    assert "0 errors, 0 warnings" in done.stdout
    assert f"::add-matcher::{ROOT}/.github/problem-matcher.json" in done.stdout
    assert [path.name for path in repository.iterdir()] == ["README.md"]


def test_action_fails_at_errors_and_at_warnings_where_it_is_strict(repository):
    (repository / "README.md").write_text(TWICE)
    assert act(repository).returncode == 0
    assert act(repository, strict="true").returncode == 1
    (repository / "other.md").write_text(DEAD)
    assert act(repository, lists="README.md other.md").returncode == 1


def test_an_input_is_never_a_command(repository):
    done = act(repository, lists="$(touch ran) ;touch`touch ran` --library=/ README.md")
    assert done.returncode != 0
    assert not (repository / "ran").exists()
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_every_finding_becomes_an_annotation_of_its_level(repository, monkeypatch):
    monkeypatch.chdir(repository)
    Path("README.md").write_text(TWICE + "* [Gone](gone.md)\n\n## Empty\n")
    lines = run("check", "README.md", code=1).splitlines()[:-1]
    levels = [
        {m["severity"] for m in MATCHERS if re.match(m["pattern"][0]["regexp"], line)}
        for line in lines
    ]
    assert levels == [{CHECKS[line.split(": ")[1]]} for line in lines]
    assert len(lines) >= 3
    for check, level in CHECKS.items():
        matching = [
            m for m in MATCHERS if re.match(m["pattern"][0]["regexp"], f"a.md:3: {check}: Says.")
        ]
        assert [m["severity"] for m in matching] == [level]


def test_action_has_what_github_asks_for():
    assert ACTION["runs"]["using"] == "composite"
    assert all(step.get("shell") == "bash" for step in ACTION["runs"]["steps"] if "run" in step)
    assert all(one["description"] for one in ACTION["inputs"].values())


def test_examples_on_the_page_are_yaml_and_name_what_there_is():
    page = (ROOT / "docs" / "owners.md").read_text()
    workflow, hooks = map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S))
    step = workflow["jobs"]["check"]["steps"][-1]
    assert set(step["with"]) == set(ACTION["inputs"])
    there = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for repo in hooks["repos"] for hook in repo["hooks"]} == there


@pytest.mark.slow
def test_pre_commit_runs_the_hook_from_a_clone(repository, tmp_path):
    clone = tmp_path / "clone"
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in names:
        wanted = name.startswith(("src/", "docs/index_page.py")) or "/" not in name
        if name and wanted and (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    environment = os.environ | {
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "A"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "a@example.org"),
    }

    def git(*words, cwd):
        subprocess.run(["git", *words], cwd=cwd, env=environment, check=True, capture_output=True)

    for folder in (clone, repository):
        git("init", "--quiet", cwd=folder)
        git("add", ".", cwd=folder)
        git("commit", "--quiet", "-m", "All of it", cwd=folder)

    def hook():
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "try-repo", clone, "studiolo-check", "--all-files"],
            cwd=repository, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = hook()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout
    (repository / "README.md").write_text(DEAD)
    done = hook()
    assert done.returncode == 1
    assert "README.md:4: dead-link: gone.md does not exist." in done.stdout
