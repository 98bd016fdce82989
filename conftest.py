"""What holds for every test, those of the papers among them."""

import os
import shutil

import pytest


# Tests, and the fork servers they start, compute with one thread, as the command does: on two
# busy cores the threads of one small matrix product wait for each other a hundred times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Triton's own functions are read by its interpreter or its compiler, whichever is asked for when it is first imported.
if shutil.which("nvidia-smi") is None:
    os.environ.setdefault("TRITON_INTERPRET", "1")


DRY = "STUDIOLO_GPU_DRY"  # set: tests marked gpu that take `device` run on the CPU


def pytest_collection_modifyitems(items):
    """Skip the tests marked gpu where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked or _has_gpu():
        return
    skip = pytest.mark.skip(
        reason="needs a GPU that torch can use; make gpu DRY=1 tries it on the CPU"
    )
    for item in marked:
        if not (os.environ.get(DRY) and "device" in item.fixturenames):
            item.add_marker(skip)


def _has_gpu():
    from studiolo.runs import this_machine

    if this_machine().gpu is None:
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture
def device():
    """Where a test marked gpu computes: "cuda", or "cpu" in a dry run."""
    return "cpu" if os.environ.get(DRY) else "cuda"


@pytest.fixture
def fresh_compiler():
    """Forget what torch compiled: its limit of recompilations counts what earlier tests compiled."""
    import torch

    torch._dynamo.reset()


@pytest.fixture
def without_shape_checks(monkeypatch):
    """Let a caller's mistake reach the sentence that is written for it, past the types that tests check."""
    import jaxtyping

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
