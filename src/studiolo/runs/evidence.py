"""From records to verdicts: which recorded seeds speak for a claim, with the code as it is now."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studiolo.claims import Claim, Figure, Paper, Seed, Verdict, judge_paper, rule_of, runs_of

from .fingerprint import Code, canonical, code_of, digest_of, fingerprint
from .machine import Place, this_place
from .records import Record, load_records, record_files


Setting = tuple[str, str]  # run, canonical config
SeedKey = tuple[str, str, int, int]  # run, canonical config, series, index

TIMED_OUT = re.compile(r"no result after (\d+(?:\.\d+)?(?:e\+?\d+)?) s")
FIGURE_SEEDS = 5  # of an experiment that no claim asks for: enough for a median with an interval
FIGURE_TIMEOUT_S = 120.0


def results_folder(library: Path, paper: Paper) -> Path:
    """Return where a library keeps a paper's records."""
    return library / ".studiolo" / "results" / paper.slug


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a claim or a figure wants measured."""

    run: str
    config: Mapping[str, Any]
    series: int
    seeds: int
    timeout_s: float
    timing: bool
    quiet: bool = False
    gpus: int = 0
    processes: int = 1

    @property
    def setting(self) -> Setting:
        """What decides how long a seed takes."""
        return (self.run, canonical(self.config))

    def key(self, index: int) -> SeedKey:
        """Return what identifies one seed, whatever the code."""
        return (*self.setting, self.series, index)


def experiment_of(claim: Claim) -> Experiment:
    """Return what a claim that measures wants measured."""
    return Experiment(
        run=claim.run,
        config=claim.config,
        series=claim.series,
        seeds=claim.seeds,
        timeout_s=claim.timeout_s,
        timing=claim.timing,
        quiet="quiet" in claim.needs,
        gpus=int("cuda" in claim.needs),
        processes=max((int(n[6:]) for n in claim.needs if n.startswith("world:")), default=1),
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
        place: where the run that they are for measures, so that its verdicts count; None for records shown beside them.
        current: by seed, the records that the present code would give again and that therefore speak.
    """

    paper: Paper
    machine: str
    records: Sequence[Record]
    folder: Path
    place: Place | None
    code: Code
    current: Mapping[SeedKey, Record]

    @property
    def here(self) -> bool:
        """Whether its verdicts count."""
        return self.place is not None

    def records_of(self, experiment: Experiment) -> list[Record]:
        """Return the records of an experiment's seeds that speak, in seed order."""
        first = experiment.key(0)[:3]
        found = (self.current.get((*first, index)) for index in range(experiment.seeds))
        return [record for record in found if record is not None]

    def seeds_of(self, claim: Claim) -> list[Seed]:
        """Return the seeds that a claim is judged by."""
        lacking = self.place.lacks(claim.needs) if self.place else None
        if lacking is not None:
            return [Seed(0, "needs", None, lacking)]
        return [_seed(claim, record) for record in self.records_of(experiment_of(claim))]

    def with_record(self, record: Record) -> Evidence:
        """Return this evidence and one more record, which speaks unless its seed has spoken before."""
        key = record_key(record)
        limit_s = time_limits(self.paper).get(key[:3], 0.0)
        speaks = _speaks_first(self.current.get(key), limit_s, key[:3] in _quiet(self.paper))
        return replace(
            self,
            records=[*self.records, record],
            current={**self.current, key: record} if speaks else self.current,
        )

    def only(self, ids: Collection[str]) -> Evidence:
        """Return the same evidence for some of the claims; their controls and parts must be among them."""
        kept = tuple(claim for claim in self.paper.claims if claim.id in ids)
        return replace(self, paper=replace(self.paper, claims=kept))

    def verdicts(self) -> dict[str, Verdict]:
        """Judge all claims of the paper by these records."""
        return judge_paper(self.paper, self.seeds_of)

    def code_of(self, claim: Claim) -> str:
        """Return 16 hex digits of the code that a claim's verdict rests on, controls and parts included."""
        runs = sorted(runs_of(rule_of(self.paper, claim)))
        digests = [self.code.of(run) for run in runs]
        return digests[0] if len(digests) == 1 else digest_of(digests)


