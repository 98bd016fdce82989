"""Fixtures for every test that needs the server; imported by the conftest of each folder."""

import pytest

from studiolo.net import Cache, Client, Host

from .server import Server


FAST = Host(pause_s=0.0, wait_s=0.01, attempts=3)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client(tmp_path):
    """A client that waits hundredths of seconds."""
    with Client(Cache(tmp_path / "cache"), hosts={"127.0.0.1": FAST}, timeout_s=0.5) as client:
        yield client


@pytest.fixture
def offline(tmp_path):
    """A client on the same cache that asks nobody."""
    with Client(Cache(tmp_path / "cache"), offline=True) as client:
        yield client
