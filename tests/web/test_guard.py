"""Who may ask. Every attempt from elsewhere fails: rebinding, forged forms, framing, traversal, hostile lists."""

import os

import pytest
from starlette.testclient import TestClient

from studiolo.keys import Key
from studiolo.web.app import ROUTES, app_of
from studiolo.web.guard import is_loopback
from studiolo.web.room import address, room_for, static_address

from .conftest import HOST
from .inert import acts


pytestmark = pytest.mark.usefixtures("no_papers")
LIST = "/list/lists/recent-ml-research.md"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "localhost.evil.example", "2130706433", "0.0.0.0:8420",
     "127.0.0.1@evil.example", "[::1", "[::2]", "", "127.0.0.1:", "localhost:8420:1", "LOCALHOST.:8420"],
)  # fmt: skip
def test_other_host_is_refused(client, host):
    """DNS rebinding: a page of evil.example whose name now points at this machine."""
    answer = client.get(LIST, headers={"host": host})
    assert answer.status_code == 421
    assert "answers only to 127.0.0.1" in answer.text
    assert "FNet" not in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "LOCALHOST:8420", "[::1]:8420"])
def test_loopback_names_are_answered(client, host):
    assert is_loopback(host)
    assert client.get(LIST, headers={"host": host}).status_code == 200


def test_every_answer_carries_the_strict_policy(client):
    for path in (LIST, "/nowhere", "/list/nothing.md", static_address("studiolo.js")):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    refused = client.get(LIST, headers={"host": "evil.example"})
    assert "default-src 'none'" in refused.headers["content-security-policy"]


def test_cookie_is_for_this_site_alone(room):
    answer = TestClient(app_of(room), base_url=HOST).get(LIST)
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]


POSTS = sorted(route.path for route in ROUTES if "POST" in (route.methods or ()))


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://127.0.0.1:8420", "http://127.0.0.1:9", "http://localhost:8420",
     "http://127.0.0.1:8420.evil.example", "http://127.0.0.1:8420/", "http://[", "http://a@127.0.0.1:8420"],
)  # fmt: skip
def test_form_from_another_page_is_refused(client, room, origin):
    for path in POSTS or ["/x"]:
        answer = client.post(path, data={"token": room.seal.token}, headers={"origin": origin})
        assert answer.status_code == 403, path
        assert "must come from a page of this server" in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_form_that_the_browser_calls_foreign_is_refused(client, room, site):
    answer = client.post("/x", data={"token": room.seal.token}, headers={"sec-fetch-site": site})
    assert answer.status_code == 403


def test_what_is_here_cannot_be_read_into_a_foreign_page(client):
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get(LIST, headers=foreign).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get(LIST, headers=followed).status_code == 200


def test_other_methods_are_refused(client):
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert client.request(method, LIST).status_code == 405


def test_key_is_one_value_of_an_address():
    assert (
        address("/suggest", key=Key("arxiv", "2105.03824"), tag=["a", "b"])
        == "/suggest?key=arxiv%3A2105.03824&tag=a&tag=b"
    )


def test_large_forms_and_long_addresses_are_refused(client):
    assert client.post("/x", content=b"a" * 1_000_001).status_code == 413
    assert client.post("/x", headers={"content-length": "many"}).status_code == 413
    assert client.get(LIST + "?words=" + "a" * 8_000).status_code == 414


@pytest.mark.parametrize(
    "name",
    ["../secret.md", "lists/../../secret.md", "%2e%2e/secret.md", "..%2fsecret.md", "%2e%2e%2fsecret.md", "..%5csecret.md",
     "/etc/passwd", "lists/", "", ".studiolo/reading.jsonl", "%00", "lists/recent-ml-research.md%00", "link.md", "loop.md",
     "papers/own/README.md", "....//secret.md", "file:///etc/passwd", "C:\\secret.md"],
)  # fmt: skip
def test_no_file_outside_of_the_library_is_shown(client, home, name):
    secret = home.folder.parent / "secret.md"
    secret.write_text("# The secret\n")
    (home.folder / "link.md").symlink_to(secret)
    (home.folder / "loop.md").symlink_to("loop.md")
    for query in ("", "?format=markdown"):
        answer = client.get(f"/list/{name}{query}")
        assert answer.status_code == 404, answer.text[:200]
        assert "The secret" not in answer.text


def test_static_files_are_those_of_the_room(client):
    for path in ("/static/x/../../guard.py", "/static/x/%2e%2e%2fguard.py", "/static/x/guard.py"):
        assert client.get(path).status_code == 404


HOSTILE = """# <script>alert(1)</script> list

<img src=x onerror=alert(0)> <iframe src=//evil.example></iframe> [a](javascript:alert(1)) ![b](http://evil.example/pixel.png)

## <b onclick=alert(9)>Section</b> "quoted"

* [<img src=x onerror=alert(2)> \u202eevil](https://arxiv.org/abs/2001.00001) #"><script>alert(3)</script>
  * <b onclick=alert(3)>note</b> javascript:alert(4) https://a.example/"onmouseover="alert(5)
  * [click](javascript:alert(5)) [page](../../etc/"><script>x.md) [d](data:text/html,x)
  * Q: <script>alert(6)</script>?
  * A: <svg onload=alert(6)>
* <svg onload=alert(7)> </style><script>alert(8)</script> https://arxiv.org/abs/2001.00002
* https://x.example/?a="><script>alert(1)</script>

<!-- TAGS
"><script>alert(10)</script>
-->
"""
NAMES = [
    "a.md",
    '"><script>alert(1)<.md',
    "<img src=x onerror=alert(1)>.md",
    "50% & more.md",
    "a b#c?d.md",
]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_list_is_shown_as_text(library, name):
    (library / name).write_text(HOSTILE)
    (library / "topics").mkdir()
    (library / "topics" / "t.md").write_text(HOSTILE)
    room = room_for(library)
    client = TestClient(app_of(room), base_url=HOST)
    first = client.get("/")
    assert first.status_code == 200
    assert acts(first.text) == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt; list" in first.text
    assert "evil.example/pixel" not in first.text
    assert acts(client.get("/list/topics/t.md").text) == []
    query = {"words": '"><script>alert(1)</script>', "state": "read", "year": "2020"}
    assert acts(client.get(first.url.path, params=query).text) == []
    sorry = client.get(first.url.path, params={"state": "<script>alert(1)</script>"})
    assert sorry.status_code == 404
    assert acts(sorry.text) == []


def test_test_of_inert_pages_can_fail():
    for page in ("<script>x</script>", "<a href=javascript:x>", "<b onclick=x>", "<img src=x>"):
        assert acts(page)


def test_fault_of_our_own_shows_nothing_of_the_machine(room, monkeypatch, caplog):
    monkeypatch.setattr(type(room.shelf), "moment", lambda self, **_: 1 / 0)
    client = TestClient(app_of(room), base_url=HOST, raise_server_exceptions=False)
    answer = client.get(LIST)
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert os.sep + "studiolo" not in answer.text


def test_library_closed_to_its_reader_is_a_sentence(client, home):
    (home.folder / "lists" / "recent-ml-research.md").unlink()
    (home.folder / "lists" / "recent-ml-research.md").mkdir()
    assert client.get(LIST).status_code == 404
