import os

import pytest


# Fork servers started by tests compute with one thread, as those of the command do.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
