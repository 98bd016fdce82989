"""What this machine can measure: the findings behind `studiolo doctor`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from studiolo import runs
from studiolo.errors import PaperError, UsageError

from .console import counted


if TYPE_CHECKING:
    from studiolo.claims import Paper

SPIN_S = 0.2
RUN_EXTRA = {  # packages of the extra `run`, and the module of each
    "torch": "torch",
    "scipy": "scipy",
    "scikit-learn": "sklearn",
    "vl-convert-python": "vl_convert",
    "pillow": "PIL",
    "jaxtyping": "jaxtyping",
    "psutil": "psutil",
}
FETCHABLE = ("fashion_mnist", "mnist", "tinyshakespeare")  # by studiolo fetch-data


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, whether it is as one would wish, and what it means."""

    what: str
    fine: bool
    says: str


def diagnose(library: Path) -> Iterator[Finding]:
    """Look at everything that decides what can be measured here, one finding after the other.

    Raises:
        UsageError: `library` is not a folder.
    """
    if not library.is_dir():
        raise UsageError(
            f"{library} is not a folder. Name a library, or leave it out for this one."
        )
    machine = runs.this_machine()
    yield Finding("machine", True, f"{machine} (records are named {machine.slug})")
    yield Finding("environment", True, f"{runs.this_environment()}, {sys.platform}")
    yield _extras()
    yield Finding(
        "GPU",
        machine.gpu is not None,
        machine.gpu or "none: claims that need cuda are not testable here",
    )
    yield _quiet()
    yield _disk(library)
    yield from _data(library)
    chromium = shutil.which("chromium")
    yield Finding(
        "browser tests",
        chromium is not None,
        chromium or "skipped: no Chromium (apt-get install chromium)",
    )


def _extras() -> Finding:
    missing = [package for package, module in RUN_EXTRA.items() if find_spec(module) is None]
    if missing:
        return Finding(
            "run extra", False, f"lacks {', '.join(missing)}: pip install 'studiolo[run]'"
        )
    return Finding("run extra", True, "installed")


def _quiet() -> Finding:
    """Spin for a moment and see how much of a core this process gets."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < SPIN_S:
        pass
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    load = os.getloadavg()[0]
    says = (
        f"{share:.0%} of a core is available, load {load:.1f} on {runs.this_machine().cores} cores"
    )
    if share < 0.8:
        says += ": CPU-time ratios are still valid, wall-clock claims would be marked busy"
    return Finding("quiet", share >= 0.8, says)


def _disk(library: Path) -> Finding:
    free_gib = shutil.disk_usage(library).free / 2**30
    try:
        with tempfile.NamedTemporaryFile(dir=library):
            pass
    except OSError as error:
        return Finding("library", False, f"{library.resolve()} cannot be written: {error}")
    return Finding(
        "library", free_gib > 1, f"{library.resolve()} can be written, {free_gib:.0f} GiB free"
    )


def _data(library: Path) -> Iterator[Finding]:
    root = os.environ.get("STUDIOLO_DATA")
    if root is None:
        says = "STUDIOLO_DATA is not set: experiments use the sets that need no download, and say which set they lack"
        yield Finding("data", False, says)
    elif not Path(root).is_dir():
        yield Finding("data", False, f"STUDIOLO_DATA names {root}, which is not a folder")
    else:
        there = sorted(path.name for path in Path(root).iterdir() if path.is_dir())
        yield Finding("data", True, f"{root} holds {', '.join(there) or 'nothing'}")
    problems: list[PaperError] = []
    papers = runs.discover(library, problems=problems)
    for name, unlocks in sorted(_unlocked_by_set(papers).items()):
        place = _place_of(name)
        if place is not None:
            yield Finding("data", True, f"{name} is in {place}")
            continue
        claims = "; ".join(f"{slug}: {', '.join(ids)}" for slug, ids in unlocks.items())
        number = counted(sum(map(len, unlocks.values())), "claim")
        how = f"studiolo fetch-data {name}" if name in FETCHABLE else "put it into the folder that STUDIOLO_DATA names"  # fmt: skip
        yield Finding("data", False, f"{name} is not here ({how}). It would unlock {number} of {claims}")  # fmt: skip
    yield Finding(
        "papers",
        not problems,
        f"{len(papers)} can run, {len(problems)} {'is' if len(problems) == 1 else 'are'} wrong (studiolo check-papers)",
    )


def _unlocked_by_set(papers: Iterable[Paper]) -> dict[str, dict[str, list[str]]]:
    """Return, by data set and paper, the claims that need it: the paper's own, our questions and checks, not controls."""
    unlocked: dict[str, dict[str, list[str]]] = {}
    for paper in papers:
        needs = {claim.id: claim.needs for claim in paper.claims}
        for claim in (*paper.papers_claims, *paper.our_questions, *paper.checks):
            wanted = {*claim.needs, *(need for part in claim.all_of for need in needs[part])}
            for need in wanted:
                if need.startswith("data:"):
                    of_set = unlocked.setdefault(need.removeprefix("data:"), {})
                    of_set.setdefault(paper.slug, []).append(claim.id)
    return unlocked


def _place_of(name: str) -> Path | None:
    """Return the folder that holds a data set."""
    import platformdirs

    root = os.environ.get("STUDIOLO_DATA")
    cache = Path(platformdirs.user_cache_dir("studiolo")) / "data"
    for place in (*([Path(root)] if root else []), cache):
        folder = place / name
        if folder.is_dir() and any(path.suffix != ".part" for path in folder.iterdir()):
            return folder
    return None
