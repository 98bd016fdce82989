"""What holds for every test, those of the papers among them."""

import os

import pytest


# Tests, and the fork servers they start, compute with one thread, as the command does: on two
# busy cores the threads of one small matrix product wait for each other a hundred times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def fresh_compiler():
    """Forget what torch compiled: its limit of recompilations counts what earlier tests compiled."""
    import torch

    torch._dynamo.reset()
