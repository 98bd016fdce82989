"""A page per paper, and measuring from it: nothing runs without a word, progress is told, a reload finds it, it can be stopped."""

import html
import re
import sys
import textwrap
import time

import pytest
from starlette.testclient import TestClient

from studiolo.web import measuring
from studiolo.web.app import app_of
from studiolo.web.room import room_for
from tests.report.synthetic import make_paper, make_records

from .conftest import HOST
from .inert import acts
from .test_changing import fields_of


LIST = """# A list

* [A made-up paper](https://arxiv.org/abs/2001.00001)
  * Q: Does it hold?
* [Another](https://arxiv.org/abs/2001.00099)
  * see also [the first](https://arxiv.org/abs/2001.00001) about it
"""
KEY = "/paper/arxiv:2001.00001"


@pytest.fixture
def made(library):
    paper = make_paper(library, figures=["lines"])
    make_records(library, paper, points=20)
    (library / "list.md").write_text(LIST)
    room = room_for(library)
    client = TestClient(
        app_of(room), base_url=HOST, headers={"origin": HOST}, follow_redirects=False
    )
    client.cookies.set("studiolo", room.seal.cookie)
    yield client, room, paper
    room.measuring.end()


def test_page_tells_what_the_list_says_and_what_was_measured(made):
    client, _, paper = made
    page = client.get(KEY).text
    assert "A made-up paper" in page
    assert "Does it hold?" in page
    assert "list.md" in page
    assert 'class="verdict' in page
    assert "<svg " in page
    assert f'id="{paper.slug}-' in page
    assert acts(page) == []
    assert "file://" not in page
    assert ">curve</span>" in page  # its code beside it


def test_paper_that_is_only_mentioned_says_where(made):
    client, _, _ = made
    page = client.get(KEY).text
    assert "Mentioned" in page or "see also" in page


FAKE = """
import json, signal, sys, time
def tell(**event): print(json.dumps(event), flush=True)
stopped = False
def stop(*_):
    global stopped
    stopped = True
signal.signal(signal.SIGINT, stop)
tell(event="Planned", seeds=3, jobs=1, cost_s=3.0, budget_s=None)
for done in range(1, 4):
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end and not stopped: time.sleep(.01)
    if stopped: break
    tell(event="SeedFinished", record={}, done=done, total=3, left_s=1.0)
    print("not json", flush=True)
tell(event="Finished", done=done, stopped=stopped)
"""


@pytest.fixture
def fake(monkeypatch):
    """Run a script that tells events in the place of `studiolo run`."""
    commands = []

    def use(pause_s=0.01, script=FAKE):
        def command(self, slug, path, budget):
            commands.append((slug, path.name, budget))
            return [sys.executable, "-c", textwrap.dedent(script), str(pause_s)]

        monkeypatch.setattr(measuring.Measuring, "command", command)
        return commands

    return use


def agree(client, slug):
    page = client.get(f"/measure/{slug}").text
    form = re.findall(r"<form[^>]*action=\"/measure/.*?</form>", page, re.DOTALL)[0]
    (digest,) = re.findall(r'name="agreed" value="([^"]*)"', form)
    return {**fields_of(form), "agreed": digest, "budget": "1m"}


def test_readers_own_code_runs_only_after_a_word(made, fake):
    client, room, paper = made
    commands = fake()
    page = client.get(f"/measure/{paper.slug}").text
    assert "came with the library" in page
    assert str(paper.folder.resolve()) in html.unescape(page)
    answer = client.post(f"/measure/{paper.slug}", data={"token": room.seal.token, "budget": "1m"})
    assert answer.status_code == 409
    assert "agree first" in answer.text
    form = agree(client, paper.slug)
    (paper.folder / "experiments.py").write_text("import os\n")
    assert client.post(f"/measure/{paper.slug}", data=form).status_code == 409
    assert commands == []
    assert client.post(f"/measure/{paper.slug}", data=agree(client, paper.slug)).status_code == 303
    assert commands == [(paper.slug, "list.md", "1m")]


def test_progress_is_told_to_its_end(made, fake):
    client, room, paper = made
    fake()
    assert (
        client.post(f"/measure/{paper.slug}", data=agree(client, paper.slug)).headers["location"]
        == KEY
    )
    events = client.get(f"/measure/{paper.slug}/events").text
    assert '"total": 3' in events
    assert events.endswith("event: end\ndata: {}\n\n")
    assert '"says": "Measured 3 seeds."' in events
    assert room.measuring.current is None
    assert "Measured 3 seeds." in client.get(KEY).text


def test_reload_finds_it_another_waits_and_it_can_be_stopped(made, fake):
    client, room, paper = made
    fake(pause_s=30)
    form = agree(client, paper.slug)
    client.post(f"/measure/{paper.slug}", data=form)
    for _ in range(2):
        page = client.get(KEY).text
        assert f'data-events="/measure/{paper.slug}/events"' in page
    assert "Wait for its end" in html.unescape(
        client.post(f"/measure/{paper.slug}", data=form).text
    )
    answer = client.post(f"/measure/{paper.slug}/stop", data={"token": room.seal.token})
    assert answer.headers["location"] == KEY
    assert room.measuring.of(paper.slug).wait(10)
    assert "It was stopped; the next run goes on from here." in client.get(KEY).text


def test_run_that_fails_says_why(made, fake):
    client, room, paper = made
    fake(
        script="import sys; print('studiolo: These papers need torch.', file=sys.stderr); sys.exit(1)"
    )
    client.post(f"/measure/{paper.slug}", data=agree(client, paper.slug))
    assert room.measuring.of(paper.slug).wait(10)
    assert "These papers need torch." in client.get(KEY).text


def test_end_of_the_server_ends_the_run(made, fake):
    client, room, paper = made
    fake(pause_s=30)
    client.post(f"/measure/{paper.slug}", data=agree(client, paper.slug))
    job = room.measuring.of(paper.slug)
    room.measuring.end()
    assert job.wait(5)
    assert job.process.poll() is not None


def test_run_without_our_token_is_refused(made, fake):
    client, _room, paper = made
    commands = fake()
    form = agree(client, paper.slug)
    assert client.post(f"/measure/{paper.slug}", data={**form, "token": "x"}).status_code == 403
    assert commands == []


@pytest.mark.parametrize(
    "path", ["/measure/nothing", "/measure/..%2f..", "/measure/nothing/events"]
)
def test_unknown_paper_is_said(made, path):
    client, _, _ = made
    assert client.get(path).status_code == 404


def test_budget_is_one_of_those_offered(made, fake):
    client, _, paper = made
    commands = fake()
    answer = client.post(
        f"/measure/{paper.slug}", data={**agree(client, paper.slug), "budget": "1m; rm -rf /"}
    )
    assert answer.status_code == 404
    assert commands == []


@pytest.mark.slow
def test_real_run_measures_what_is_missing(made):
    client, room, paper = made
    client.post(f"/measure/{paper.slug}", data=agree(client, paper.slug))
    job = room.measuring.of(paper.slug)
    assert job.wait(120)
    assert "Measured" in job.says or "Nothing is left" in job.says, job.says
    time.sleep(0.3)
    assert client.get(KEY).status_code == 200
