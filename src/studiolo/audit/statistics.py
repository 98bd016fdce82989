"""The tests and intervals of an audit, each over whole arrays at once: one element per class, group or example.

No p here is 0: double precision says nothing about values below `SMALLEST_P`, and a few predictions say less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMALLEST_P = 1e-16


@dataclass(frozen=True, slots=True)
class Change:
    """A change with its interval and its test.

    Attributes:
        estimate, low, high: after less before, and its interval.
        statistic: t or z, positive where there is more after; freedom: its degrees of freedom, infinite for z.
        p: two-sided.
    """

    estimate: Floats
    low: Floats
    high: Floats
    statistic: Floats
    freedom: Floats
    p: Floats


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Return q: rejecting where q <= level expects at most that share of false rejections among all.

    A p that is NaN was never tested: its q is NaN and it does not count among the tests.

    Source: https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    """
    p = np.asarray(p, float)
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def mcnemar(lost: ArrayLike, won: ArrayLike) -> Floats:
    """Return the exact two-sided p of McNemar's test: are losses and wins as likely? Without any, 1.

    Args:
        lost, won: examples that only the first model gets right, and only the second.
    """
    return binomial_test(lost, np.add(lost, won), 0.5)


def binomial_test(count: ArrayLike, trials: ArrayLike, chance: ArrayLike) -> Floats:
    """Return the exact two-sided p of `count` in `trials` at a given chance: twice the smaller tail, at most 1."""
    from scipy.special import bdtr, bdtrc

    count, trials, chance = np.broadcast_arrays(count, trials, np.asarray(chance, float))
    below = bdtr(count.astype(float), trials.astype(np.int64), chance)
    above = np.where(
        count > 0,
        bdtrc(np.maximum(count - 1, 0).astype(float), trials.astype(np.int64), chance),
        1.0,
    )
    return np.clip(2 * np.minimum(below, above), SMALLEST_P, 1.0)


def flip_chances(
    lost: ArrayLike, won: ArrayLike, n: ArrayLike, change: ArrayLike
) -> tuple[Floats, Floats]:
    """Return the most likely chances of a loss and of a win, if the second model gets `change` more right.

    Args:
        lost, won: examples that only the first model gets right, and only the second; n: all examples.
        change: share of wins less share of losses, -1 to 1.

    Source: https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B, equation 8.
    """
    lost, won, n, change = (np.asarray(x, float) for x in (lost, won, n, change))
    # the side that the change favours is the other's chance plus the size of the change: both stay in [0, 1]
    up = change >= 0
    size, less = np.abs(change), np.where(up, lost, won)
    more = np.where(up, won, lost)
    b = size * (2 * n - more + less) - more - less
    root = np.sqrt(b**2 + 8 * n * less * size * (1 - size))
    # two forms of one root: the one that does not subtract what is nearly equal
    c = less * size * (1 - size)
    with np.errstate(invalid="ignore", divide="ignore"):
        small = np.where(b > 0, 2 * c / (b + root), (root - b) / (4 * n))
    small = np.clip(np.nan_to_num(small), 0.0, (1 - size) / 2)
    large = small + size
    return np.where(up, small, large), np.where(up, large, small)


def paired_variance(lost: ArrayLike, won: ArrayLike, n: ArrayLike, change: ArrayLike) -> Floats:
    """Return the variance of (won - lost) / n if the true difference is `change`."""
    loss, win = flip_chances(lost, won, n, change)
    return (loss + win - np.asarray(change, float) ** 2) / np.asarray(n, float)


def paired_interval(
    lost: ArrayLike, won: ArrayLike, n: ArrayLike, coverage: float = 0.95
) -> tuple[Floats, Floats]:
    """Return Tango's score interval of the difference between two paired shares, (won - lost) / n.

    It holds every change that the score test does not reject; without any flip it is ± z² / (n + z²).

    Source: https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B
    """
    from scipy.special import ndtri

    lost, won, n = np.broadcast_arrays(*(np.asarray(x, float) for x in (lost, won, n)))
    found = (won - lost) / n
    z2 = ndtri(0.5 + coverage / 2) ** 2

    def edge(end: float) -> Floats:
        inside, outside = found.copy(), np.full(found.shape, end)
        for _ in range(50):
            middle = (inside + outside) / 2
            within = (found - middle) ** 2 <= z2 * paired_variance(lost, won, n, middle)
            inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
        return (inside + outside) / 2

    return edge(-1.0), edge(1.0)


