import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from studiolo.library import Library
from studiolo.web import shelf
from studiolo.web.app import app_of
from studiolo.web.room import room_for
from tests.browsing import browser, open_page  # noqa: F401  (fixtures)
from tests.report.conftest import drawings  # noqa: F401


HOST = "http://127.0.0.1:8420"
EXAMPLE = Path(__file__).parents[2] / "src" / "studiolo" / "example"


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
