"""Error rates: exact ones by counting every outcome, and simulated ones on laws of many shapes.

The boundary is P(agree) = 1/2 for the median and p0 for a share: there a claim is neither right nor wrong by a
hair, and both mistakes are as frequent as they get.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from studiolo.claims import (
    ALPHA,
    Claim,
    Interval,
    Region,
    Scale,
    Seed,
    exact,
    judge,
    median,
    share,
    statistic,
)
from studiolo.claims.statistics import at_least_probability, order


Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]

TRIALS = 20_000
SEEDS = (5, 8, 11, 13, 16, 18)
MONTE_CARLO = 4 * math.sqrt(ALPHA * (1 - ALPHA) / TRIALS)  # four standard errors, 0.6 %


def choose(*values: float, p: Sequence[float]) -> Draw:
    return lambda rng, size: rng.choice(np.array(values, float), size, p=p)


# each with the region in which exactly half of the mass agrees
LAWS: dict[str, tuple[Draw, Region]] = {
    "normal": (lambda rng, size: rng.normal(size=size), Region("at_least", (0.0,))),
    "lognormal, upper": (lambda rng, size: rng.lognormal(0, 2, size), Region("at_most", (1.0,))),
    "Cauchy": (lambda rng, size: rng.standard_cauchy(size), Region("above", (0.0,))),
    "tied at the edge, closed": (choose(0, 1, 2, p=[0.5, 0.4, 0.1]), Region("at_least", (1.0,))),
    "tied at the edge, open": (choose(0, 1, 2, p=[0.1, 0.4, 0.5]), Region("above", (1.0,))),
    "tied at the edge, closed above": (choose(0, 1, 2, p=[0.1, 0.4, 0.5]), Region("at_most", (1.0,))),
    "tied at the edge, open above": (choose(0, 1, 2, p=[0.5, 0.4, 0.1]), Region("below", (1.0,))),
    "two values": (choose(0, 1, p=[0.5, 0.5]), Region("at_least", (1.0,))),
    "normal, median on the edge": (
        lambda rng, size: rng.normal(size=size),
        Region("between", (0.0, 10.0)),
    ),
    "lognormal, median on the edge": (
        lambda rng, size: rng.lognormal(0, 0.5, size),
        Region("within", (0.01, 100.0)),
    ),
}  # fmt: skip


def decided(rows: NDArray[np.float64], region: Region, name: str = "median") -> tuple[float, float]:
    """The shares of rows, one experiment each, in which the region is met and in which it is ruled out."""
    if name == "median":  # many rows at once, held against the real thing on the first ones
        ordered, k = np.sort(rows, axis=1), order(rows.shape[1])
        ends = zip(ordered[:, k - 1].tolist(), ordered[:, -k].tolist(), strict=True)
        intervals = [Interval(math.nan, low, high) for low, high in ends]
        for row, interval in zip(rows[:200].tolist(), intervals, strict=False):
            assert (median(row).low, median(row).high) == (interval.low, interval.high)
    else:
        intervals = [statistic(name)(row) for row in rows.tolist()]
    holds = sum(map(region.contains_interval, intervals))
    fails = sum(map(region.excludes, intervals))
    return holds / len(rows), fails / len(rows)


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("law", LAWS)
def test_a_median_is_wrong_at_most_alpha_of_the_time_whatever_the_law(law: str, n: int) -> None:
    draw, region = LAWS[law]
    rows = draw(np.random.default_rng(n), (TRIALS, n))
    agree = np.mean([region.contains(x) for x in rows[:, 0].tolist()])
    assert agree == pytest.approx(0.5, abs=0.015)
    holds, fails = decided(rows, region)
    assert 0 < holds <= ALPHA + MONTE_CARLO
    assert 0 < fails <= ALPHA + MONTE_CARLO


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("p0", [0.5, 0.8, 0.9])
def test_a_share_is_wrong_at_most_alpha_of_the_time(p0: float, n: int) -> None:
    rows = (np.random.default_rng(n).random((TRIALS, n)) < p0).astype(float)
    holds, fails = decided(rows, Region("at_least", (p0,)), "share")
    assert max(holds, fails) <= ALPHA + MONTE_CARLO
    holds, fails = decided(1 - rows, Region("at_most", (1 - p0,)), "share")
    assert max(holds, fails) <= ALPHA + MONTE_CARLO


def test_the_simulation_can_fail() -> None:
    """A region tested the wrong way, >= for an open one, and an order statistic too many, both are caught."""
    draw, _ = LAWS["tied at the edge, open"]
    rows = draw(np.random.default_rng(0), (2_000, 8))
    assert decided(rows, Region("at_least", (1.0,)))[0] > 0.5
    rows = np.sort(np.random.default_rng(0).normal(size=(TRIALS, 8)), axis=1)
    too_narrow = np.mean(rows[:, order(8)] >= 0)
    assert too_narrow > ALPHA + MONTE_CARLO


def claim(region: Region, n: int, name: str = "median", failure: str = "error") -> Claim:
    return Claim(
        "c", "It is.", "here", "read", Scale("toy", "a", "b"), run="f", metric="m",
        region=region, statistic=name, seeds=n, failure=failure,
    )  # fmt: skip


@pytest.mark.parametrize("n", SEEDS)
def test_the_exact_error_rate_of_the_whole_judgement_is_below_alpha(n: int) -> None:
    """Every count of agreeing seeds, weighted as at P(agree) = 1/2, with failures as the disagreeing ones or not."""
    regions = [Region("at_least", (1.0,)), Region("above", (0.0,)), Region("between", (1.0, 2.0))]
    for region in regions:
        for failing in (False, True):
            c = claim(region, n, failure="outside")
            bad = Seed(0, "timeout", None) if failing else Seed(0, "ok", 0.0)
            rates = dict.fromkeys(("holds", "does not hold", "inconclusive"), 0.0)
            for agreeing in range(n + 1):
                seeds = [
                    Seed(i, "ok", 1.0) if i < agreeing else Seed(i, bad.status, bad.value)
                    for i in range(n)
                ]
                rates[judge(c, seeds).word] += math.comb(n, agreeing) / 2**n
            assert 0 < rates["holds"] <= ALPHA
            assert rates["does not hold"] == pytest.approx(rates["holds"])


def test_the_exact_error_rate_of_shares_is_below_alpha_for_every_n_and_edge() -> None:
    for n in range(1, 41):
        intervals = [share([1.0] * ones + [0.0] * (n - ones)) for ones in range(n + 1)]
        for p0 in (0.05, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95):
            chance = [math.comb(n, x) * p0**x * (1 - p0) ** (n - x) for x in range(n + 1)]
            region = Region("at_least", (p0,))
            for decides in (region.contains_interval, region.excludes):
                rate = sum(p for p, i in zip(chance, intervals, strict=True) if decides(i))
                assert rate <= ALPHA + 1e-12


def test_a_narrow_region_is_ruled_out_on_both_sides() -> None:
    """The price of two edges: with the median inside a region narrower than the spread, both tails rule it out."""
    rows = np.random.default_rng(0).normal(size=(TRIALS, 8))
    holds, fails = decided(rows, Region("between", (-1e-6, 1e-6)))
    assert holds == 0
    assert ALPHA < fails <= 2 * ALPHA


def test_looking_after_every_seed_in_the_order_of_completion_decides_no_more_often() -> None:
    """Losing seeds take five times as long and somebody looks whenever one of 8 workers is done."""
    rng = np.random.default_rng(0)
    trials, n, workers = 1_000, 8, 8
    c = claim(Region("at_least", (0.0,)), n)
    ever = sum(
        any(judge(c, came).word == "holds" for came in looks(rng, 2 * n, workers))
        for _ in range(trials)
    )
    assert ever / trials <= ALPHA + 4 * math.sqrt(ALPHA * (1 - ALPHA) / trials)


def test_the_same_looks_without_the_rule_would_hold_far_too_often() -> None:
    rng = np.random.default_rng(0)
    region, trials = Region("at_least", (0.0,)), 500
    ever = sum(
        any(
            region.contains_interval(median([x.value for x in came if x.value is not None]))
            for came in looks(rng, 16, workers=8)
            if len(came) >= 5
        )
        for _ in range(trials)
    )
    assert ever / trials > 0.3


def looks(rng: np.random.Generator, n: int, workers: int) -> list[list[Seed]]:
    """What lies there after each completion, of n normal seeds that agree half the time."""
    values = rng.normal(size=n)
    free = [0.0] * workers
    done = []
    for index, value in enumerate(values.tolist()):
        worker = int(np.argmin(free))
        free[worker] += (5.0 if value < 0 else 1.0) * rng.uniform(0.9, 1.1)
        done.append((free[worker], Seed(index, "ok", value)))
    in_order = [seed for _, seed in sorted(done, key=lambda d: d[0])]
    return [in_order[:i] for i in range(1, n + 1)]


def test_dropping_failed_seeds_would_hold_too_often_and_counting_them_does_not() -> None:
    """Half of the seeds disagree; of those 60 % diverge."""
    rng = np.random.default_rng(0)
    n, region = 8, Region("at_least", (0.0,))
    values = rng.normal(size=(TRIALS, n))
    diverged = (values < 0) & (rng.random((TRIALS, n)) < 0.6)
    counted = decided(np.where(diverged, -np.inf, values), region)[0]
    kept = [v[~d].tolist() for v, d in zip(values[:2_000], diverged, strict=False)]
    dropped = np.mean([bool(row) and region.contains_interval(median(row)) for row in kept])
    assert counted <= ALPHA + MONTE_CARLO
    assert dropped > 2 * ALPHA


# the intervals themselves


def test_the_median_interval_worked_by_hand() -> None:
    # P(Binomial(8, 1/2) <= 1) = 9/256 = 3.5 %, <= 2: 37/256 = 14.5 %, so k = 2
    assert order(8) == 2
    assert median([8, 1, 7, 2, 6, 3, 5, 4]) == Interval(4.5, 2, 7)
    # P(Binomial(5, 1/2) = 0) = 1/32 = 3.1 %
    assert median([5, 1, 4, 2, 3]) == Interval(3, 1, 5)


def test_each_useful_number_of_seeds_adds_an_order_statistic() -> None:
    assert [n for n in range(1, 32) if order(n) > order(n - 1)] == [
        5, 8, 11, 13, 16, 18, 21, 23, 26, 28, 30,
    ]  # fmt: skip
    assert [order(n) for n in SEEDS] == [1, 2, 3, 4, 5, 6]
    assert [order(n) for n in range(5)] == [0] * 5


def test_fewer_than_five_values_say_nothing() -> None:
    assert median([1, 2, 3, 4]) == Interval(2.5, -math.inf, math.inf)


def test_alpha_moves_the_ends() -> None:
    assert median([1, 2, 3, 4, 5], alpha=0.01) == Interval(3, -math.inf, math.inf)
    assert median(range(1, 8), alpha=0.01) == Interval(4, 1, 7)  # 1/128


def test_all_ones_leave_the_nth_root_of_alpha() -> None:
    for n in (1, 5, 14, 29, 100):
        interval = share([1.0] * n)
        assert interval.low == pytest.approx(ALPHA ** (1 / n), rel=1e-12)
        assert interval.high == 1.0
        assert share([0.0] * n).high == pytest.approx(1 - ALPHA ** (1 / n), rel=1e-12)
    assert share([1.0] * 5).low > 0.5
    assert share([1.0] * 4).low < 0.5


def test_a_share_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for n in (1, 5, 8, 20, 400):
        for ones in {0, 1, n // 3, n - 1, n}:
            interval = share([1.0] * ones + [0.0] * (n - ones))
            low = stats.beta.ppf(ALPHA, ones, n - ones + 1) if ones else 0.0
            high = stats.beta.ppf(1 - ALPHA, ones + 1, n - ones) if ones < n else 1.0
            assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-9)
            assert interval.estimate == ones / n


def test_a_binomial_tail_agrees_with_counting() -> None:
    for n, x, p in [(5, 3, 0.5), (8, 0, 0.2), (8, 8, 0.9), (20, 7, 0.3), (3, 4, 0.5)]:
        counted = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(x, n + 1))
        assert at_least_probability(n, x, p) == pytest.approx(counted, rel=1e-12)
    assert [at_least_probability(3, 1, p) for p in (0.0, 1.0)] == [0.0, 1.0]


def test_exact_values_are_their_own_interval() -> None:
    assert exact([3]) == Interval(3, 3, 3)
    assert exact([3, 5], tolerance=1) == Interval(3, 2, 6)
    with pytest.raises(ValueError, match="The value of no values is not defined"):
        exact([])


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="The median of no values is not defined"):
        median([])
    with pytest.raises(ValueError, match="The share of no values is not defined"):
        share([])
    with pytest.raises(ValueError, match=r"A share counts zeros and ones; found 0\.5"):
        share([1, 0.5])
    with pytest.raises(ValueError, match="found 'mean'; allowed: median, share, exact"):
        statistic("mean")


# the tables in the documentation


DOCS = Path(__file__).parents[2] / "docs" / "claims.md"


def rows_after(heading: str) -> list[list[str]]:
    """The cells of the first table after the heading, without its head."""
    lines = DOCS.read_text(encoding="utf-8").split(heading, 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| ---"))
    body = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        body.append([cell.strip() for cell in line.strip("|").split("|")])
    return body


def test_the_table_of_medians_in_the_documentation_is_exact() -> None:
    rows = rows_after("### Median")
    assert [int(row[0]) for row in rows] == [*SEEDS]
    for n, k, needed, wrong, *power in ([*map(float, row)] for row in rows):
        agreeing = int(n - k + 1)
        assert order(int(n)) == k
        assert needed == agreeing
        assert wrong == round(100 * at_least_probability(int(n), agreeing, 0.5), 2)
        for p, shown in zip((0.7, 0.8, 0.9, 0.95), power, strict=True):
            assert shown == round(at_least_probability(int(n), agreeing, p), 2)


def test_the_table_of_shares_in_the_documentation_is_exact() -> None:
    rows = rows_after("### Share")
    assert len(rows) == 4
    for region, *cells in rows:
        p0 = float(region.split()[-1])
        for n, cell in zip((5, 8, 14, 20, 29, 40), cells, strict=True):
            intervals = [share([1.0] * x + [0.0] * (n - x)) for x in range(n + 1)]
            holds = [x for x, i in enumerate(intervals) if i.low >= p0]
            fails = [x for x, i in enumerate(intervals) if i.high < p0]
            shown = f"{min(holds)} / {max(fails)}" if holds else f"- / {max(fails)}"
            assert cell == shown