def paired_change(lost: ArrayLike, won: ArrayLike, n: ArrayLike, coverage: float = 0.95) -> Change:
    """Return the change of a share between two models that answered the same n examples, by McNemar's exact test."""
    lost, won, n = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, np.int64)) for x in (lost, won, n))
    )
    low, high = paired_interval(lost, won, n, coverage)
    with np.errstate(invalid="ignore"):
        z = np.where(lost + won > 0, (won - lost) / np.sqrt(np.maximum(lost + won, 1)), 0.0)
    return Change((won - lost) / n, low, high, z, np.full(z.shape, np.inf), mcnemar(lost, won))


def relative_change(
    lost: ArrayLike,
    won: ArrayLike,
    n: ArrayLike,
    total: tuple[int, int, int],
    coverage: float = 0.95,
) -> Change:
    """Return how much more or less a part changed than the whole, between two models with paired answers.

    Asked is whether the part changed as the rest did. p is the larger of two: a score test of the difference, which
    knows how uncertain the rest is, and an exact binomial test of the part's own flips, each a loss with the chance that
    the whole's change would give it. Where the whole does not change the latter is McNemar's test.

    Args:
        lost, won, n: of each part; total: the same of the whole. A part that is the whole, or has no example, is not
            tested: NaN.
    """
    from scipy.special import ndtr

    lost, won, n = (np.atleast_1d(np.asarray(x, np.int64)) for x in (lost, won, n))
    all_lost, all_won, all_n = total
    rest_lost, rest_won, rest_n = all_lost - lost, all_won - won, all_n - n
    testable = (n > 0) & (rest_n > 0)
    own_n, other_n = np.where(testable, n, 1), np.where(testable, rest_n, 1)
    own, other = (won - lost) / own_n, (rest_won - rest_lost) / other_n
    whole = (all_won - all_lost) / max(all_n, 1)
    variance = paired_variance(lost, won, own_n, whole) + paired_variance(
        rest_lost, rest_won, other_n, whole
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(own == other, 0.0, (own - other) / np.sqrt(variance))
    loss, win = flip_chances(lost, won, own_n, whole)
    with np.errstate(invalid="ignore"):
        chance = np.where(loss + win > 0, loss / (loss + win), 0.5)
    p = np.maximum(2 * ndtr(-np.abs(z)), binomial_test(lost, lost + won, chance))
    # the interval joins those of part and rest (MOVER); less the whole is a share of less the rest
    low0, high0 = paired_interval(lost, won, own_n, coverage)
    low1, high1 = paired_interval(rest_lost, rest_won, other_n, coverage)
    share = other_n / max(all_n, 1)
    middle = own - other
    low = share * (middle - np.hypot(own - low0, high1 - other))
    high = share * (middle + np.hypot(high0 - own, other - low1))
    nan = np.where(testable, 0.0, np.nan)
    return Change(
        share * middle + nan,
        low + nan,
        high + nan,
        z + nan,
        np.full(z.shape, np.inf),
        np.clip(p, SMALLEST_P, 1.0) + nan,
    )


def scaled_by_null(change: Change, null: Floats, coverage: float = 0.95) -> Change:
    """Return a change judged by how far retraining alone moves the same parts: never a smaller p than before.

    The statistics z of two models that should be equal have a mean square above 1 where retraining moves whole parts.
    z over the root of that mean follows Student's t with one degree of freedom less than there are parts, as relative
    changes add up to nothing; for one number alone with as many as there are pairs of models.

    Args:
        change: of the parts, or of one number, after against before.
        null: z of the same, one row for each pair of models that should be equal.
    """
    from scipy.special import ndtri, stdtr, stdtrit

    null = np.atleast_2d(null)
    alone = null.shape[1] == 1
    known = ~np.isnan(null).any(0) & ~np.isnan(change.p)
    freedom = len(null) if alone else int(known.sum()) - 1
    if freedom < 1 or not known.any():
        return change
    squares = (null[:, known] ** 2).sum()
    spread = np.sqrt(squares / (freedom if alone else len(null) * freedom))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(change.statistic == 0, 0.0, change.statistic / spread) + 0 * change.p
        p = np.where(np.isfinite(t), 2 * stdtr(freedom, -np.abs(t)), SMALLEST_P)
    wider = max(1.0, spread * stdtrit(freedom, 0.5 + coverage / 2) / ndtri(0.5 + coverage / 2))
    return Change(
        change.estimate,
        change.estimate - wider * (change.estimate - change.low),
        change.estimate + wider * (change.high - change.estimate),
        change.statistic,
        np.full(t.shape, float(freedom)),
        np.maximum(change.p, p) + 0 * change.p,
    )


def population_change(
    before: Floats,
    after: Floats,
    *,
    grain: ArrayLike = 0.0,
    paired: bool = False,
    coverage: float = 0.95,
) -> Change:
    """Return the change of a mean over models, by Welch's t test; each column is a test of its own.

    Args:
        before, after: (models, tests). One side may be a single model: it is then compared with the other's spread.
        grain: the steps in which a value can differ (1 / examples). Models that agree to the grain are not known to
            agree exactly, so a twelfth of its square, the variance of rounding, is added to each side's.
        paired: model k after was made from model k before: a t test of the differences.

    Raises:
        ValueError: both sides are a single model.

    Source: https://doi.org/10.1093/biomet/34.1-2.28
    """
    from scipy.special import stdtr, stdtrit

    k0, k1 = len(before), len(after)
    if max(k0, k1) < 2 or (paired and k0 != k1):
        raise ValueError(
            f"{k0} models before and {k1} after: a spread needs two models on one side, pairs as many on both."
        )
    rounding = np.asarray(grain, float) ** 2 / 12
    estimate = after.mean(0) - before.mean(0)
    if paired:
        variance = ((after - before).var(0, ddof=1) + 2 * rounding) / k0
        freedom = np.full(estimate.shape, float(k0 - 1))
    elif min(k0, k1) < 2:
        several = before if k0 > 1 else after
        variance = (several.var(0, ddof=1) + rounding) * (1 / k0 + 1 / k1)
        freedom = np.full(estimate.shape, float(len(several) - 1))
    else:
        square0, square1 = (
            (before.var(0, ddof=1) + rounding) / k0,
            (after.var(0, ddof=1) + rounding) / k1,
        )
        variance = square0 + square1
        with np.errstate(invalid="ignore", divide="ignore"):
            freedom = variance**2 / (square0**2 / (k0 - 1) + square1**2 / (k1 - 1))
        freedom = np.where(variance > 0, freedom, float(k0 + k1 - 2))
    error = np.sqrt(variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(estimate == 0, 0.0, estimate / error)
    p = np.where(np.isfinite(t), 2 * stdtr(freedom, -np.abs(t)), SMALLEST_P)
    half = stdtrit(freedom, 0.5 + coverage / 2) * error
    nan = 0 * estimate  # a part without an example stays unknown
    return Change(
        estimate,
        estimate - half,
        estimate + half,
        t + nan,
        freedom,
        np.clip(p, SMALLEST_P, 1.0) + nan,
    )


def fisher(right0: Ints, right1: Ints, models0: int, models1: int) -> Floats:
    """Return Fisher's exact two-sided p for each example: are as many of `models1` right as of `models0`?"""
    pairs, place = np.unique(right0 * (models1 + 1) + right1, return_inverse=True)
    by_pair = [_fisher(*divmod(int(pair), models1 + 1), models0, models1) for pair in pairs]
    return np.array(by_pair)[place] if len(pairs) else np.empty(0)


def _fisher(right0: int, right1: int, models0: int, models1: int) -> float:
    """The probability, given all margins, of a table no more likely than this one."""
    from scipy.special import gammaln

    total = right0 + right1
    a = np.arange(max(0, total - models1), min(total, models0) + 1)

    def log_choose(n: int, k: Ints) -> Floats:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    log_p = log_choose(models0, a) + log_choose(models1, total - a)
    weights = np.exp(log_p - log_p.max())
    here = weights[right0 - a[0]]
    # tables as likely as this one count, rounding apart
    return max(float(weights[weights <= here * (1 + 1e-7)].sum() / weights.sum()), SMALLEST_P)


def cohens_h(before: ArrayLike, after: ArrayLike) -> Floats:
    """Return the effect size of a change from one share to another: 0.2 is small, 0.5 medium, 0.8 large."""
    return 2 * (np.arcsin(np.sqrt(after)) - np.arcsin(np.sqrt(before)))
