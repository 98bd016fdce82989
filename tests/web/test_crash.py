"""A server that dies at any write of any POST loses nothing that was confirmed, and spoils nothing."""

import contextlib
import shutil
import time
from contextlib import nullcontext

import httpx2
import psutil
import pytest
from starlette.testclient import TestClient

from studiolo.errors import UsageError
from studiolo.keys import Key
from studiolo.library import Inbox, Library, load_facts, load_kept, load_waiting, undo
from studiolo.library.waiting import refused_names
from studiolo.metadata import Facts, Fetched
from studiolo.sources import SavedItem
from studiolo.web import looking
from studiolo.web.app import app_of
from studiolo.web.room import room_for
from tests.library.test_crash import run_and_die
from tests.runs.chaos import make_library, records_of

from .conftest import HOST
from .readers import Server
from .test_changing import fields_of, shown
from .test_paper import agree


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_papers")]
LIST = "# To Review\n\n* [A](https://arxiv.org/abs/2009.14794)\n  * a note\n\n# Read\n\n* [B](https://arxiv.org/abs/1912.07242)\n"
A, SAVED, OTHER = "arxiv:2009.14794", "arxiv:2105.03824", "arxiv:1706.03762"
CHANGES = {
    "state": {"to": "read"},
    "note": {"text": "compare with B"},
    "tag": {"add": "theory"},
    "move": {"section": "Read"},
    "remove": {},
    "add": {"key": SAVED},
    "pass": {"name": SAVED},
    "same": {"key": A, "other": "doi:10.1000/182"},
    "apart": {"key": A, "other": OTHER},
    "take": {"name": [SAVED, OTHER]},
    "refuse": {"key": "arxiv:1912.02757", "title": "Deep ensembles"},
}
OF_THE_LIST = ("state", "note", "tag", "move", "remove")


@pytest.fixture
def client(library):
    (library / "list.md").write_text(LIST)
    Inbox(Library(library)).collect(
        [SavedItem("bookmarks", f"https://arxiv.org/abs/{key[6:]}", f"Saved {key}") for key in (SAVED, OTHER)]
    )  # fmt: skip
    return browse(library)


def browse(folder):
    """Return a browser and a server that has just started."""
    room = room_for(folder)
    client = TestClient(
        app_of(room), base_url=HOST, headers={"origin": HOST}, follow_redirects=False
    )
    client.cookies.set("studiolo", room.seal.cookie)
    return client


def form_of(page):
    start = page.index('<form class="confirm"')
    return fields_of(page[start : page.index("</form>", start)])


def files_in(folder):
    """Return what the reader and Studiolo wrote, by name; caches and locks are neither."""
    paths = (p for p in folder.rglob("*") if p.is_file() and "cache" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.suffix in (".md", ".jsonl")}  # fmt: skip


def known(folder):
    """Return what a reader sees: the list, what is kept beside it, what waits, what is one work or not, and what is for nobody."""
    home = Library(folder)
    waiting = load_waiting(home)
    return (
        (folder / "list.md").read_text(),
        {
            key: (one.state, one.tags)
            for key, one in load_kept(folder).items()
            if one.state or one.tags
        },
        [one.name for one in waiting.pending],
        waiting.works.keys(Key.parse(A)),
        waiting.works.edges_of(Key.parse(A)),
        refused_names(home),
    )


def dies_everywhere(folder, client, address, data):
    """Let the server die at one call after the other that touches the disk, and yield after each death."""
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for nth in range(1, 80):
        if not run_and_die(lambda: client.post(address, data=data), nth, half=True):
            assert nth > 4
            return
        yield
        shutil.rmtree(folder)
        for path, data_before in kept.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data_before)
    raise AssertionError("it never ended")


@pytest.mark.parametrize("verb", CHANGES)
def test_death_at_any_write_of_a_change(library, client, verb):
    fields = CHANGES[verb]
    if verb in OF_THE_LIST:
        fields = {
            **fields,
            "e": client.get("/list/list.md").text.split('data-e="')[1].split('"')[0],
        }
    data = form_of(shown(client, verb, **fields))
    before, nothing_changed = files_in(library), known(library)
    seen = set()
    for _ in dies_everywhere(library, client, f"/change/{verb}", data):
        here = files_in(library)
        seen.add(here["list.md"])
        lost = {name for name, text in before.items() if name != "list.md" and not here[name].startswith(text)}  # fmt: skip
        assert lost == set()  # these only grow
        again = browse(library)
        assert again.get("/list/list.md").status_code == 200
        with contextlib.suppress(UsageError):  # there is nothing to take back: it was not made
            undo(Library(library))
        assert known(library) == nothing_changed
        answer = again.post(f"/change/{verb}", data=form_of(shown(again, verb, **fields)))
        assert answer.status_code == 303
        assert known(library) != nothing_changed
        undo(Library(library))
        assert known(library) == nothing_changed
    assert seen <= {before["list.md"], files_in(library)["list.md"]}  # whole, or not at all


