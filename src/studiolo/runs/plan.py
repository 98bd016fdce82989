"""What to run, and in which order, so that a small budget answers the most claims."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from studiolo.claims import Claim, Figure, Paper

from .evidence import Evidence, Experiment, SeedKey, experiment_of, experiment_of_figure, lacks


UNKNOWN_SEED_S = 5.0  # what a seed is taken to cost before any machine has measured it
FINISHED = ("ok", "error", "timeout")  # a worker that somebody killed gets another chance


@dataclass(frozen=True, slots=True)
class SeedToRun:
    """One seed of one experiment, with the rules of all the claims that it will speak for."""

    paper: Paper
    experiment: Experiment
    index: int
    rules: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A claim with its parts and controls, which are worth little without each other; or a figure.

    Attributes:
        name: the claim's id or the figure's.
        seeds: what is still to be run.
        cost_s: estimated seconds of one worker.
    """

    paper: Paper
    name: str
    seeds: tuple[SeedToRun, ...]
    cost_s: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A claim or a figure that this run does not finish, and why."""

    paper: Paper
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The seeds to run in order, what is left out, and how long it may take with one worker."""

    bundles: tuple[Bundle, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def seeds(self) -> list[SeedToRun]:
        """All seeds to run, in order."""
        return [seed for bundle in self.bundles for seed in bundle.seeds]

    @property
    def cost_s(self) -> float:
        """Estimated seconds with one worker."""
        return sum(bundle.cost_s for bundle in self.bundles)


def plan(
    evidence: Sequence[Evidence],
    typical_wall_s: Mapping[str, Mapping[tuple[str, str], float]],
    *,
    scales: Collection[str] = (),
    retry: bool = False,
) -> Plan:
    """Choose the seeds to run; whether the time allows a bundle is decided when its turn comes.

    Papers take turns, each with its cheapest bundle that has no verdict yet; so every paper gets an answer before any
    gets its second.

    Args:
        typical_wall_s: by paper slug, then (run, config): what a seed took before.
        scales: only claims at these scales; empty for all.
        retry: run seeds again that ended in a timeout.
    """
    left_out: list[LeftOut] = []
    queues = []
    for source in evidence:
        typical = typical_wall_s.get(source.paper.slug, {})
        bundles = []
        for claims in bundles_of(source.paper):
            why = _cannot_run(claims, scales)
            if why is not None:
                left_out.append(LeftOut(source.paper, claims[0].id, why))
                continue
            bundles.append(_claims_bundle(source, claims, typical, retry))
        bundles += [_figure_bundle(source, figure, typical) for figure in source.paper.figures]
        queues.append(sorted((b for b in bundles if b.seeds), key=lambda bundle: bundle.cost_s))
    chosen: list[Bundle] = []
    taken: set[tuple[str, SeedKey]] = set()
    for bundle in _in_turns(queues):
        new = tuple(
            s for s in bundle.seeds if (s.paper.slug, s.experiment.key(s.index)) not in taken
        )
        if new:
            taken |= {(s.paper.slug, s.experiment.key(s.index)) for s in new}
            cost_s = bundle.cost_s * len(new) / len(bundle.seeds)
            chosen.append(Bundle(bundle.paper, bundle.name, new, cost_s))
    return Plan(tuple(chosen), tuple(left_out))


def bundles_of(paper: Paper) -> list[tuple[Claim, ...]]:
    """Group a paper's claims: each one that is no control or part of another, with its parts and all their controls."""
    parts = {part for claim in paper.claims for part in claim.all_of}
    heads = [c for c in paper.claims if c.id not in paper.controls and c.id not in parts]
    return [tuple(_with_dependents(paper, head)) for head in heads]


def _with_dependents(paper: Paper, head: Claim) -> Iterable[Claim]:
    found = {head.id: head}
    pending = [head]
    while pending:
        claim = pending.pop()
        for name in (*claim.all_of, *claim.controls):
            if name not in found:
                found[name] = paper.claim(name)
                pending.append(found[name])
    return found.values()


def _cannot_run(claims: Sequence[Claim], scales: Collection[str]) -> str | None:
    if lacking := next(filter(None, map(lacks, claims)), None):
        return lacking
    if scales and claims[0].scale.kind not in scales:
        kind = claims[0].scale.kind
        return f"is at {kind} scale" if kind else "is a check, which has no scale"
    return None


def _claims_bundle(
    source: Evidence,
    claims: Sequence[Claim],
    typical: Mapping[tuple[str, str], float],
    retry: bool,
) -> Bundle:
    experiments = [experiment_of(claim) for claim in claims if not claim.all_of]
    return _bundle(source, claims[0].id, experiments, typical, retry)


def _figure_bundle(
    source: Evidence, figure: Figure, typical: Mapping[tuple[str, str], float]
) -> Bundle:
    experiment = experiment_of_figure(source.paper, figure)
    return _bundle(source, figure.id, [experiment], typical, False)


def _bundle(
    source: Evidence,
    name: str,
    experiments: Sequence[Experiment],
    typical: Mapping[tuple[str, str], float],
    retry: bool,
) -> Bundle:
    done = FINISHED[:2] if retry else FINISHED
    seeds: dict[SeedKey, SeedToRun] = {}
    for experiment in experiments:
        recorded = {r.index for r in source.records_of(experiment) if r.status in done}
        rules = _rules(source.paper, experiment)
        for index in range(experiment.seeds):
            if index not in recorded:
                seed = SeedToRun(source.paper, experiment, index, rules)
                seeds.setdefault(experiment.key(index), seed)
    costs = [typical.get(key[:2]) for key in seeds]
    cost_s = sum(UNKNOWN_SEED_S if cost is None else cost for cost in costs)
    return Bundle(source.paper, name, tuple(seeds.values()), cost_s)


def _rules(paper: Paper, experiment: Experiment) -> dict[str, str]:
    """Return the rules of all claims that a seed of `experiment` will speak for."""
    measuring = (claim for claim in paper.claims if not claim.all_of)
    return {c.id: c.rule for c in measuring if experiment_of(c).key(0) == experiment.key(0)}


def _in_turns(queues: Sequence[Sequence[Bundle]]) -> Iterable[Bundle]:
    for rank in range(max(map(len, queues), default=0)):
        yield from sorted((q[rank] for q in queues if len(q) > rank), key=lambda b: b.cost_s)
