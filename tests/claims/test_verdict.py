import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studiolo.claims import (
    Claim,
    Interval,
    Paper,
    Region,
    Scale,
    Seed,
    Verdict,
    Word,
    expected_wrong_holds,
    judge,
    judge_paper,
)


AT_LEAST_ONE = Region("at_least", (1.0,))


def claim(id: str = "speed", **fields: Any) -> Claim:
    given: dict[str, Any] = {
        "says": "It is faster.",
        "where": "Table 1",
        "source": "read",
        "scale": Scale("toy", "large", "small"),
        "run": "step_time",
        "metric": "ratio",
        "region": AT_LEAST_ONE,
        "seeds": 8,
    }
    return Claim(id=id, **(given | fields))


def joined(id: str, *parts: str, **fields: Any) -> Claim:
    return claim(
        id, **({"run": "", "metric": "", "region": None, "seeds": 0, "all_of": parts} | fields)
    )


def seeds(*values: float | None) -> list[Seed]:
    return [Seed(index, "ok", value) for index, value in enumerate(values)]


def with_failures(values: Sequence[float | None]) -> list[Seed]:
    """Seeds of these values; a failed one instead of None."""
    return [
        Seed(i, "ok", x) if x is not None else Seed(i, "timeout", None, "after 120 s")
        for i, x in enumerate(values)
    ]


def verdicts_of(
    claims: Sequence[Claim], values: Mapping[str, Sequence[float]]
) -> dict[str, Verdict]:
    paper = Paper(Path("speedy"), "arxiv:1", "Speed", ("A",), 2020, claims=tuple(claims))
    return judge_paper(paper, lambda c: seeds(*values[c.id]))


HIGH, LOW, MIXED = [2.0] * 8, [0.5] * 8, [0.5] * 4 + [2.0] * 4


# the one rule


def test_interval_inside_holds_outside_does_not_across_is_inconclusive() -> None:
    assert str(judge(claim(), seeds(*HIGH))) == "holds"
    assert str(judge(claim(), seeds(*LOW))) == "does not hold"
    assert str(judge(claim(), seeds(*MIXED))) == "inconclusive"


def test_the_weaker_region_is_tried_whenever_the_region_is_not_met() -> None:
    c = claim(region=Region("at_least", (1.5,)), weaker=Region("above", (1.0,)))
    assert judge(c, seeds(*[1.2] * 8)).word == "holds in direction only"  # region ruled out
    assert judge(c, seeds(*[1.2] * 4, *[1.8] * 4)).word == "holds in direction only"  # undecided
    assert judge(c, seeds(*[1.8] * 8)).word == "holds"
    assert judge(c, seeds(*[1.0] * 8)).word == "does not hold"  # open: 1.0 is no direction
    assert judge(c, seeds(*[0.9] * 4, *[1.8] * 4)).word == "inconclusive"


def test_the_verdict_carries_the_interval_and_the_count() -> None:
    verdict = judge(claim(), seeds(4, 1, 7, 2, 8, 3, 6, 5))
    assert verdict == Verdict(Word.HOLDS, "", Interval(4.5, 2, 7), n=8, of=8, alpha=0.05)


def test_an_exact_claim_needs_the_same_value_twice_and_has_no_error_rate() -> None:
    exact = claim(statistic="exact", seeds=2)
    assert str(judge(exact, seeds(1.0))) == "inconclusive (1 of 2 seeds)"
    verdict = judge(exact, seeds(1.0, 1.0))
    assert (str(verdict), verdict.alpha) == ("holds", 0.0)
    verdict = judge(exact, seeds(3.1, 3.2))
    assert str(verdict) == "error (exact, but seeds 0 and 1 differ: 3.1 and 3.2)"
    assert "differ: 1.000001 and 1.000002" in judge(exact, seeds(1.000001, 1.000002)).why


