"""What a run would do at a place: the seeds that are left, what they cost by what was recorded, and what cannot be tested."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studiolo.claims import Paper

from .evidence import (
    Evidence,
    Setting,
    load_evidence,
    load_library_evidence,
    load_reference_evidence,
    typical_wall_s,
)
from .fingerprint import canonical
from .machine import Place
from .plan import Bundle, LeftOut, plan_next


@dataclass(frozen=True, slots=True)
class Expected:
    """What a claim with its parts and controls still costs, or a figure.

    Attributes:
        unmeasured: how many of its seeds nobody has measured yet: each counts as a guess of five seconds.
        memory_bytes: the most that a process of such a seed held; None where no machine has measured any.
        gpus, processes: the most that one of its seeds needs at a time.
    """

    bundle: Bundle
    unmeasured: int
    memory_bytes: int | None
    gpus: int
    processes: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is left to run, in order, and what cannot be tested at the place, or what was not asked for."""

    expected: Sequence[Expected]
    left_out: Sequence[LeftOut]

    @property
    def seeds(self) -> int:
        """How many seeds are left."""
        return sum(len(one.bundle.seeds) for one in self.expected)

    @property
    def cost_s(self) -> float:
        """Estimated seconds of one worker."""
        return sum(one.bundle.cost_s for one in self.expected)

    def wall_s(self, jobs: int) -> float:
        """Estimated seconds on the clock with so many workers."""
        return sum(one.bundle.wall_s(jobs) for one in self.expected)


def forecast(
    papers: Sequence[Paper], library: Path, place: Place, *, scales: Collection[str] = ()
) -> Forecast:
    """Say what a run would do at `place`. Costs are of that machine where it measured the like, else of any other.

    Raises:
        RunError: records cannot be read.
    """
    known = {
        paper.slug: [load_evidence(paper, library, place), *load_library_evidence(paper, library), *load_reference_evidence(paper)]
        for paper in papers
    }  # fmt: skip
    typical = {slug: typical_wall_s(sources) for slug, sources in known.items()}
    memory = {slug: _most_memory(sources) for slug, sources in known.items()}
    rest = plan_next(known, scales=scales)
    expected = [_expected(b, typical[b.paper.slug], memory[b.paper.slug]) for b in rest.bundles]
    return Forecast(expected, rest.left_out)


def _expected(
    bundle: Bundle, typical: Mapping[Setting, float], memory: Mapping[Setting, int]
) -> Expected:
    experiments = [seed.experiment for seed in bundle.seeds]
    held = [memory[e.setting] for e in experiments if e.setting in memory]
    return Expected(
        bundle,
        unmeasured=sum(e.setting not in typical for e in experiments),
        memory_bytes=max(held, default=None),
        gpus=max((e.gpus for e in experiments), default=0),
        processes=max((e.processes for e in experiments), default=1),
    )


def _most_memory(sources: Iterable[Evidence]) -> Mapping[Setting, int]:
    """Return the most bytes that a process of (run, config) held, on any machine and of any code."""
    most: dict[Setting, int] = {}
    for source in sources:
        for record in source.records:
            if record.status == "ok":
                setting = (record.run, canonical(record.config))
                most[setting] = max(most.get(setting, 0), record.peak_mem_bytes)
    return most
