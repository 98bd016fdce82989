"""From the values of several seeds to an interval whose error rate is known, whatever the values' law.

Three statistics, each `(values, alpha) -> Interval`. `alpha` is the error rate of one end: the truth lies below `low`
with probability at most alpha, and above `high` with probability at most alpha. Means, Student's t and the bootstrap
are left out on purpose: with 5 to 10 seeds they are wrong up to five times as often as they say (docs/claims.md).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

from .region import Interval, Region


ALPHA = 0.05  # per tail, for every claim

Statistic = Callable[..., Interval]


@cache
def order(n: int, alpha: float = ALPHA) -> int:
    """Return k: the interval of the median runs from the k-th smallest to the k-th largest of n values.

    k is the largest with P(Binomial(n, 1/2) <= k - 1) <= alpha: fewer than k of n values fall on the wrong side of
    the true median with at most that probability. 0 when n is too small for any k (n < 5 at alpha = .05).
    """
    tail, k = 0, 0
    while k < n:
        tail += math.comb(n, k)
        if tail / 2**n > alpha:
            break
        k += 1
    return k


def median(values: Sequence[float], alpha: float = ALPHA) -> Interval:
    """Return the median with its exact order-statistic interval; the ends are infinite below 5 values.

    Needs no assumption: independent seeds of any law, with ties and infinite values.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("The median of no values is not defined; give at least one.")
    ordered = sorted(values)
    k = order(len(ordered), alpha)
    low, high = (ordered[k - 1], ordered[-k]) if k else (-math.inf, math.inf)
    return Interval(float(statistics.median(ordered)), float(low), float(high))


def share(values: Sequence[float], alpha: float = ALPHA) -> Interval:
    """Return the share of ones among zeros and ones, with Clopper and Pearson's exact interval.

    Raises:
        ValueError: no values, or a value that is neither 0 nor 1; says which.

    Source: https://doi.org/10.1093/biomet/26.4.404
    """
    if not values:
        raise ValueError("The share of no values is not defined; give at least one.")
    strange = [x for x in values if x not in (0, 1)]
    if strange:
        raise ValueError(f"A share counts zeros and ones; found {strange[0]:g}.")
    return _share(len(values), round(sum(values)), alpha)


def exact(values: Sequence[float], alpha: float = ALPHA, tolerance: float = 0.0) -> Interval:
    """Return the first value, with all of them and the tolerance around them as interval. `alpha` is unused.

    FLOPs, bytes, ranks and closed forms do not vary: further values are there to show it. A tolerance widens the
    interval, so that an author who grants one needs a region that has room for it.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("The value of no values is not defined; give at least one.")
    return Interval(float(values[0]), min(values) - tolerance, max(values) + tolerance)


STATISTICS: dict[str, Statistic] = {"median": median, "share": share, "exact": exact}


def statistic(name: str) -> Statistic:
    """Return the statistic of that name.

    Raises:
        ValueError: there is none; says which there are.
    """
    if name not in STATISTICS:
        raise ValueError(f"found {name!r}; allowed: {', '.join(STATISTICS)}")
    return STATISTICS[name]


def can_decide(name: str, n: int, region: Region) -> tuple[bool, bool]:
    """Whether n seeds could at best make a claim hold, and at best make it not hold."""
    if name in ("median", "exact"):  # they decide either way or not at all
        decides = n >= 1 if name == "exact" else order(n) > 0
        return decides, decides
    outcomes = range(n + 1)
    # the fewest ones that refute the lower edge leave the most room below the upper one
    fewest = bisect_left(
        outcomes, True, key=lambda x: at_least_probability(n, x, region.low) <= ALPHA
    )
    fewest = 0 if region.low <= 0 else fewest
    holds = fewest <= n and region.contains_interval(_share(n, fewest, ALPHA))
    return holds, any(region.excludes(_share(n, x, ALPHA)) for x in (0, n))


def at_least_probability(n: int, x: int, p: float) -> float:
    """Return P(Binomial(n, p) >= x)."""
    if x <= 0:
        return 1.0
    if p <= 0.0 or p >= 1.0:
        return float(p >= 1.0)
    terms = (
        math.exp(_log_choose(n, i) + i * math.log(p) + (n - i) * math.log1p(-p))
        for i in range(x, n + 1)
    )
    return min(1.0, math.fsum(terms))


def _share(n: int, ones: int, alpha: float) -> Interval:
    return Interval(ones / n, _lower(n, ones, alpha), 1.0 - _lower(n, n - ones, alpha))


@cache
def _lower(n: int, ones: int, alpha: float) -> float:
    """The largest share that `ones` of n still refute: P(Binomial(n, share) >= ones) <= alpha."""
    if ones == 0:
        return 0.0
    refuted, open_ = 0.0, 1.0
    while (middle := (refuted + open_) / 2) not in (refuted, open_):
        if at_least_probability(n, ones, middle) <= alpha:
            refuted = middle
        else:
            open_ = middle
    return refuted


@cache
def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def neighbours_alike(values: Sequence[float | None]) -> bool:
    """Whether values in seed order follow each other more closely than 999 of 1,000 random orders would.

    Von Neumann's ratio of ranks. False below 8 values, and where values are missing or equal: ranks need an order.

    Source: https://doi.org/10.1080/01621459.1982.10477764
    """
    present = [x for x in values if x is not None]
    n = len(present)
    if n < FEWEST_IN_ORDER or len(set(present)) < len(values):
        return False
    rank = {x: place for place, x in enumerate(sorted(present))}
    closeness = sum((rank[a] - rank[b]) ** 2 for a, b in pairwise(present))
    if n - FEWEST_IN_ORDER < len(CLOSEST):
        return closeness <= CLOSEST[n - FEWEST_IN_ORDER]
    return closeness <= n * (n * n - 1) / 12 * (2 - 3.3 * 2 / math.sqrt(n))


FEWEST_IN_ORDER = 8
# For 8, 9, ... values: the sum of squared differences of neighbouring ranks that at most 0.9 of 1,000 random orders stay
# under, by two million draws each (one million from 17 on); beyond 40 the normal limit is near enough.
CLOSEST = (
    15,
    24,
    36,
    53,
    74,
    99,
    132,
    170,
    218,
    273,
    340,
    411,
    495,
    594,
    708,
    827,
    959,
    1108,
    1278,
    1468,
    1654,
    1885,
    2111,
    2353,
    2636,
    2936,
    3250,
    3595,
    3958,
    4331,
    4758,
    5195,
    5662,
)