def test_a_tolerance_needs_room_in_the_region() -> None:
    exact = claim(statistic="exact", seeds=2, tolerance=0.5)
    assert str(judge(exact, seeds(2.0, 2.1))) == "holds"
    assert judge(exact, seeds(2.0, 2.1)).interval == Interval(2.0, 1.5, 2.6)
    assert str(judge(exact, seeds(1.2, 1.3))) == "inconclusive"
    assert judge(exact, seeds(1.2, 1.8)).word == "error"


def test_exact_on_a_random_metric_is_refused() -> None:
    rng = random.Random(0)
    c = claim(statistic="exact", seeds=2, region=Region("above", (0.0,)))
    assert {judge(c, seeds(rng.gauss(0, 1), rng.gauss(0, 1))).word for _ in range(60)} == {"error"}


def test_a_share_counts_events() -> None:
    c = claim(statistic="share", seeds=8, region=Region("at_least", (0.5,)))
    assert judge(c, seeds(*[1] * 7, 0)).word == "holds"
    assert judge(c, seeds(*[1] * 6, 0, 0)).word == "inconclusive"
    assert judge(c, seeds(*[0] * 8)).word == "does not hold"
    assert str(judge(c, seeds(*[1] * 7, 0.5))) == (
        "error (seed 7: ratio is 0.5, but a share counts zeros and ones)"
    )


def test_too_few_seeds_to_decide_are_said() -> None:
    assert str(judge(claim(seeds=3), seeds(2, 2, 2))) == "inconclusive (3 seeds cannot decide)"


# no peeking


def test_nothing_is_decided_before_the_last_seed() -> None:
    assert str(judge(claim(), seeds(*HIGH[:5]))) == "inconclusive (5 of 8 seeds)"
    early = judge(claim(), seeds(*HIGH[:7]))  # 7 of 7 would hold
    assert (str(early), early.interval, early.alpha) == ("inconclusive (7 of 8 seeds)", None, 0.0)


def test_no_seed_is_not_run() -> None:
    assert str(judge(claim(), [])) == "not run"


def test_seeds_beyond_the_last_are_ignored() -> None:
    assert judge(claim(), seeds(*HIGH, *[0.0] * 20)).word == "holds"
    late = [Seed(i, "ok", 2.0) for i in range(3, 20)]  # 17 values, but seeds 0 to 2 are missing
    assert str(judge(claim(), late)) == "inconclusive (5 of 8 seeds)"


def test_the_order_in_which_seeds_finish_is_nothing() -> None:
    came = seeds(*MIXED, *[2.0] * 8)
    assert judge(claim(), came) == judge(claim(), reversed(came))
    assert judge(claim(), reversed(came)).word == "inconclusive"  # the last 8 alone would hold


def test_a_seed_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="Seed 0 of the claim 'speed' comes twice; give one"):
        judge(claim(), [Seed(0, "ok", 1.0), Seed(0, "ok", 2.0)])


# failed seeds


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (Seed(2, "timeout", None, "after 120 s"), "timeout: after 120 s"),
        (Seed(2, "error", None, "LinAlgError: singular"), "error: LinAlgError: singular"),
        (Seed(2, "killed", None), "killed"),
        (Seed(2, "ok", math.nan), "ratio is nan"),
        (Seed(2, "ok", math.inf), "ratio is inf"),
        (Seed(2, "ok", None), "the experiment gave no value named 'ratio'"),
    ],
)
def test_a_failed_seed_is_never_dropped(failed: Seed, reason: str) -> None:
    came = [*seeds(*HIGH[:2]), failed, *seeds(*HIGH)[3:], Seed(8, "ok", 2.0)]
    assert str(judge(claim(), came)) == f"error (seed 2: {reason})"


def test_several_failures_are_counted() -> None:
    verdict = judge(claim(), with_failures([2.0, None, 2.0, None, None, 2.0, 2.0, 2.0]))
    assert str(verdict) == "error (3 of 8 seeds failed; seed 1: timeout: after 120 s)"


