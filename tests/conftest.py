import pytest


@pytest.fixture
def library(tmp_path):
    """An empty library: a folder with `.studiolo/`."""
    (tmp_path / ".studiolo").mkdir()
    return tmp_path