def test_death_at_any_write_of_an_undo(library, client):
    client.post("/change/add", data=form_of(shown(client, "add", key=SAVED)))
    assert SAVED[6:] in (library / "list.md").read_text()
    data = form_of(shown(client, "undo"))
    for _ in dies_everywhere(library, client, "/change/undo", data):
        assert browse(library).get("/list/list.md").status_code == 200
        with contextlib.suppress(UsageError):  # it was taken back
            undo(Library(library))
        assert (library / "list.md").read_text() == LIST
        assert {one.name for one in load_waiting(Library(library)).pending} == {SAVED, OTHER}


def test_death_at_any_write_of_a_look_up(library, client, monkeypatch):
    said = [Facts(Key.parse(key), f"Title of {key}", ("A. B",), 2021, said_by="arxiv") for key in (A, SAVED)]  # fmt: skip
    monkeypatch.setattr(looking, "make_client", lambda library: nullcontext())
    monkeypatch.setattr(
        "studiolo.metadata.fetch_facts",
        lambda *_, **__: Fetched({f.key: f for f in said}, said, {}),
    )
    data = form_of(client.get("/lookup", params={"key": [A, SAVED]}).text)
    for _ in dies_everywhere(library, client, "/lookup", data):
        assert (library / "list.md").read_text() == LIST
        again = browse(library)
        again.post("/lookup", data=form_of(again.get("/lookup", params={"key": [A, SAVED]}).text))
        assert {str(key) for key in load_facts(Library(library))} == {A, SAVED}


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        (
            "/save",
            {"url": "https://arxiv.org/abs/1312.6114", "title": "VAE", "note": "for <later>"},
        ),
        ("/collect", {"text": "https://arxiv.org/abs/1312.6114\narxiv:1502.03167\n"}),
    ],
)
def test_death_at_any_write_of_what_is_saved(library, client, address, fields):
    token = fields_of(client.get("/collect").text)["token"]
    for _ in dies_everywhere(library, client, address, {**fields, "token": token}):
        assert (library / "list.md").read_text() == LIST
        again = browse(library)
        assert {one.name for one in load_waiting(Library(library)).pending} >= {SAVED, OTHER}
        again.post(
            address, data={**fields, "token": fields_of(again.get("/collect").text)["token"]}
        )
        names = [one.name for one in load_waiting(Library(library)).pending]
        assert "arxiv:1312.6114" in names
        assert len(names) == len(set(names)) == (3 if address == "/save" else 4)


@contextlib.contextmanager
def measuring(folder, slug="chaos"):
    """Yield a server that measures a paper, and a browser; the server is killed afterwards."""
    server = Server(folder)
    try:
        with httpx2.Client(base_url=server.address, timeout=60, headers={"origin": server.address}) as client:  # fmt: skip
            answer = client.post(f"/measure/{slug}", data=agree(client, slug))
            assert answer.status_code == 303
            yield server, client
    finally:
        server.kill()


@pytest.mark.parametrize("seeds", [0, 3])
def test_death_while_it_measures(tmp_path, seeds):
    """What was measured stays, no process does, and the next server measures the rest."""
    folder = make_library(tmp_path / "library", seed_s=0.2, claims=1).parent
    with measuring(folder) as (server, _):
        while len(records_of(folder)) < seeds:
            time.sleep(0.05)
        family = psutil.Process(server.process.pid).children(recursive=True)
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    kept = records_of(folder)
    assert seeds <= len(kept) < 18
    with measuring(folder) as (_, client):
        end = time.monotonic() + 120
        while f"Measured {18 - len(kept)} seed" not in client.get("/paper/arxiv:2001.00001").text:
            assert time.monotonic() < end
            time.sleep(0.2)
    records = records_of(folder)
    assert records[: len(kept)] == kept
    assert sorted(record["index"] for record in records) == [*range(18)]