@pytest.mark.parametrize(
    "region", [{"at_least": 1.0}, {"at_most": 3.0}, {"between": [1.0, 3.0]}, {"within": [2.0, 2.0]}]
)
def test_a_failure_that_counts_as_outside_counts_against_the_claim(region: dict[str, Any]) -> None:
    c = claim(region=Region.parse(region), failure="outside")
    one = judge(c, with_failures([2.0] * 7 + [None]))
    assert (one.word, one.note) == ("holds", "1 of 8 seeds failed and count as outside")
    assert judge(c, with_failures([2.0] * 6 + [None] * 2)).word == "inconclusive"
    assert judge(c, with_failures([2.0] * 2 + [None] * 6)).word == "inconclusive"
    assert judge(c, with_failures([2.0] + [None] * 7)).word == "does not hold"
    assert judge(c, with_failures([None] * 8)).word == "does not hold"


def test_failures_lie_on_either_side_of_a_region_with_two_edges() -> None:
    c = claim(region=Region("between", (1.0, 3.0)), failure="outside")
    # one value too low and one failure: on the lower side two would be outside, so it may not hold
    assert judge(c, with_failures([0.5, None] + [2.0] * 6)).word == "inconclusive"
    assert judge(c, with_failures([3.5, None] + [2.0] * 6)).word == "inconclusive"
    # one low and one high value leave one on each side, as they would without failures
    assert judge(c, with_failures([0.5, 3.5] + [2.0] * 6)).word == "holds"
    shown = judge(c, with_failures([None, None] + [2.0] * 6)).interval
    assert shown is not None
    assert (shown.low, shown.high) == (-math.inf, math.inf)


def test_a_failure_is_outside_of_the_weaker_region_on_its_own_side() -> None:
    c = claim(
        region=Region("within", (1.8, 1.25)), weaker=Region("above", (1.0,)), failure="outside"
    )
    assert judge(c, with_failures([None] + [3.0] * 7)).word == "holds in direction only"
    assert judge(c, with_failures([None] * 2 + [3.0] * 6)).word == "does not hold"
    assert judge(c, with_failures([None] * 2 + [1.8] * 4 + [3.0] * 2)).word == "inconclusive"


def test_failures_count_against_a_share_whichever_way_it_points() -> None:
    often = claim(statistic="share", region=Region("at_least", (0.5,)), failure="outside")
    seldom = claim(statistic="share", region=Region("at_most", (0.5,)), failure="outside")
    assert judge(often, with_failures([1] * 7 + [None])).word == "holds"
    assert judge(often, with_failures([1] * 6 + [None] * 2)).word == "inconclusive"
    assert judge(often, with_failures([None] * 8)).word == "does not hold"
    assert judge(seldom, with_failures([0] * 7 + [None])).word == "holds"
    assert judge(seldom, with_failures([0] * 6 + [None] * 2)).word == "inconclusive"
    assert judge(seldom, with_failures([None] * 8)).word == "does not hold"


def test_an_exact_claim_whose_seeds_failed_outside_does_not_hold() -> None:
    c = claim(statistic="exact", seeds=2, failure="outside")
    assert judge(c, with_failures([None, None])).word == "does not hold"
    assert str(judge(c, with_failures([2.0, None]))) == (
        "error (exact, but only one of seeds 0 and 1 gave a value)"
    )


def test_a_control_that_failed_in_its_seeds_is_not_shown() -> None:
    paper = Paper(
        Path("speedy"), "arxiv:1", "Speed", ("A",), 2020,
        claims=(claim("a", controls=("null",)), claim("null", failure="outside")),
    )  # fmt: skip
    for failed, note in (
        ([None] * 8, "control not shown"),
        ([0.5] * 7 + [None], "control not shown"),
        ([0.5] * 8, ""),
    ):
        came = {"a": seeds(*HIGH), "null": with_failures(failed)}
        verdict = judge_paper(paper, lambda c: came[c.id])  # noqa: B023
        assert (str(verdict["a"]), verdict["a"].note) == ("holds", note)


def test_a_missing_value_is_a_mistake_and_never_an_outcome() -> None:
    c = claim(failure="outside")
    assert judge(c, [*seeds(*HIGH[:7]), Seed(7, "ok", None)]).word == "error"


