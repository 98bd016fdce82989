"""What to run, and in which order, so that a small budget gives every paper of a list its first verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from studiolo.claims import Claim, Figure, Paper, Word

from .evidence import (
    Evidence,
    Experiment,
    SeedKey,
    Setting,
    experiment_of,
    experiment_of_figure,
    time_limits,
    timed_out_at,
    typical_wall_s,
)
from .machine import Place, this_place


UNKNOWN_SEED_S = 5.0  # what a seed is taken to cost before any machine has measured it
FIRST_VERDICTS_S = 40.0  # of one worker, for each paper, before any paper gets more
OUTCOMES = ("ok", "error", "timeout", "killed")  # what lacked data is tried again


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
        seeds: what is still to be run, without the seeds that an earlier bundle brings.
        cost_s: estimated seconds of one worker.
        alone_s: those of them during which nothing else may run, since something is timed.
        rank: 0 for what the paper says, 1 for our questions and checks, 2 for a figure.
        first: it is one of the paper's first verdicts.
    """

    paper: Paper
    name: str
    seeds: tuple[SeedToRun, ...]
    cost_s: float
    alone_s: float = 0.0
    rank: int = 0
    first: bool = False

    def wall_s(self, jobs: int) -> float:
        """Estimated seconds on the clock with so many workers."""
        return self.alone_s + (self.cost_s - self.alone_s) / jobs


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

    def wall_s(self, jobs: int) -> float:
        """Estimated seconds on the clock with so many workers."""
        return sum(bundle.wall_s(jobs) for bundle in self.bundles)


def plan(
    evidence: Sequence[Evidence],
    typical_wall_s: Mapping[str, Mapping[Setting, float]],
    *,
    scales: Collection[str] = (),
    needs: Collection[str] = (),
    retry: bool = False,
) -> Plan:
    """Choose the seeds to run; whether the time allows a bundle is decided when its turn comes.

    Papers take turns in the order given, each with its cheapest bundle that is left. Each paper's first verdicts cost
    at most `FIRST_VERDICTS_S` (or are one claim, if even the cheapest costs more); then the dearer ones take turns.

    Args:
        evidence: one for each paper, in the order of the list.
        typical_wall_s: by paper slug, then (run, config): what a seed took before.
        scales: only claims at these scales; empty for all.
        needs: only claims that need all of this, such as "cuda", and no figures; empty for all.
        retry: run seeds again that ended in a timeout, where the limit is longer now.
    """
    left_out: list[LeftOut] = []
    queues = []
    for source in evidence:
        typical = typical_wall_s.get(source.paper.slug, {})
        bundles = []
        for claims in bundles_of(source.paper):
            why = _cannot_run(claims, source.place, scales, needs)
            if why is not None:
                left_out.append(LeftOut(source.paper, claims[0].id, why))
                continue
            bundles.append(_claims_bundle(source, claims, typical, retry))
        if not needs:
            bundles += [_figure_bundle(source, figure, typical) for figure in source.paper.figures]
        queues.append(list(_cheapest_first(bundles, typical)))
    first = [[bundle for bundle in queue if bundle.first] for queue in queues]
    later = [[bundle for bundle in queue if not bundle.first] for queue in queues]
    return Plan((*_in_turns(first), *_in_turns(later)), tuple(left_out))


def kept_timeouts(source: Evidence) -> list[str]:
    """Return the claims with seeds that took too long and that `retry` leaves alone because their limit was not raised."""
    limits = time_limits(source.paper)
    return [
        claim.id
        for claim in source.paper.claims
        if not claim.all_of
        for experiment in [experiment_of(claim)]
        if any(
            record.status == "timeout" and not timed_out_at(record) < limits[experiment.key(0)[:3]]
            for record in source.records_of(experiment)
        )
    ]


def plan_next(
    evidence: Mapping[str, Sequence[Evidence]],
    *,
    scales: Collection[str] = (),
    needs: Collection[str] = (),
) -> Plan:
    """Plan what a run has left, without what the place was found to lack something for: another try would not find it.

    Args:
        evidence: by paper slug, the evidence of the place and then that of other machines.
    """
    typical = {slug: typical_wall_s(sources) for slug, sources in evidence.items()}
    rest = plan([sources[0] for sources in evidence.values()], typical, scales=scales, needs=needs)
    lacking = {
        (slug, id): verdict.why
        for slug, sources in evidence.items()
        for id, verdict in sources[0].verdicts().items()
        if verdict.word is Word.NOT_TESTABLE
    }
    bundles, left_out = [], list(rest.left_out)
    for bundle in rest.bundles:
        slug = bundle.paper.slug
        if (slug, bundle.name) in lacking:
            left_out.append(LeftOut(bundle.paper, bundle.name, lacking[slug, bundle.name]))
        else:
            bundles.append(bundle)
    return Plan(tuple(bundles), tuple(left_out))


