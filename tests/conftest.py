import os

import pytest


# Fork servers started by tests compute with one thread, as those of the command do.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def library(tmp_path):
    """An empty library: a folder with `.carrel/`."""
    (tmp_path / ".carrel").mkdir()
    return tmp_path