def test_what_the_machine_lacks_is_named() -> None:
    for why in ("data fashion_mnist", "needs data fashion_mnist"):
        verdict = judge(claim(), [Seed(0, "needs", None, why)])
        assert str(verdict) == "not testable here (needs data fashion_mnist)"


# no forking


def test_the_rule_is_a_hash_of_what_decides() -> None:
    c = claim()
    assert len(c.rule) == 8
    assert int(c.rule, 16) >= 0
    assert c.rule == replace(c, region=Region.parse({"at_least": 1}), says="Other words.").rule
    others = [
        replace(c, region=Region("above", (1.0,))),
        replace(c, region=Region("at_least", (1.1,))),
        replace(c, weaker=Region("above", (0.0,))),
        replace(c, metric="other"),
        replace(c, statistic="share"),
        replace(c, seeds=11),
        replace(c, failure="outside"),
        replace(c, series=1),
    ]
    assert len({c.rule, *(other.rule for other in others)}) == 9


def test_a_rule_changed_after_results_asks_for_fresh_seeds() -> None:
    strict = claim(region=Region("at_least", (3.0,)))
    came = [replace(seed, rule=strict.rule) for seed in seeds(*HIGH)]
    assert judge(strict, came).word == "does not hold"
    easier = claim()
    assert str(judge(easier, came)) == ("inconclusive (rule changed after results: set series = 1)")
    fresh = replace(easier, series=1)
    assert judge(fresh, [replace(seed, rule=fresh.rule) for seed in came]).word == "holds"


def test_a_claim_that_is_newer_than_its_results_is_noted() -> None:
    unseen = judge(claim(), [replace(seed, rule="") for seed in seeds(*HIGH)])
    assert (str(unseen), unseen.note) == ("holds", "claim newer than its results")
    assert judge(claim(), seeds(*HIGH)).note == ""  # nobody kept rules


def test_more_seeds_after_a_look_are_a_changed_rule() -> None:
    few = claim(seeds=5)
    came = [replace(seed, rule=few.rule) for seed in seeds(*HIGH)]
    assert "rule changed" in str(judge(claim(seeds=8), came))


def test_another_series_is_another_rule() -> None:
    first, second = claim(), claim(series=1)
    came = [replace(seed, rule=first.rule) for seed in seeds(*HIGH)]
    assert judge(first, came).word == "holds"
    assert str(judge(second, came)) == "inconclusive (rule changed after results: set series = 2)"


# controls


def test_a_control_that_does_not_hold_is_shown() -> None:
    verdict = verdicts_of(
        [claim("fast", controls=("same",)), claim("same")], {"fast": HIGH, "same": LOW}
    )["fast"]
    assert (str(verdict), verdict.note) == ("holds", "")


@pytest.mark.parametrize("control", [MIXED, [], HIGH[:5], [math.nan] * 8])
def test_a_control_that_is_not_shown_is_noted(control: list[float]) -> None:
    verdict = verdicts_of(
        [claim("fast", controls=("same",)), claim("same")], {"fast": HIGH, "same": control}
    )["fast"]
    assert (str(verdict), verdict.note) == ("holds", "control not shown")


@pytest.mark.parametrize("values", [HIGH, LOW, MIXED])
def test_a_control_that_holds_takes_the_verdict_away(values: list[float]) -> None:
    verdicts = verdicts_of(
        [claim("fast", controls=("same",)), claim("same")], {"fast": values, "same": HIGH}
    )
    assert str(verdicts["fast"]) == "inconclusive (control failed)"
    assert str(verdicts["same"]) == "holds"


def test_a_failed_control_leaves_a_claim_without_results_alone() -> None:
    claims = [claim("fast", controls=("same",)), claim("same")]
    assert str(verdicts_of(claims, {"fast": [], "same": HIGH})["fast"]) == "not run"
    partly = verdicts_of(claims, {"fast": HIGH[:5], "same": HIGH})["fast"]
    assert str(partly) == "inconclusive (5 of 8 seeds)"


