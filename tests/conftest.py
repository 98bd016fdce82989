import os

import pytest


# Fork servers started by tests compute with one thread, as those of the command do.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def library(tmp_path):
    """An empty library: a folder with `.studiolo/`."""
    (tmp_path / ".studiolo").mkdir()
    return tmp_path
