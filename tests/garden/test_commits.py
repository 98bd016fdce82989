"""The day of a page's last change is that of a person's words, not of a rename, of tags, of a title or of a program."""

import os
import subprocess

import pytest

from studiolo.errors import FileError
from studiolo.garden.commits import last_changes


PERSON = ("Ada", "ada@example.org")
ROBOTS = [
    ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com"),
    ("Github Action", "action@github.com"),
    ("ada", "runner@fv-az82-322.x.internal.cloudapp.net"),
    ("renovate[bot]", "bot@example.org"),
]


@pytest.fixture
def repository(tmp_path):
    run(tmp_path, "init", "-q", "-b", "main")
    return tmp_path


def run(folder, *words, who=PERSON, day="2020-01-01"):
    name, email = who
    date = f"{day}T23:30:00-0800"
    environment = {
        **os.environ,
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
        "GIT_COMMITTER_DATE": date,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    subprocess.run(["git", *words], cwd=folder, check=True, env=environment, capture_output=True)


def commit(folder, day, text=None, name="a.md", who=PERSON):
    if text is not None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "x", who=who, day=day)


def day_of(folder, name="a.md"):
    return last_changes(folder, [folder / name])[folder / name]


BODY = "# Title\n\nlabels: a\n\nWords of the page.\n"


@pytest.mark.parametrize(
    "text",
    [
        BODY.replace("labels: a", "labels: a, b"),
        BODY.replace("# Title", "# Another title"),
        BODY.replace("labels: a\n\n", ""),
        BODY + "\n<!-- TAGS\nnlp\n-->\n",
        BODY.replace("labels: a", "![](https://img.shields.io/badge/tag-llm-grey) [![](b.svg)](tags/llm.md)"),
        BODY.replace("labels: a", "#nlp #vision"),
        BODY.replace("\n", "\r\n"),
        BODY + "\n\n<!-- studiolo:topic -->\n* new\n<!-- /studiolo:topic -->\n",
        "---\ntags: [x]\n---\n" + BODY,
    ],
    ids=["tags", "title", "no-tags", "comment", "badges", "hashtags", "newlines", "part", "front"],
)  # fmt: skip
def test_other_tags_or_another_title_is_not_a_change(repository, text):
    commit(repository, "2020-01-02", BODY)
    commit(repository, "2021-01-02", text)
    assert day_of(repository) == "2020-01-02"


@pytest.mark.parametrize(
    "text",
    [BODY + "More.\n", BODY.replace("Words", "Other words"), BODY.replace("page.", "page. #nlp")],
)
def test_other_words_are_a_change(repository, text):
    commit(repository, "2020-01-02", BODY)
    commit(repository, "2021-01-02", text)
    assert day_of(repository) == "2021-01-02"


@pytest.mark.parametrize("who", ROBOTS, ids=lambda who: who[1])
def test_commit_of_a_program_is_not_a_change(repository, who):
    commit(repository, "2020-01-02", BODY)
    commit(repository, "2021-01-02", BODY + "Written by a program.\n", who=who)
    assert day_of(repository) == "2020-01-02"


def test_page_that_only_programs_wrote_has_the_day_of_its_first_commit(repository):
    commit(repository, "2020-01-02", BODY, who=ROBOTS[0])
    commit(repository, "2021-01-02", BODY + "More.\n", who=ROBOTS[0])
    assert day_of(repository) == "2020-01-02"


def test_renames_are_followed_and_are_no_changes(repository):
    commit(repository, "2020-01-02", BODY * 5, name="old name.md")
    for day, name in (("2021-01-02", "notes/é.md"), ("2022-01-02", "a.md")):
        old = next(repository.rglob("*.md"))
        (repository / name).parent.mkdir(exist_ok=True)
        old.rename(repository / name)
        commit(repository, day)
    assert day_of(repository) == "2020-01-02"


def test_name_that_was_another_page_before_is_not_confused_with_it(repository):
    commit(repository, "2020-01-02", "# A\n\nThe first page called so.\n")
    (repository / "a.md").rename(repository / "b.md")
    commit(repository, "2021-01-02")
    commit(repository, "2022-01-02", "# New\n\nQuite another one, and of other words.\n")
    commit(repository, "2023-01-02", "# A\n\nThe first page, changed.\n", name="c.md")
    assert (day_of(repository), day_of(repository, "b.md")) == ("2022-01-02", "2020-01-02")


def test_uncommitted_words_have_the_day_of_the_file_and_uncommitted_tags_do_not(repository):
    commit(repository, "2020-01-02", BODY)
    (repository / "a.md").write_text(BODY.replace("labels: a", "labels: b"))
    assert day_of(repository) == "2020-01-02"
    (repository / "a.md").write_text(BODY + "More.\n")
    (repository / "new.md").write_text(BODY)
    for name in ("a.md", "new.md"):
        os.utime(repository / name, (1_700_000_000, 1_700_000_000))
        assert day_of(repository, name).startswith("2023-11-1")


def test_library_below_the_top_of_a_repository(repository):
    commit(repository, "2020-01-02", BODY, name="library/a.md")
    commit(repository, "2021-01-02", BODY + "Elsewhere.\n", name="a.md")
    assert day_of(repository / "library") == "2020-01-02"


def test_without_git_it_is_the_day_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text(BODY)
    os.utime(tmp_path / "a.md", (1_700_000_000, 1_700_000_000))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert day_of(tmp_path).startswith("2023-11-1")
    monkeypatch.setenv("PATH", "")
    assert day_of(tmp_path).startswith("2023-11-1")


def test_shallow_clone_says_how_to_fetch_the_rest(repository, tmp_path_factory):
    for day in ("2020-01-02", "2021-01-02"):
        commit(repository, day, BODY + day)
    clone = tmp_path_factory.mktemp("clone") / "c"
    run(repository, "clone", "-q", "--depth", "1", repository.as_uri(), str(clone))
    with pytest.raises(FileError, match="git fetch --unshallow"):
        day_of(clone)