def test_a_control_is_read_by_its_region_alone() -> None:
    claims = [
        claim("fast", controls=("same",)),
        claim("same", region=Region("at_least", (1.5,)), weaker=Region("above", (1.0,))),
    ]
    # a trace of the effect, with the effect of interest ruled out: shown
    verdicts = verdicts_of(claims, {"fast": HIGH, "same": [1.01] * 8})
    assert (verdicts["same"].word, verdicts["fast"].note) == ("holds in direction only", "")
    # the effect of interest is not ruled out: not shown, though the direction holds
    verdicts = verdicts_of(claims, {"fast": HIGH, "same": [1.2] * 4 + [1.8] * 4})
    assert (verdicts["same"].word, verdicts["fast"].word) == ("holds in direction only", "holds")
    assert verdicts["fast"].note == "control not shown"


def test_a_control_with_a_weaker_region_keeps_its_rule() -> None:
    same = claim("same", weaker=Region("above", (0.0,)))
    paper = Paper(
        Path("p"), "arxiv:1", "T", ("A",), 2020, claims=(claim("fast", controls=("same",)), same)
    )

    def seeds_of(c: Claim) -> list[Seed]:
        return [replace(s, rule=c.rule) for s in seeds(*(LOW if c.id == "same" else HIGH))]

    verdict = judge_paper(paper, seeds_of)["fast"]
    assert (str(verdict), verdict.note) == ("holds", "")


def test_one_failed_control_is_enough() -> None:
    claims = [claim("fast", controls=("a", "b")), claim("a"), claim("b")]
    verdicts = verdicts_of(claims, {"fast": HIGH, "a": LOW, "b": HIGH})
    assert str(verdicts["fast"]) == "inconclusive (control failed)"
    verdicts = verdicts_of(claims, {"fast": HIGH, "a": LOW, "b": MIXED})
    assert verdicts["fast"].note == "control not shown"


# joined claims


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([HIGH, HIGH], "holds"),
        ([HIGH, LOW], "does not hold (b)"),
        ([LOW, []], "does not hold (a)"),
        ([MIXED, HIGH], "inconclusive (a)"),
        ([HIGH, HIGH[:5]], "inconclusive (b: 5 of 8 seeds)"),
        ([HIGH, []], "not run (b)"),
        ([[], []], "not run (a)"),
        ([MIXED, [math.nan]], "error (b: seed 0: ratio is nan)"),
    ],
)
def test_a_joined_claim_is_as_strong_as_its_weakest_part(
    parts: list[list[float]], text: str
) -> None:
    verdicts = verdicts_of(
        [joined("both", "a", "b"), claim("a"), claim("b")], dict(zip("ab", parts, strict=True))
    )
    assert str(verdicts["both"]) == text
    assert list(verdicts) == ["both", "a", "b"]


def test_a_part_in_direction_only_leaves_the_direction() -> None:
    weaker = claim("b", region=Region("at_least", (1.5,)), weaker=Region("above", (1.0,)))
    verdicts = verdicts_of(
        [claim("a"), weaker, joined("both", "a", "b")], {"a": HIGH, "b": [1.2] * 8}
    )
    assert str(verdicts["both"]) == "holds in direction only (b)"


def test_a_part_that_is_not_testable_makes_the_whole_so() -> None:
    paper = Paper(
        Path("p"), "arxiv:1", "T", ("A",), 2020,
        claims=(claim("a"), claim("b"), joined("both", "a", "b")),
    )  # fmt: skip
    lacking = [Seed(0, "needs", None, "cuda")]
    verdicts = judge_paper(paper, lambda c: lacking if c.id == "b" else seeds(*HIGH))
    assert str(verdicts["both"]) == "not testable here (b: needs cuda)"


def test_controls_of_the_parts_and_of_the_whole_count() -> None:
    parts = [claim("a", controls=("null",)), claim("b"), claim("null")]
    both = verdicts_of([*parts, joined("both", "a", "b")], {"a": HIGH, "b": HIGH, "null": MIXED})
    assert (both["both"].word, both["both"].note) == ("holds", "control not shown")
    both = verdicts_of([*parts, joined("both", "a", "b")], {"a": HIGH, "b": HIGH, "null": HIGH})
    assert str(both["both"]) == "inconclusive (a: control failed)"
    parts[0] = claim("a")
    whole = joined("both", "a", "b", controls=("null",))
    both = verdicts_of([*parts, whole], {"a": HIGH, "b": HIGH, "null": HIGH})
    assert (str(both["a"]), str(both["both"])) == ("holds", "inconclusive (control failed)")


