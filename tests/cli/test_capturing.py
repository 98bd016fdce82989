"""Capture from anywhere: issues and feeds into the inbox, again by sync, and issues closed with a word."""

import json

import pytest

from studiolo.errors import NetworkError, UsageError
from tests.net.server import Said, Server

from .commands import run


ISSUE = {
    "number": 7, "title": "FNet", "body": "### Link\n\nhttps://arxiv.org/abs/2105.03824\n\n### Why\n\nFourier.",
    "html_url": "https://github.com/me/reading/issues/7", "labels": [{"name": "to-read"}, {"name": "nlp"}],
    "comments": 0, "created_at": "2026-01-02T00:00:00Z", "user": {"login": "me"},
}  # fmt: skip
ISSUES = "/repos/me/reading/issues"
FEED = b"""<rss version="2.0"><channel><title>F</title><link>https://example.org</link>
<item><title>A post</title><link>https://example.org/a</link><guid>https://example.org/a</guid></item></channel></rss>"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "my-library"
    (folder / ".studiolo").mkdir(parents=True)
    (folder / "list.md").write_text("# To Review\n\n* [B](https://arxiv.org/abs/2101.00001)\n")
    for name in ("GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN", "STUDIOLO_GITLAB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("STUDIOLO_GITHUB_API", server.url)
    server.say(ISSUES, Said.json([ISSUE]))
    yield server
    server.close()


def test_issue_goes_into_the_inbox_once_and_onto_a_list_with_what_was_said(library, server):
    said = run("collect", "github-issues", "me/reading", "--label", "to-read")
    assert said == "read 1 = new 1 + known 0 + skipped 0\nNext: studiolo inbox\n"
    assert "new 0 + known 1" in run("collect", "github-issues", "me/reading", "--label", "to-read")
    run("add", "arxiv:2105.03824", "--section", "To Review")
    text = (library / "list.md").read_text()
    assert "* [FNet](https://arxiv.org/abs/2105.03824)\n  * Fourier.\n" in text
    assert "nlp" in run("tags", "FNet")


def test_sync_reads_issues_and_feeds_again(library, server):
    server.say("/feed", Said(FEED))
    run("collect", "github-issues", "me/reading", "--label", "to-read", "--all")
    run("collect", "feed", f"{server.url}/feed")
    places = [json.loads(line) for line in (library / ".studiolo/sources.jsonl").read_text().splitlines()]  # fmt: skip
    assert [(one["how"], one["where"], one.get("options")) for one in places] == [
        ("repository", "me/reading", {"label": "to-read", "all": True}),
        ("page", f"{server.url}/feed", None),
    ]
    server.say(ISSUES, Said.json([ISSUE, {**ISSUE, "number": 8, "body": "", "title": "A thought"}]))
    server.asked.clear()
    said = run("sync")
    assert "github-issues me/reading: read 2 = new 1 + known 1 + skipped 0\n" in said
    assert f"feed {server.url}/feed: read 1 = new 0 + known 1 + skipped 0\n" in said
    assert "state=all" in server.asked[0].path
    assert "labels=to-read" in server.asked[0].path


def test_closing_wants_a_token_names_where_it_went_and_is_not_done_twice(
    library, server, monkeypatch
):
    with pytest.raises(UsageError, match=r"--close needs a token.*GITHUB_TOKEN"):
        run("collect", "github-issues", "me/reading", "--close")
    assert server.asked == []
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    assert "Would close 1 issue." in run("collect", "github-issues", "me/reading", "--close", "--dry-run")  # fmt: skip
    server.say(f"{ISSUES}/7/comments", Said.json({}, status=201))
    server.say(f"{ISSUES}/7", Said.json({"state": "closed"}))
    server.asked.clear()
    said = run("collect", "github-issues", "me/reading", "--close")
    assert said.endswith("1 issue closed, each with a comment that names where it went.\n")
    changes = [(one.method, one.path, json.loads(one.body)) for one in server.asked[1:]]
    assert changes == [
        ("POST", f"{ISSUES}/7/comments", {"body": "Collected by Studiolo as arxiv:2105.03824 into the inbox of my-library."}),
        ("PATCH", f"{ISSUES}/7", {"state": "closed"}),
    ]  # fmt: skip
    told = {**ISSUE, "comments": 1}
    server.say(ISSUES, Said.json([told]))
    server.say(f"{ISSUES}/7/comments", Said.json([{"body": changes[0][2]["body"], "user": {"login": "me"}}]))  # fmt: skip
    server.asked.clear()
    said = run("collect", "github-issues", "me/reading", "--close")
    assert "new 0 + known 1 + skipped 0" in said
    assert [one.method for one in server.asked] == ["GET", "GET", "PATCH"]


def test_site_that_refuses_keeps_what_was_collected(library, server, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    server.say(f"{ISSUES}/7/comments", Said.json({"message": "no"}, status=403))
    with pytest.raises(NetworkError, match="answered with status 403"):
        run("collect", "github-issues", "me/reading", "--close")
    assert [one.method for one in server.asked] == ["GET", "POST"]  # sent once
    assert "FNet" in run("inbox")


def test_token_goes_to_its_own_site_alone(library, server, monkeypatch):
    """A stranger's library may name any host; `sync` would send it what the reader keeps for another."""
    monkeypatch.setenv("GITLAB_TOKEN", "secret")
    project = "/api/v4/projects/a%2Fb/issues"
    server.say(project, Said.json([]))
    run("collect", "github-issues", f"{server.url}/a/b", "--kind", "gitlab")
    assert "PRIVATE-TOKEN" not in {name.upper() for name in server.asked[0].headers}
    monkeypatch.setenv("STUDIOLO_GITLAB", server.url)
    run("sync")
    assert server.asked[1].headers["PRIVATE-TOKEN"] == "secret"
    monkeypatch.delenv("STUDIOLO_GITHUB_API")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    server.say("/api/v3/repos/a/b/issues", Said.json([]))
    run("collect", "github-issues", f"{server.url}/a/b", "--kind", "github")
    assert "Authorization" not in server.asked[2].headers


def test_files_are_recognised(library):
    (library / "f.xml").write_bytes(FEED)
    (library / "i.json").write_text(json.dumps([ISSUE]))
    said = run("collect", "f.xml", "i.json")
    assert "f.xml: a feed in RSS or Atom, read as `studiolo collect feed` does" in said
    assert "i.json: issues in JSON, read as `studiolo collect github-issues` does" in said
    assert said.count("new 1") == 2
    with pytest.raises(UsageError, match="A file has no issues to close"):
        run("collect", "github-issues", "i.json", "--close")
