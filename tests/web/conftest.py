import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from studiolo.library import Library
from studiolo.report import pictures
from studiolo.web import shelf
from studiolo.web.app import app_of
from studiolo.web.room import room_for


HOST = "http://127.0.0.1:8420"
EXAMPLE = Path(__file__).parents[2] / "src" / "studiolo" / "example"


@pytest.fixture(scope="session", autouse=True)
def drawings(tmp_path_factory):
    """A folder for kept drawings that is nobody's."""
    folder = tmp_path_factory.mktemp("drawings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "cache_folder", lambda: folder)
        yield folder


@pytest.fixture
def home(library):
    """The bundled library, as `studiolo init` writes it."""
    for part in ("lists", "topics"):
        shutil.copytree(EXAMPLE / part, library / part)
    return Library(library)


@pytest.fixture
def no_papers(monkeypatch):
    """Discover no paper folder: tests of lists are ten times as fast."""
    monkeypatch.setattr(shelf, "discover", lambda *_, **__: [])


@pytest.fixture
def room(home):
    return room_for(home.folder)


@pytest.fixture
def client(room):
    """A browser on this machine: it keeps the cookie, and its forms come from our own pages."""
    client = TestClient(
        app_of(room), base_url=HOST, headers={"origin": HOST}, follow_redirects=False
    )
    client.cookies.set("studiolo", room.seal.cookie)
    return client
