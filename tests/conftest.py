import pytest
from hypothesis import settings


# The same examples every time, so that a change is judged by what it changed. To look for new ones:
# make test ON='-m slow --hypothesis-profile=search'
settings.register_profile("same", derandomize=True)
settings.register_profile("search", max_examples=1000, print_blob=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory, monkeypatch):
    """A state folder of its own for every test: what a reader saw must not count in another test."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture
def library(tmp_path):
    """An empty library: a folder with `.studiolo/`."""
    (tmp_path / ".studiolo").mkdir()
    return tmp_path