def load_evidence(paper: Paper, library: Path, place: Place | None = None) -> Evidence:
    """Load what one machine measured for a paper in a library: that of `place`, or this one."""
    place = place or this_place()
    path = results_folder(library, paper) / f"{place.machine.slug}.jsonl"
    return _evidence(paper, path, place)


def load_reference_evidence(paper: Paper) -> list[Evidence]:
    """Load the committed records of reference machines: their own columns, never evidence for this machine."""
    files = record_files(paper.folder / "results")
    return [_evidence(paper, path) for path in files]


def load_library_evidence(paper: Paper, library: Path) -> list[Evidence]:
    """Load what every machine measured for a paper in a library, each as its own, whichever this one is."""
    files = record_files(results_folder(library, paper))
    return [_evidence(paper, path) for path in files]


def _evidence(paper: Paper, path: Path, place: Place | None = None) -> Evidence:
    """Read a file of records; those of other code, or of another environment than the place has now, do not speak.

    Of several records of a seed the first speaks: no completed value is ever replaced.
    """
    code, records = code_of(paper.folder), load_records(path)
    limits, quiet = time_limits(paper), _quiet(paper)
    current: dict[SeedKey, Record] = {}
    for r in records:
        key = record_key(r)
        if (
            r.fingerprint == fingerprint(code, r.run, r.config, r.series, r.index)
            and (place is None or r.environment == place.environment)
            and _speaks_first(current.get(key), limits.get(key[:3], 0.0), key[:3] in quiet)
        ):
            current[key] = r
    return Evidence(paper, path.stem, records, path.parent, place, code, current)


def time_limits(paper: Paper) -> dict[tuple[str, str, int], float]:
    """Return the longest time limit, in seconds, that claims give the seeds of (run, config, series)."""
    limits: dict[tuple[str, str, int], float] = {}
    for claim in paper.claims:
        if not claim.all_of:
            key = experiment_of(claim).key(0)[:3]
            limits[key] = max(limits.get(key, 0.0), claim.timeout_s)
    return limits


def _quiet(paper: Paper) -> set[tuple[str, str, int]]:
    """Return (run, config, series) of the experiments that ask for a quiet machine."""
    experiments = [experiment_of(claim) for claim in paper.claims if not claim.all_of]
    return {experiment.key(0)[:3] for experiment in experiments if experiment.quiet}


def timed_out_at(record: Record) -> float:
    """Return the limit, in seconds, under which a record's seed took too long; of any other record infinity."""
    found = TIMED_OUT.match(record.why) if record.status == "timeout" else None
    return float(found[1]) if found else math.inf


def _speaks_first(earlier: Record | None, limit_s: float, is_quiet: bool) -> bool:
    """Whether a record speaks for its seed although there is an earlier one.

    Only where the earlier is not an outcome: it lacked something that is there now (a quiet machine too), or it was
    stopped at a limit that is longer now, which is another rule.
    """
    return (
        earlier is None
        or earlier.status == "needs"
        or timed_out_at(earlier) < limit_s
        or (is_quiet and earlier.busy)
    )


def typical_wall_s(evidence: Iterable[Evidence]) -> Mapping[Setting, float]:
    """Return the mean seconds a seed of (run, config) took, by the first evidence that knows it, of any code."""
    typical: dict[Setting, float] = {}
    for source in evidence:
        times: dict[Setting, list[float]] = {}
        for record in source.records:
            if record.status == "ok":
                setting = (record.run, canonical(record.config))
                times.setdefault(setting, []).append(record.wall_s)
        typical = {key: sum(t) / len(t) for key, t in times.items()} | typical
    return typical


def _seed(claim: Claim, record: Record) -> Seed:
    """Return what a record says to a claim."""
    rule = record.rules.get(claim.id, "")
    if record.status != "ok":
        return Seed(record.index, record.status, None, record.why, rule)
    if "quiet" in claim.needs and record.busy:
        return Seed(record.index, "needs", None, "needs a quiet machine", rule)
    if claim.metric not in record.values:
        given = sorted(record.values)
        names = ", ".join([*given[:12], "..."] if len(given) > 12 else given) or "nothing"
        why = f"{claim.run} gave no value {claim.metric!r}; it gave {names}"
        return Seed(record.index, "error", None, why, rule)
    return Seed(record.index, "ok", record.values[claim.metric], rule=rule, values=record.values)