def bundles_of(paper: Paper) -> list[tuple[Claim, ...]]:
    """Group a paper's claims: each one that is not a control or part of another, with its parts and all their controls."""
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


def _cannot_run(
    claims: Sequence[Claim],
    place: Place | None,
    scales: Collection[str],
    needs: Collection[str],
) -> str | None:
    for need in needs:
        if not any(need in claim.needs for claim in claims):
            return f"does not need {need}"
    place = place or this_place()
    if lacking := next(filter(None, (place.lacks(claim.needs) for claim in claims)), None):
        return lacking
    if scales and claims[0].scale.kind not in scales:
        kind = claims[0].scale.kind
        return f"at {kind} scale" if kind else "a check, which has no scale"
    return None


def _claims_bundle(
    source: Evidence,
    claims: Sequence[Claim],
    typical: Mapping[Setting, float],
    retry: bool,
) -> Bundle:
    experiments = [experiment_of(claim) for claim in claims if not claim.all_of]
    bundle = _bundle(source, claims[0].id, experiments, typical, retry)
    return replace(bundle, rank=0 if claims[0].by == "paper" else 1)


def _figure_bundle(source: Evidence, figure: Figure, typical: Mapping[Setting, float]) -> Bundle:
    experiment = experiment_of_figure(source.paper, figure)
    return replace(_bundle(source, figure.id, [experiment], typical, False), rank=2)


def _bundle(
    source: Evidence,
    name: str,
    experiments: Sequence[Experiment],
    typical: Mapping[Setting, float],
    retry: bool,
) -> Bundle:
    limits = time_limits(source.paper) if retry else {}
    seeds: dict[SeedKey, SeedToRun] = {}
    for experiment in experiments:
        limit_s = limits.get(experiment.key(0)[:3], 0.0)
        recorded = {
            r.index
            for r in source.records_of(experiment)
            if r.status in OUTCOMES
            and not timed_out_at(r) < limit_s
            and not (experiment.quiet and r.busy)  # a quieter hour may come
        }
        rules = _rules(source.paper, experiment)
        for index in range(experiment.seeds):
            if index not in recorded:
                seed = SeedToRun(source.paper, experiment, index, rules)
                seeds.setdefault(experiment.key(index), seed)
    return Bundle(source.paper, name, tuple(seeds.values()), _cost_s(seeds, typical))


def _cost_s(seeds: Iterable[SeedKey], typical: Mapping[Setting, float]) -> float:
    return sum(typical.get(key[:2], UNKNOWN_SEED_S) for key in seeds)


def _rules(paper: Paper, experiment: Experiment) -> dict[str, str]:
    """Return the rules of all claims that a seed of `experiment` will speak for."""
    measuring = (claim for claim in paper.claims if not claim.all_of)
    return {c.id: c.rule for c in measuring if experiment_of(c).key(0) == experiment.key(0)}


def _cheapest_first(
    bundles: Sequence[Bundle], typical: Mapping[Setting, float]
) -> Iterable[Bundle]:
    """Yield one paper's bundles, each time the one that adds least to those before it, and only what it adds.

    What the paper says comes before what we ask and check. Figures come last: most are drawn from what claims measured.
    """
    left = [(b, {seed.experiment.key(seed.index): seed for seed in b.seeds}) for b in bundles]
    budget_s = FIRST_VERDICTS_S
    while left := [(bundle, seeds) for bundle, seeds in left if seeds]:
        bundle, added = min(left, key=lambda one: (one[0].rank, _cost_s(one[1], typical)))
        cost_s = _cost_s(added, typical)
        first = cost_s <= budget_s or budget_s == FIRST_VERDICTS_S
        budget_s -= cost_s if first else budget_s
        alone_s = _cost_s((k for k, s in added.items() if s.experiment.timing), typical)
        yield replace(
            bundle, seeds=tuple(added.values()), cost_s=cost_s, alone_s=alone_s, first=first
        )
        left = [(b, {k: s for k, s in seeds.items() if k not in added}) for b, seeds in left]


def _in_turns(queues: Sequence[Sequence[Bundle]]) -> Iterable[Bundle]:
    for rank in range(max(map(len, queues), default=0)):
        yield from (queue[rank] for queue in queues if len(queue) > rank)
