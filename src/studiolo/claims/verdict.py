"""From seeds to verdicts. One rule decides every claim; the order in which seeds finish never does."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from .paper import Claim, Paper
from .region import Interval, Region
from .statistics import ALPHA, can_decide, exact, neighbours_alike, statistic


class Word(StrEnum):
    """The verdicts, the best first."""

    HOLDS = "holds"
    DIRECTION = "holds in direction only"
    DOES_NOT_HOLD = "does not hold"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not testable here"
    NOT_RUN = "not run"
    ERROR = "error"

    def of(self, n: int) -> str:
        """Return how many claims have it: "1 holds", "2 hold"."""
        verb = self if n == 1 else self.replace("does", "do").replace("holds", "hold")
        return f"{n} {verb}"


Status = Literal["ok", "error", "timeout", "killed", "needs"]

PASSES, DOES_NOT_PASS = "passes", "does not pass"  # instead of holding or not: the words of a check

CONTROL_NOT_SHOWN = "control not shown"
CONTROL_FAILED = "control failed"
NEWER = "claim newer than its results"
ALIKE = "neighbouring seeds are alike"


@dataclass(frozen=True, slots=True)
class Seed:
    """What one seed gave for one claim.

    Args:
        index: 0, 1, 2, ...: its place in the claim's fixed order.
        status: ok, error, timeout, killed, or needs (the machine lacks something).
        value: the claim's metric; None unless ok.
        why: the reason of a failure, or what is lacking ("data fashion_mnist", "cuda").
        values: all that the seed gave, to see whether two seeds gave exactly the same.
        rule: `claim.rule` as it was when the seed ran; empty where the claim did not exist yet, None where nobody
            kept it.
    """

    index: int
    status: Status
    value: float | None
    why: str = ""
    rule: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the seeds say of a claim.

    Args:
        why: what stands in brackets behind it, if anything.
        interval: what was held against the region; None before the last seed.
        n: seeds that came, of those that count.
        of: seeds that the claim asks for.
        failed: those of them that failed and count as outside the region.
        note: what must stand beside the verdict, such as "control not shown".
        alpha: bound on the probability that this claim is said to hold although it does not. 0 where that cannot
            happen: exact claims, and claims that are not decided yet.
    """

    word: Word
    why: str = ""
    interval: Interval | None = None
    n: int = 0
    of: int = 0
    note: str = ""
    alpha: float = 0.0
    failed: int = 0

    @property
    def decided(self) -> bool:
        """Whether all seeds came, so that it could have held."""
        return self.alpha > 0 or self.interval is not None or self.word in (
            Word.HOLDS, Word.DIRECTION, Word.DOES_NOT_HOLD,
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.word} ({self.why})" if self.why else self.word


def judge(claim: Claim, seeds: Iterable[Seed]) -> Verdict:
    """Decide one claim that measures, without its controls.

    Seeds 0 to `claim.seeds` - 1 count, in that order; later ones are ignored and nothing is decided before all of
    them came. The interval inside the region: holds. Otherwise inside the weaker region: holds in direction only.
    Outside the region: does not hold. Else inconclusive. A seed that failed or gave no finite value makes the claim an
    error, or with `failure = "outside"` counts as a value outside the region.

    Raises:
        ValueError: the claim joins others (`judge_paper` decides it), or a seed comes twice.
    """
    return _judge(claim, seeds, claim.weaker)


