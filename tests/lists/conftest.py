"""Where the lists to test with are."""

import os
from pathlib import Path

import pytest

import carrel
from carrel.lists import Document


EXAMPLE = Path(carrel.__file__).parent / "example/lists/recent-ml-research.md"


def shared() -> Path | None:
    """Return the folder of real lists, if CARREL_SHARED names one."""
    folder = os.environ.get("CARREL_SHARED")
    return Path(folder) if folder else None


def real_lists() -> list[Path]:
    """Return the real lists that are here: the bundled one, and those of CARREL_SHARED."""
    folder = shared()
    more = sorted([*folder.glob("lists/*.md"), *folder.glob("seed/*.md")]) if folder else []
    return [EXAMPLE, *more] if EXAMPLE.exists() else more


@pytest.fixture
def seed() -> Document:
    """The list that Carrel bundles."""
    return Document.load(EXAMPLE)
