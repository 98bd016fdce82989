"""Which papers can run: built-in folders, installed packages, and those of a library. Found by path, never imported."""

from __future__ import annotations

from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path

from studiolo.claims import Paper, load_paper
from studiolo.errors import PaperError

from .worker import BUILT_IN


GROUP = "studiolo.papers"  # of entry points: a package that is a paper folder


def paper_folders(library: Path | None = None) -> list[Path]:
    """Return the paper folders in the order of their names: built-in ones, installed ones, then those in `library`/papers."""
    own = [] if library is None else _folders_in(library / "papers")
    return [*_folders_in(BUILT_IN), *installed_folders(), *own]


def _folders_in(home: Path) -> list[Path]:
    folders = (path.parent for path in sorted(home.glob("*/paper.toml")))
    return [folder for folder in folders if not folder.name.startswith("_")]


@cache
def installed_folders() -> tuple[Path, ...]:
    """Return the paper folders that installed packages name in their entry points of the group `studiolo.papers`.

    Each entry point names a package that is a paper folder: `rectifiers = "rectifiers"`. One that cannot be found
    stands for a folder that is not there.
    """
    found = {point.value: _folder_of(point.value) for point in entry_points(group=GROUP)}
    return tuple(sorted(found.values(), key=lambda folder: folder.name))


def _folder_of(package: str) -> Path:
    """Return the folder of a package, which is not imported for it."""
    places: list[str] | None = None
    for name in package.split("."):
        spec = PathFinder.find_spec(name, places)
        if spec is None or not spec.submodule_search_locations:
            return Path(package)
        places = list(spec.submodule_search_locations)
    return Path((places or [package])[0])


def discover(
    library: Path | None = None, *, problems: list[PaperError] | None = None
) -> list[Paper]:
    """Load all papers that can run; a library's folder replaces an installed one of its name, and that a built-in one.

    Args:
        library: the reader's library, whose `papers/` counts too.
        problems: where given, wrong folders are appended to it and left out.

    Raises:
        PaperError: a paper.toml is wrong, and `problems` is not given.
    """
    papers: dict[str, Paper] = {}
    for folder in paper_folders(library):
        try:
            papers[folder.name] = load_paper(folder)
        except PaperError as error:
            if problems is None:
                raise
            problems.append(error)
    return list(papers.values())


def is_readers_own(paper: Paper) -> bool:
    """True if the paper's code came with a library, not with Studiolo or a package that somebody installed."""
    return paper.folder.parent != BUILT_IN and paper.folder not in installed_folders()
