"""From records to verdicts: which recorded seeds speak for a claim, with the code as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carrel.claims import Claim, Figure, Paper, Seed, Verdict, judge_paper

from .fingerprint import Code, canonical, code_of, fingerprint
from .machine import this_environment, this_machine
from .records import Record, load_records, record_files


SeedKey = tuple[str, str, int, int]  # run, canonical config, series, index

FIGURE_SEEDS = 5  # of an experiment that no claim asks for: enough for a median with an interval
FIGURE_TIMEOUT_S = 120.0


def results_folder(library: Path, paper: Paper) -> Path:
    """Return where a library keeps a paper's records."""
    return library / ".carrel" / "results" / paper.slug


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a claim or a figure wants measured."""

    run: str
    config: Mapping[str, Any]
    series: int
    seeds: int
    timeout_s: float
    timing: bool

    def key(self, index: int) -> SeedKey:
        """Return what identifies one seed, whatever the code."""
        return (self.run, canonical(self.config), self.series, index)


def experiment_of(claim: Claim) -> Experiment:
    """Return what a claim that measures wants measured."""
    return Experiment(
        claim.run, claim.config, claim.series, claim.seeds, claim.timeout_s, claim.timing
    )


def experiment_of_figure(paper: Paper, figure: Figure) -> Experiment:
    """Return what a figure shows: the experiment of a claim with the same run and config, else one of its own."""
    same = [
        claim
        for claim in paper.claims
        if claim.run == figure.run and canonical(claim.config) == canonical(figure.config)
    ]
    if same:
        return experiment_of(max(same, key=lambda claim: (claim.series, claim.seeds)))
    return Experiment(figure.run, figure.config, 0, FIGURE_SEEDS, FIGURE_TIMEOUT_S, False)


def record_key(record: Record) -> SeedKey:
    """Return what identifies the seed that a record is about, whatever the code."""
    return (record.run, canonical(record.config), record.series, record.index)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The records of one machine for one paper, and what they say.

    Attributes:
        machine: the slug of the machine they were measured on.
        records: all of them, oldest first, those of older code included.
        folder: where their arrays lie.
        here: True for this machine, whose verdicts count; others are shown beside them.
    """

    paper: Paper
    machine: str
    records: Sequence[Record]
    folder: Path
    here: bool
    code: Code
    _current: dict[SeedKey, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the records that the present code and environment would give again; a later one replaces an earlier."""
        for record in self.records:
            if self.speaks(record):
                self._current[record_key(record)] = record

    def speaks(self, record: Record) -> bool:
        """True if this record came from the code as it is now and, on this machine, from this environment."""
        expected = fingerprint(self.code, record.run, record.config, record.series, record.index)
        return record.fingerprint == expected and (
            not self.here or record.environment == this_environment()
        )

    def records_of(self, experiment: Experiment) -> list[Record]:
        """Return the records of an experiment's seeds that speak, in seed order."""
        found = (self._current.get(experiment.key(index)) for index in range(experiment.seeds))
        return [record for record in found if record is not None]

    def seeds_of(self, claim: Claim) -> list[Seed]:
        """Return the seeds that a claim is judged by."""
        if "cuda" in claim.needs and self.here and this_machine().gpu is None:
            return [Seed(0, "needs", None, "needs cuda")]
        return [_seed(claim, record) for record in self.records_of(experiment_of(claim))]

    def verdicts(self) -> dict[str, Verdict]:
        """Judge all claims of the paper by these records."""
        return judge_paper(self.paper, self.seeds_of)

    def rules_before(self, claim: Claim) -> list[str]:
        """Return the hashes of the rules under which this claim was measured, in order of time, older code included."""
        return [r.rules[claim.id] for r in self.records if claim.id in r.rules]


def load_evidence(paper: Paper, library: Path) -> Evidence:
    """Load what this machine measured for a paper in a library."""
    slug = this_machine().slug
    folder = results_folder(library, paper)
    return Evidence(
        paper, slug, load_records(folder / f"{slug}.jsonl"), folder, True, code_of(paper.folder)
    )


def load_reference_evidence(paper: Paper) -> list[Evidence]:
    """Load the committed records of reference machines: their own columns, never evidence for this machine."""
    folder = paper.folder / "results"
    code = code_of(paper.folder)
    return [
        Evidence(paper, path.stem, load_records(path), folder, False, code)
        for path in record_files(folder)
    ]


def typical_wall_s(evidence: Iterable[Evidence]) -> Mapping[tuple[str, str], float]:
    """Return the mean seconds a seed of (run, config) took, by the first evidence that knows it, of any code."""
    typical: dict[tuple[str, str], float] = {}
    for source in evidence:
        times: dict[tuple[str, str], list[float]] = {}
        for record in source.records:
            if record.status == "ok":
                times.setdefault(record_key(record)[:2], []).append(record.wall_s)
        typical = {key: sum(t) / len(t) for key, t in times.items()} | typical
    return typical


def _seed(claim: Claim, record: Record) -> Seed:
    """Return what a record says to a claim."""
    rule = record.rules.get(claim.id, "")
    if record.status != "ok":
        return Seed(record.index, record.status, None, record.why, rule)
    if claim.metric not in record.values:
        names = ", ".join(sorted(record.values)) or "nothing"
        why = f"{claim.run} gave no value {claim.metric!r}; it gave {names}"
        return Seed(record.index, "error", None, why, rule)
    return Seed(record.index, "ok", record.values[claim.metric], rule=rule)
