"""Issues of three sites, in the shapes of their APIs: what each becomes, which are asked for, and how they are closed."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.sources.issues import (
    Issue,
    close_issue,
    fetch_issues,
    issue_item,
    load_issues,
    repository_at,
)
from tests.net.server import Said

from .reading import split


FORM = (
    "### Link\n\nhttps://arxiv.org/abs/2105.03824v2\n\n### Why\n\nFourier instead of attention.\n\n"
    "### Tags\n\nfourier, #mixing\n\n### State\n\nreading\n\n### Other\n\n_No response_"
)


def github(number, title, body="", labels=(), comments=0, **more):
    return {
        "number": number,
        "title": title,
        "body": body,
        "html_url": f"https://github.com/o/r/issues/{number}",
        "labels": [{"name": name} for name in labels],
        "comments": comments,
        "created_at": "2026-01-02T03:04:05Z",
        "user": {"login": "o"},
        **more,
    }


def comment(body, login="o", **more):
    return {"body": body, "user": {"login": login}, **more}


def read(entry, comments=(), **more):
    return issue_item(entry, list(comments), host="github.com", path="o/r", **more)


def test_our_form_fills_link_note_tags_and_state():
    item = read(github(7, "FNet", FORM, ["to-read", "nlp"]), label="to-read")
    assert (item.url, item.title) == ("https://arxiv.org/abs/2105.03824v2", "FNet")
    assert item.note == "Fourier instead of attention."
    assert item.tags == ("nlp", "fourier", "mixing")
    assert (item.state, item.saved_at) == ("reading", "2026-01-02T03:04:05Z")
    assert item.extra == {"issue": "https://github.com/o/r/issues/7"}
    assert item.native == "github.com/o/r#7"


@pytest.mark.parametrize(
    ("title", "body", "url", "shown"),
    [
        ("https://arxiv.org/abs/2105.03824", None, "https://arxiv.org/abs/2105.03824", ""),
        ("2105.03824", "", "https://arxiv.org/abs/2105.03824", ""),
        ("read arXiv:2105.03824", "", "https://arxiv.org/abs/2105.03824", "read arXiv:2105.03824"),
        ("A post", "https://example.org/post then https://arxiv.org/abs/2101.00001", "https://arxiv.org/abs/2101.00001", "A post"),
        ("A post", "see https://example.org/post", "https://example.org/post", "A post"),
        ("[FNet](https://arxiv.org/abs/2105.03824)", "", "https://arxiv.org/abs/2105.03824", "FNet"),
        ("Only a thought", "No link at all.", "https://github.com/o/r/issues/1", "Only a thought"),
    ],
)  # fmt: skip
def test_issue_is_its_first_paper_else_its_first_link_else_itself(title, body, url, shown):
    item = read(github(1, title, body))
    assert (item.url, item.title) == (url, shown)


def test_other_links_and_comments_are_kept_and_what_sites_say_is_not():
    body = "https://arxiv.org/abs/2105.03824\r\ncode: https://github.com/google/fnet\r\nand https://arxiv.org/abs/2101.00001"
    said = [
        comment("second thought"),
        comment("nice", "ada"),
        comment("mentioned in commit", "o", system=True),
        comment("Collected by Studiolo as arxiv:2105.03824"),
        "junk",
    ]
    item = read(github(1, "FNet", body), said)
    assert [(link.role, link.url) for link in item.links] == [
        ("description", "https://github.com/google/fnet"),
        ("several", "https://arxiv.org/abs/2101.00001"),
    ]
    assert item.note == (
        "code: https://github.com/google/fnet\nand https://arxiv.org/abs/2101.00001\n\n"
        "added: second thought\n\nada: nice"
    )


@pytest.mark.parametrize("entry", [{}, {"number": True}, {"number": "7", "html_url": "https://github.com/o/r/issues/7"}, {"number": 1, "html_url": "javascript:x"}, {"title": []}])  # fmt: skip
def test_what_is_not_an_issue_is_skipped(entry):
    assert str(read(entry)).startswith("github.com/o/r#")


@pytest.mark.parametrize(
    ("where", "kind", "issues"),
    [
        ("o/r", "", "https://api.github.com/repos/o/r/issues"),
        ("https://github.com/o/r/issues", "", "https://api.github.com/repos/o/r/issues"),
        ("https://www.github.com/o/r.git", "", "https://api.github.com/repos/o/r/issues"),
        ("https://gitlab.com/a/b/c/-/issues/3", "", "https://gitlab.com/api/v4/projects/a%2Fb%2Fc/issues"),
        ("https://codeberg.org/o/r/", "", "https://codeberg.org/api/v1/repos/o/r/issues"),
        ("https://git.example.org/o/r", "gitea", "https://git.example.org/api/v1/repos/o/r/issues"),
        ("https://git.example.org/o/r", "github", "https://git.example.org/api/v3/repos/o/r/issues"),
    ],
)  # fmt: skip
def test_repository_is_found_by_its_name_or_address(where, kind, issues):
    assert repository_at(where, kind=kind).issues == issues


@pytest.mark.parametrize(
    ("where", "kind", "why"),
    [
        ("nonsense", "", "is not a repository"),
        ("o/r", "gitlab", "is not a repository"),
        ("ftp://x.org/o/r", "", "is not a repository"),
        ("https://x.org/o/r?x=../..", "", "whether x.org is GitLab or Gitea"),
        ("https://x.org/o/r", "svn", "'svn' is not a kind of site"),
        ("../..", "", "is not a repository"),
    ],
)
def test_what_is_not_a_repository_is_said(where, kind, why):
    with pytest.raises(UsageError, match=why):
        repository_at(where, kind=kind)


def asked_of(server, number=0):
    parts = urlsplit(server.asked[number].path)
    return parts.path, {name: value[0] for name, value in parse_qs(parts.query).items()}


def test_github_is_read_page_by_page_without_pull_requests(server, client):
    base = "/repos/o/r/issues"
    second = f'<{server.url}{base}?page=2>; rel="next"'
    first = [github(1, "A", comments=1), github(2, "PR", pull_request={"url": "x"}), "junk"]
    server.say(f"{base}?page=2", Said.json([github(3, "C")]))
    server.say(base, Said.json(first, headers={"Link": second}))
    server.say(f"{base}/1/comments", Said.json([comment("more")]))
    told = []
    repository = repository_at("o/r", api=server.url)
    items, _, skipped = split(
        fetch_issues(client, repository, label="to-read", token="secret", on_issue=told.append)
    )
    assert [item.title for item in items] == ["A", "C"]
    assert [str(one) for one in skipped] == ["github.com/o/r: not an issue but str"]
    path, asked = asked_of(server)
    assert (path, asked["state"], asked["labels"]) == (base, "open", "to-read")
    assert server.asked[0].headers["Authorization"] == "Bearer secret"
    assert [(issue.number, issue.is_told) for issue in told] == [(1, False), (3, False)]


def test_gitlab_and_gitea_are_read_in_their_own_shapes(server, client):
    gitlab = {
        "iid": 4, "id": 99, "title": "L", "description": "https://arxiv.org/abs/2101.00001", "labels": ["to-read", "x"],
        "web_url": "https://gitlab.com/a/b/c/-/issues/4", "created_at": "2026-01-02T00:00:00.000Z",
        "author": {"username": "me"}, "user_notes_count": 1,
    }  # fmt: skip
    project = "/api/v4/projects/a%2Fb%2Fc/issues"
    server.say(project, Said.json([gitlab]))
    server.say(f"{project}/4/notes", Said.json([{"body": "hm", "system": False, "author": {"username": "me"}}]))  # fmt: skip
    repository = repository_at(f"{server.url}/a/b/c", kind="gitlab")
    [item], _, _ = split(fetch_issues(client, repository, label="to-read", token="t"))
    assert (item.url, item.tags, item.note) == (
        "https://arxiv.org/abs/2101.00001",
        ("x",),
        "added: hm",
    )
    assert asked_of(server)[1]["state"] == "opened"
    assert server.asked[0].headers["PRIVATE-TOKEN"] == "t"
    server.asked.clear()
    server.say("/api/v1/repos/o/r/issues", Said.json([github(5, "G")]))
    repository = repository_at(f"{server.url}/o/r", kind="gitea")
    [item], _, _ = split(fetch_issues(client, repository, everything=True, token="t"))
    assert item.title == "G"
    assert asked_of(server)[1] == {"state": "all", "sort": "oldest", "type": "issues", "limit": "50"}  # fmt: skip
    assert server.asked[0].headers["Authorization"] == "token t"


def test_next_page_on_another_host_is_not_followed(server, client):
    headers = {"Link": '<https://evil.example/issues?page=2>; rel="next"'}
    server.say("/repos/o/r/issues", Said.json([github(1, "A")], headers=headers))
    with pytest.raises(NetworkError, match="puts the next page on another host"):
        split(fetch_issues(client, repository_at("o/r", api=server.url), token="secret"))


def test_unknown_repository_says_which_token_it_may_need(server, client):
    with pytest.raises(NetworkError, match=r"Is it private.*GITHUB_TOKEN"):
        split(fetch_issues(client, repository_at("o/r", api=server.url)))


@pytest.mark.parametrize(
    ("kind", "base", "says", "method", "closed"),
    [
        ("github", "/api/v3/repos/o/r/issues/1", "comments", "PATCH", {"state": "closed"}),
        ("gitea", "/api/v1/repos/o/r/issues/1", "comments", "PATCH", {"state": "closed"}),
        ("gitlab", "/api/v4/projects/o%2Fr/issues/1", "notes", "PUT", {"state_event": "close"}),
    ],
)
def test_closing_says_where_the_issue_went_once(server, client, kind, base, says, method, closed):
    repository = repository_at(f"{server.url}/o/r", kind=kind)
    server.say(f"{base}/{says}", Said.json({}, status=201))
    server.say(base, Said.json({}))
    item = read(github(1, "A"))
    close_issue(client, repository, Issue(1, item, False), "as arxiv:1 into mine.", token="t")
    sent = [(asked.method, asked.path, json.loads(asked.body)) for asked in server.asked]
    assert sent == [
        ("POST", f"{base}/{says}", {"body": "Collected by Studiolo as arxiv:1 into mine."}),
        (method, base, closed),
    ]
    close_issue(client, repository, Issue(1, item, True), "again", token="t")
    assert [asked.method for asked in server.asked[2:]] == [method]


def test_file_of_an_api_or_of_gh_is_read(tmp_path):
    said = {
        "number": 3, "title": "FNet", "body": FORM, "url": "https://github.com/o/r/issues/3", "labels": [{"name": "to-read"}],
        "comments": [{"body": "hm", "author": {"login": "ada"}}], "createdAt": "2026-01-02T03:04:05Z", "author": {"login": "o"},
    }  # fmt: skip
    path = tmp_path / "issues.json"
    path.write_text(json.dumps([[said], [3]]))
    [item], _, [skipped] = split(load_issues(path, label="to-read"))
    assert (item.native, item.tags) == ("github.com/o/r#3", ("fourier", "mixing"))
    assert item.note.endswith("ada: hm")
    assert str(skipped) == "issues.json, item 2: not an issue but int"
    path.write_text('{"a": 1}')
    with pytest.raises(SourceError, match="holds no issues"):
        split(load_issues(path))
