"""Which papers can run: the built-in folders and those beside a reader's list. Found by path, never imported."""

from __future__ import annotations

from pathlib import Path

from studiolo.claims import Paper, load_paper
from studiolo.errors import PaperError

from .worker import BUILT_IN


def paper_folders(library: Path | None = None) -> list[Path]:
    """Return the paper folders in the order of their names: built-in ones, then those in `library`/papers."""
    homes = [BUILT_IN] if library is None else [BUILT_IN, library / "papers"]
    return [
        folder.parent
        for home in homes
        for folder in sorted(home.glob("*/paper.toml"))
        if not folder.parent.name.startswith("_")
    ]


def discover(
    library: Path | None = None, *, problems: list[PaperError] | None = None
) -> list[Paper]:
    """Load all papers that can run; a reader's folder of the same name replaces the built-in one.

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
    """True if the paper's code came with a library, not with Studiolo."""
    return paper.folder.parent != BUILT_IN
