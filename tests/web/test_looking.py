"""What belongs together, looking papers up, and taking views along: on pages, with the exact lines."""

import re
import xml.etree.ElementTree as ET
from contextlib import nullcontext

import pytest

from studiolo.keys import Key
from studiolo.library import Inbox, Library, load_changes
from studiolo.lists import Document
from studiolo.metadata import Facts, Fetched
from studiolo.sources import SavedItem
from studiolo.web import looking

from .inert import acts
from .test_changing import confirm, diff_of, fields_of, shown


pytestmark = pytest.mark.usefixtures("no_papers")
FNET, DOI = "arxiv:2105.03824", "doi:10.1000/182"
LIST = "/list/lists/recent-ml-research.md"


@pytest.mark.parametrize(("verb", "grade"), [("same", "same"), ("apart", "different")])
def test_word_about_two_keys_is_shown_as_its_line_written_and_taken_back(client, home, verb, grade):
    page = shown(client, verb, key=FNET, other=DOI, back=f"/paper/{FNET}")
    (line,) = diff_of(page)
    assert f'"grade":"{grade}"' in line
    answer = confirm(client, verb, page)
    assert answer.status_code == 303
    assert (home.state / "edges.jsonl").read_text() == line[1:] + "\n"
    assert (DOI in client.get(f"/paper/{FNET}").text) or verb == "apart"
    assert "You said so before" in shown(client, verb, key=FNET, other=DOI)
    undo = shown(client, "undo")
    assert "Not said any more" in undo
    confirm(client, "undo", undo)
    assert "forgotten" in (home.state / "edges.jsonl").read_text()
    assert len(load_changes(home)) == 0


def test_paper_is_not_another_than_itself(client):
    answer = client.get("/change/apart", params={"key": FNET, "other": FNET})
    assert answer.status_code == 422
    assert "Give two different keys" in answer.text


@pytest.fixture
def services(monkeypatch):
    """What services say, without them: FNet's title, and nothing else."""
    asked = []

    def fetch(library, keys, client, **settings):
        asked.append((list(map(str, keys)), settings["refresh"]))
        known = [k for k in keys if str(k) == FNET]
        facts = [Facts(k, "<b>FNet</b>", ("A. B",), 2021, said_by="arxiv") for k in known]
        failed = {k: "arXiv did not answer." for k in keys if k not in known}
        return Fetched({f.key: f for f in facts}, facts, failed)

    monkeypatch.setattr(looking, "fetch_facts", fetch)
    monkeypatch.setattr(looking, "make_client", lambda library: nullcontext())
    return asked


def test_looking_up_is_said_before_and_shows_what_was_kept(client, services):
    page = client.get("/lookup", params={"key": [FNET, "arxiv:1706.03762"]}).text
    assert services == []
    (form,) = re.findall(r'<form class="confirm".*?</form>', page, re.DOTALL)
    answer = client.post("/lookup", data=fields_of(form))
    assert services == [([FNET, "arxiv:1706.03762"], False)]
    assert "&lt;b&gt;FNet" in answer.text
    assert "arXiv did not answer." in answer.text
    assert len(diff_of(answer.text)) == 1
    assert acts(answer.text) == []


@pytest.mark.parametrize("data", [{"key": FNET}, {"key": FNET, "token": "x"}])
def test_nobody_is_asked_without_our_token(client, services, data):
    assert client.post("/lookup", data=data).status_code == 403
    assert services == []


@pytest.mark.parametrize("key", ["", "url:https://a.example/x.pdf", "github:a/b", "nonsense"])
def test_services_are_asked_about_papers_alone(client, room, services, key):
    assert client.post("/lookup", data={"key": key, "token": room.seal.token}).status_code == 404
    assert services == []


def test_one_look_up_at_a_time(client, room, services):
    with room.looking:
        answer = client.post("/lookup", data={"key": FNET, "token": room.seal.token})
    assert "Try again" in answer.text
    assert services == []


VIEWS = [LIST, f"{LIST}?has=question", "/inbox", "/find?q=attention", f"/paper/{FNET}", "/paper/arxiv:1706.03762", "/list/topics/gradient-double-descent.md"]  # fmt: skip


@pytest.fixture
def saved(home):
    evil = "<script>alert(1)</script> ](javascript:alert(2)) Attention"
    Inbox(home).collect(
        [SavedItem("bookmarks", "https://arxiv.org/abs/1706.03762", evil, note="mine")]
    )


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.usefixtures("saved")
def test_every_view_is_taken_along_in_every_format(client, view):
    page = client.get(view).text
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*format=[^"]*)"', page)]
    if view.startswith("/list/topics"):
        links = [f"{view}?format=markdown", f"{view}?format=atom"]
    assert len(set(links)) >= 2
    for link in set(links):
        answer = client.get(link)
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert "mine" not in answer.text.split("json")[0] or "json" in link
        if "format=atom" in link:
            root = ET.fromstring(answer.text)
            assert root.tag.endswith("feed")
            assert link.partition("?")[0] in root.find("{*}id").text
        if "format=markdown" in link:
            document = Document(answer.content)
            assert all(one.url.startswith("http") for one in document.links)
    assert client.get(f"{view}{'&' if '?' in view else '?'}format=exe").status_code == 404


@pytest.mark.usefixtures("saved")
def test_feed_of_a_view_holds_what_it_shows(client):
    root = ET.fromstring(client.get(f"{LIST}?has=question&format=atom").text)
    (entry,) = root.findall("{*}entry")
    assert "FNet" in entry.find("{*}title").text
    assert entry.find("{*}link").get("href") == "https://arxiv.org/abs/2105.03824"


def test_inbox_is_counted_a_moment_later(client, room, home, saved):
    client.get("/inbox")
    assert room.shelf.moment().num_waiting == 1
    assert '<span class="n" id="waiting">1</span>' in client.get(LIST).text
    assert Key.parse(FNET) in room.shelf.moment().waiting.on_lists


def test_readme_alone_is_a_list_to_scan(library):
    from starlette.testclient import TestClient

    from studiolo.web.app import app_of
    from studiolo.web.room import room_for

    from .conftest import HOST

    (library / "README.md").write_text(
        "# Things\n\n| a | b |\n| --: | :-- |\n| 1 | 2 |\n\n* [Tool](https://github.com/a/b)\n* [Tool 2](https://github.com/a/c)\n* [P](https://arxiv.org/abs/2001.00001)\n"
    )
    assert not Library(library).lists
    page = TestClient(app_of(room_for(library)), base_url=HOST).get("/list/README.md").text
    assert page.count('<li class="line') >= 3
    assert "style=" not in page