def _judge(claim: Claim, seeds: Iterable[Seed], weaker: Region | None) -> Verdict:
    region = claim.region
    if region is None:
        raise ValueError(f"The claim {claim.id!r} joins others; judge_paper decides it.")
    counted = sorted((s for s in seeds if 0 <= s.index < claim.seeds), key=lambda s: s.index)
    for earlier, later in pairwise(counted):
        if earlier.index == later.index:
            raise ValueError(f"Seed {later.index} of the claim {claim.id!r} comes twice; give one.")
    n, of = len(counted), claim.seeds
    if not counted:
        return Verdict(Word.NOT_RUN, of=of)
    for seed in counted:
        if seed.status == "needs":
            return Verdict(
                Word.NOT_TESTABLE, "needs " + seed.why.removeprefix("needs "), n=n, of=of
            )
    if any(seed.rule and seed.rule != claim.rule for seed in counted):
        fresh = f"rule changed after results: set series = {claim.series + 1}"
        return Verdict(Word.INCONCLUSIVE, fresh, n=n, of=of)
    fatal = [
        (seed.index, why)
        for seed in counted
        if (why := _mistake(claim, seed) or (claim.failure == "error" and _failure(claim, seed)))
    ]
    if fatal:
        several = f"{len(fatal)} of {of} seeds failed; " if len(fatal) > 1 else ""
        return Verdict(Word.ERROR, f"{several}seed {fatal[0][0]}: {fatal[0][1]}", n=n, of=of)
    if n < of:
        return Verdict(Word.INCONCLUSIVE, f"{n} of {of} seed{'s' * (of > 1)}", n=n, of=of)

    values = [None if _failure(claim, seed) else seed.value for seed in counted]
    if claim.statistic == "exact" and (varies := _varies(claim, values)):
        return Verdict(Word.ERROR, varies, n=n, of=of)
    readings = _readings(claim, region, values)
    interval = Interval(
        readings[0].estimate, min(r.low for r in readings), max(r.high for r in readings)
    )
    word, why = Word.INCONCLUSIVE, ""
    if all(map(region.contains_interval, readings)):
        word = Word.HOLDS
    elif weaker and all(map(weaker.contains_interval, _readings(claim, weaker, values))):
        word = Word.DIRECTION
    elif any(map(region.excludes, readings)):
        word = Word.DOES_NOT_HOLD
    elif not any(can_decide(claim.statistic, of, region)):
        why = f"{of} seeds cannot decide"
    notes = []
    if failed := values.count(None):
        notes.append(f"{failed} of {of} seeds failed and count as outside")
    if any(seed.rule == "" for seed in counted):
        notes.append(NEWER)
    if claim.statistic != "exact":
        notes += [_same_seeds(counted), ALIKE if neighbours_alike(values) else ""]
    alpha = 0.0 if claim.statistic == "exact" else ALPHA
    return Verdict(word, why, interval, n, of, noted(*notes), alpha, failed)


def outcome_of_check(verdict: Verdict) -> str:
    """How a check came out: it passes or does not; what is not decided keeps its word."""
    match verdict.word:
        case Word.HOLDS:
            return PASSES
        case Word.DIRECTION | Word.DOES_NOT_HOLD:
            return DOES_NOT_PASS
    return verdict.word


def judge_paper(paper: Paper, seeds_of: Callable[[Claim], Iterable[Seed]]) -> dict[str, Verdict]:
    """Decide all claims of a paper, with their controls and joined claims, in the order of the file.

    A control is read by its region alone, without its weaker one: it is shown when the effect of interest is ruled
    out, and a trace of the effect in the same direction neither fails it nor hides it.

    Args:
        seeds_of: called once for every claim that measures; gives its seeds in any order.
    """
    seeds = {claim.id: list(seeds_of(claim)) for claim in paper.claims if not claim.all_of}
    controls = {id: _judge(paper.claim(id), seeds[id], weaker=None) for id in paper.controls}

    def with_controls(claim: Claim, verdict: Verdict) -> Verdict:
        return _with_controls(verdict, [controls[id] for id in claim.controls])

    verdicts = {
        claim.id: with_controls(claim, judge(claim, seeds[claim.id]))
        for claim in paper.claims
        if not claim.all_of
    }
    for claim in paper.claims:
        if claim.all_of:
            parts = {id: verdicts[id] for id in claim.all_of}
            verdicts[claim.id] = with_controls(claim, _joined(parts))
    return {claim.id: verdicts[claim.id] for claim in paper.claims}


def expected_wrong_holds(verdicts: Iterable[tuple[Verdict, int]]) -> float:
    """Return a bound on the expected number of claims wrongly said to hold: the sum of the error rates.

    To be given all claims that were decided, not only those that hold: each could have held wrongly, and once more
    under every other rule that was tried.

    Args:
        verdicts: each with the number of rules that were tried for its claim, at least 1.

    Expectations add up whether or not claims share seeds. Exact claims add 0. A joined claim adds the rate of one
    part: if it is false then one of its parts is, and it cannot hold unless that part is wrongly said to hold.
    """
    return math.fsum(verdict.alpha * tries for verdict, tries in verdicts)


def _failure(claim: Claim, seed: Seed) -> str:
    """Why the run came to no finite number, or an empty string. This may be an outcome: `failure = "outside"`."""
    if seed.status != "ok":
        return f"{seed.status}: {seed.why}" if seed.why else seed.status
    if seed.value is not None and not math.isfinite(seed.value):
        return f"{claim.metric} is {seed.value}"
    return ""


def _mistake(claim: Claim, seed: Seed) -> str:
    """How the experiment and the claim misunderstand each other, or an empty string. Never an outcome."""
    if seed.status != "ok":
        return ""
    if seed.value is None:
        return seed.why or f"the experiment gave no value named {claim.metric!r}"
    if claim.statistic == "share" and math.isfinite(seed.value) and seed.value not in (0, 1):
        return f"{claim.metric} is {seed.value:g}, but a share counts zeros and ones"
    return ""