def test_a_joined_claim_is_not_judged_alone() -> None:
    with pytest.raises(ValueError, match="'both' joins others; judge_paper decides it"):
        judge(joined("both", "a", "b"), [])


# how many wrong ones


def test_expected_wrong_holds_add_up_over_claims_that_could_hold() -> None:
    claims = [
        claim("a"),
        claim("b"),
        claim("late"),
        claim("bytes", statistic="exact", seeds=2),
        claim("ranks", statistic="exact", seeds=2),
        joined("both", "a", "b"),
        joined("costs", "bytes", "ranks"),
        joined("later", "a", "late"),
    ]
    values = {"a": HIGH, "b": LOW, "late": HIGH[:5], "bytes": [2.0] * 2, "ranks": [2.0] * 2}
    verdicts = verdicts_of(claims, values)
    assert {id for id, v in verdicts.items() if v.alpha} == {"a", "b", "both"}
    once = [(verdict, 1) for verdict in verdicts.values()]
    assert expected_wrong_holds(once) == pytest.approx(0.15)
    assert expected_wrong_holds([(verdicts["a"], 3), (verdicts["b"], 1)]) == pytest.approx(0.2)
    assert expected_wrong_holds([]) == 0.0


def test_the_bound_on_wrong_holds_covers_120_claims_that_are_all_false() -> None:
    """Medians on the edge of an open region, 5 seeds: as many hold as chance lets them, and never more than is said."""
    rng = random.Random(0)
    edge = [claim(f"c{n}", region=Region("above", (0.0,)), seeds=5) for n in range(120)]
    held = []
    for _ in range(200):
        found = [judge(c, seeds(*(rng.gauss(0, 1) for _ in range(5)))) for c in edge]
        assert expected_wrong_holds([(v, 1) for v in found if v.decided]) == pytest.approx(6.0)
        held.append(sum(v.word == "holds" for v in found))
    mean = sum(held) / len(held)
    assert 3.0 < mean < 4.5  # 120 / 2**5 = 3.75
    assert mean < 6.0


def test_a_second_rule_doubles_the_bound_and_covers_the_better_of_two_draws() -> None:
    rng = random.Random(1)
    edge = claim(region=Region("above", (0.0,)), seeds=5)
    held = bound = 0.0
    for _ in range(4000):
        draws = [judge(edge, seeds(*(rng.gauss(0, 1) for _ in range(5)))) for _ in range(2)]
        held += any(v.word == "holds" for v in draws)
        bound += expected_wrong_holds([(draws[1], 2)])
    assert held < bound


# warnings


def test_seeds_that_gave_the_same_values_are_named() -> None:
    values = [math.sqrt(x) for x in (2, 5, 3, 2, 7, 6, 11, 10)]
    came = [Seed(i, "ok", x, values={"ratio": x, "n": 3.0}) for i, x in enumerate(values)]
    assert judge(claim(), came).note == "seeds 0 and 3 gave exactly the same values"
    came[3] = replace(came[3], values={**came[3].values, "n": 4.0})
    assert judge(claim(), came).note == ""


def test_counts_shares_and_multiples_of_a_rounding_error_may_agree() -> None:
    values = {"n": 3.0, "accuracy": 713 / 1797, "rounding": 3 * 2.0**-23}
    came = [Seed(i, "ok", 2.0, values=values) for i in range(8)]
    assert judge(claim(), came).note == ""


def test_neighbours_that_are_alike_are_said() -> None:
    drifting = judge(claim(), seeds(1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7))
    assert (str(drifting), drifting.note) == ("holds", "neighbouring seeds are alike")
    assert judge(claim(), seeds(1.4, 1.1, 1.2, 1.3, 1.0, 1.7, 1.6, 1.5)).note == ""