def _varies(claim: Claim, values: Sequence[float | None]) -> str:
    """Say how the seeds of an exact claim differ, or return an empty string."""
    first, *others = values
    for index, value in enumerate(others, start=1):
        if first is None or value is None:
            if first is not value:
                return f"exact, but only one of seeds 0 and {index} gave a value"
        elif abs(first - value) > claim.tolerance:
            return f"exact, but seeds 0 and {index} differ: {_apart(first, value)}"
    return ""


def _apart(a: float, b: float) -> str:
    """Write two numbers with as many digits as tell them apart."""
    for digits in range(2, 17):
        if f"{a:.{digits}g}" != f"{b:.{digits}g}":
            return f"{a:.{digits}g} and {b:.{digits}g}"
    return f"{a!r} and {b!r}"


def _same_seeds(seeds: Sequence[Seed]) -> str:
    """Name the first two seeds that gave exactly the same values, some of which have many digits; or an empty string.

    Counts, shares and multiples of a rounding error may well agree. Draws that agree in every digit are one draw.
    """
    seen: dict[frozenset[tuple[str, float]], int] = {}
    for seed in seeds:
        if seed.status == "ok":
            first = seen.setdefault(frozenset(seed.values.items()), seed.index)
            if first != seed.index and not all(map(_is_coarse, seed.values.values())):
                return f"seeds {first} and {seed.index} gave exactly the same values"
    return ""


def _is_coarse(value: float) -> bool:
    """Whether a number is one of few: a ratio of small whole numbers, or a small multiple of a power of two."""
    if not math.isfinite(value):
        return True
    numerator, _ = value.as_integer_ratio()
    odd_part = numerator // (numerator & -numerator) if numerator else 0
    return abs(odd_part) < 4096 or any(
        _float32(value) == _float32(ratio) if digits == 32 else value == ratio
        for digits, most in ((64, 100_000), (32, 1000))
        for ratio in [float(Fraction(value).limit_denominator(most))]
        if digits == 64 or value == _float32(value)
    )


def _float32(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.inf


def _readings(claim: Claim, region: Region, values: Sequence[float | None]) -> list[Interval]:
    """The interval, once for every side of the region on which seeds that failed (None) may lie.

    A region with one edge has one outside. One with two edges has two, and nobody knows on which of them a run
    that diverged would have ended: to hold, both readings must be inside; to fail, one outside is enough.
    """
    name = claim.statistic
    if None not in values:
        if name == "exact":
            return [exact([x for x in values if x is not None], tolerance=claim.tolerance)]
        return [statistic(name)(values)]
    extremes = (0.0, 1.0) if name == "share" else (-math.inf, math.inf)
    outsides = [x for x in extremes if not region.contains(x)] or list(extremes)
    return [statistic(name)([out if x is None else x for x in values]) for out in outsides]


def _with_controls(verdict: Verdict, controls: Sequence[Verdict]) -> Verdict:
    shown = all(c.word == Word.DOES_NOT_HOLD and not c.failed for c in controls)
    if not verdict.decided or shown:
        return verdict
    if any(control.word == Word.HOLDS for control in controls):
        return replace(verdict, word=Word.INCONCLUSIVE, why=CONTROL_FAILED)
    return replace(verdict, note=noted(verdict.note, CONTROL_NOT_SHOWN))


def _joined(parts: dict[str, Verdict]) -> Verdict:
    """The weakest part decides: one that does not hold before all, else what is furthest from an answer."""
    weakness = (
        Word.HOLDS,
        Word.DIRECTION,
        Word.INCONCLUSIVE,
        Word.NOT_RUN,
        Word.NOT_TESTABLE,
        Word.ERROR,
        Word.DOES_NOT_HOLD,
    )
    decided = all(part.interval is not None for part in parts.values())
    id, weakest = max(parts.items(), key=lambda part: weakness.index(part[1].word))
    return Verdict(
        weakest.word,
        "" if weakest.word == Word.HOLDS else f"{id}: {weakest.why}" if weakest.why else id,
        n=sum(part.n for part in parts.values()),
        of=sum(part.of for part in parts.values()),
        note=noted(*(part.note for part in parts.values())),
        failed=sum(part.failed for part in parts.values()),
        alpha=max(part.alpha for part in parts.values()) if decided else 0.0,
    )


def noted(*notes: str) -> str:
    """Join notes, each once; empty ones are left out."""
    return "; ".join(dict.fromkeys(note for note in notes if note))
