"""The experiments: plain functions of a seed that return named numbers and curves.

Only data is drawn at random, so each experiment has one generator.
"""

from typing import Literal

import numpy as np

from studiolo.runs import Outcome

from .descent import GradientDescent
from .model import (
    Array,
    min_norm_path,
    ridge_path,
    ridge_risk_curve,
    risk_curve as min_norm_risk_curve,
)
from .reference import gradient_descent
from .theory import best_penalty, best_sample_size, expected_risk, tuned_ridge_risk


Estimator = Literal["min_norm", "tuned_ridge"]


def risk_curve(
    *,
    seed: int,
    d: int = 200,
    trials: int = 20,
    sigma: float = 0.1,
    beta_norm: float = 1.0,
    estimator: Estimator = "min_norm",
) -> Outcome:
    """Draw `trials` growing samples of up to 2 d rows and follow the excess risk of every fit.

    Values (best is the n of least expected risk below d; means and medians are over the trials):
        rise: median risk at n = d over median risk at best.
        peak_offset: distance in samples between the largest median risk and n = d.
        risk_at_best: mean risk at best.
        end_over_best: mean risk at n = 2 d over that at best.
        first_descent: largest fall of the mean risk from n = 0 to an n <= 0.9 d, as a share.
        largest_rise: largest mean risk at a later n over that at an earlier one.
        closed_form_gap: largest relative deviation of the mean risk from the expected risk of the
            minimum-norm fit, over all n <= 0.9 d and n >= 1.1 d.

    The curve of means leaves out |n - d| <= 5, where no expectation stands behind a mean, or
    hardly one.
    """
    rng = np.random.default_rng(seed)
    curves = np.empty((trials, 2 * d + 1))
    for trial in range(trials):
        X, y, beta = draw_sample(rng, 2 * d, d, sigma=sigma, beta_norm=beta_norm)
        if estimator == "tuned_ridge":
            penalty = best_penalty(d, sigma=sigma, beta_norm=beta_norm)
            curves[trial] = ridge_risk_curve(X, y, beta, penalty)
        else:
            curves[trial] = min_norm_risk_curve(X, y, beta)
    n = np.arange(2 * d + 1)
    median = np.median(curves, axis=0)
    mean = curves.mean(axis=0)
    expected = expected_risk(n, d, sigma=sigma, beta_norm=beta_norm).excess
    best = round(best_sample_size(d, sigma=sigma, beta_norm=beta_norm))
    far = np.abs(n - d) >= 0.1 * d  # nearer to d the mean of a few trials says little
    shown = (n % max(d // 200, 1) == 0) | (np.abs(n - d) <= 0.02 * d)
    return Outcome(
        values={
            "rise": float(median[d] / median[best]),
            "peak_offset": float(abs(np.argmax(median) - d)),
            "risk_at_best": float(mean[best]),
            "end_over_best": float(mean[2 * d] / mean[best]),
            "first_descent": float(1 - mean[n <= 0.9 * d].min() / mean[0]),
            "largest_rise": largest_rise(mean),
            "closed_form_gap": float(np.max(np.abs(mean / expected - 1)[far])),
        },
        arrays={
            "n": n[shown],
            "median_risk": median[shown],
            "mean_risk": np.where(np.abs(n - d) > 5, mean, np.nan)[shown],
            "expected_risk": np.where(np.isfinite(expected), expected, np.nan)[shown],
            "tuned_ridge_risk": tuned_ridge_risk(n, d, sigma=sigma, beta_norm=beta_norm)[shown],
        },
    )


def closed_form(
    *,
    seed: int,
    d: int = 1000,
    sigma: float = 0.1,
    beta_norm: float = 1.0,
    estimator: Estimator = "min_norm",
) -> Outcome:
    """Read the shape of the curve off the formulas; nothing is drawn, the seed is not used.

    Values (over 0 <= n <= 2 d):
        best_n: the n of least expected risk among n <= d - 2.
        num_worse: how many n beyond best_n are worse than best_n; last_worse: the last of them.
        num_helpful: how many of the samples up to the (d - 2)nd lower the expected risk.
    """
    n = np.arange(2 * d + 1)
    if estimator == "tuned_ridge":
        risk = tuned_ridge_risk(n, d, sigma=sigma, beta_norm=beta_norm)
    else:
        risk = expected_risk(n, d, sigma=sigma, beta_norm=beta_norm).excess
    best = int(np.argmin(risk[: d - 1]))
    (worse,) = np.nonzero((n > best) & (risk > risk[best]))
    return Outcome(
        values={
            "best_n": float(best),
            "num_worse": float(len(worse)),
            "last_worse": float(worse.max(initial=best)),
            "num_helpful": float(np.sum(np.diff(risk[: d - 1]) < 0)),
        }
    )


def bias_variance(
    *,
    seed: int,
    d: int = 200,
    trials: int = 50,
    sigma: float = 0.1,
    beta_norm: float = 1.0,
    estimator: Estimator = "min_norm",
    spread: float = 1.0,
) -> Outcome:
    """Split the risk into squared bias and variance, from the estimates of many samples.

    The scales of the features alternate between `spread` and 1 / `spread`; the signal is in a
    feature of the first kind. At 1 the features are isotropic, as in the paper.

    Values (bias^2 is estimated without bias, from products of errors of different trials):
        bias_fall: bias^2 at 0.1 d less that at 0.9 d.
        variance_rise: variance at 0.95 d over that at 0.85 d.
        variance_dip: largest fall of the variance between an n and a later one, 0.1 d <= n <=
            0.9 d, as a share.
        bias_gap: largest absolute deviation of bias^2 from the formula of the minimum-norm fit.
        variance_gap: largest relative deviation of the variance from it; both gaps are over all
            n from 0.1 d to 0.9 d and from 1.1 d to 2 d.

    In the curves the variance is cut off at 1: near n = d its expectation is infinite.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((2 * d + 1, d))
    squares = np.zeros(2 * d + 1)
    scales = np.where(np.arange(d) % 2, 1 / spread, spread)
    # Isotropic features: one direction stands for all, but it must be the same in every trial.
    beta = np.append(beta_norm / spread, np.zeros(d - 1))
    for _ in range(trials):
        X = rng.standard_normal((2 * d, d)) * scales
        y = X @ beta + sigma * rng.standard_normal(2 * d)
        if estimator == "tuned_ridge":
            path = ridge_path(X, y, best_penalty(d, sigma=sigma, beta_norm=beta_norm))
        else:
            path = min_norm_path(X, y)
        errors = (path - beta) * scales  # what a test point of the same features sees
        total += errors
        squares += np.sum(errors**2, axis=1)
    bias2 = (np.sum(total**2, axis=1) - squares) / (trials * (trials - 1))
    variance = squares / trials - bias2
    n = np.arange(2 * d + 1)
    expected = expected_risk(n, d, sigma=sigma, beta_norm=beta_norm)
    far = (n >= 0.1 * d) & (np.abs(n - d) >= 0.1 * d)
    near = np.abs(n - d) < 0.05 * d
    middle = variance[(n >= 0.1 * d) & (n <= 0.9 * d)]
    return Outcome(
        values={
            "bias_fall": float(bias2[round(0.1 * d)] - bias2[round(0.9 * d)]),
            "variance_rise": float(variance[round(0.95 * d)] / variance[round(0.85 * d)]),
            "variance_dip": 1 - 1 / largest_rise(middle[::-1]),
            "bias_gap": float(np.max(np.abs(bias2 - expected.bias2)[far])),
            "variance_gap": float(np.max(np.abs(variance[far] / expected.variance[far] - 1))),
        },
        arrays={
            "n": n,
            "bias2": np.where(near, np.nan, bias2),
            "variance": np.minimum(variance, 1.0),
            "expected_bias2": expected.bias2,
            "expected_variance": np.minimum(expected.variance, 1.0),
        },
    )


def early_stopping(
    *,
    seed: int,
    d: int = 100,
    trials: int = 5,
    num_sizes: int = 24,
    sigma: float = 0.1,
    stop: Literal["best", "never"] = "best",
) -> Outcome:
    """Stop gradient descent at its best step for each n, or let it run to its limit.

    Risks are in mean over the noise, and over the trials (medians for the limit, whose mean is
    infinite near n = d).

    Values:
        largest_rise: largest risk at a later n over that at an earlier one.
        over_ridge: largest risk over that of ridge with the best penalty on the same rows.
    """
    rng = np.random.default_rng(seed)
    sizes = np.unique(np.linspace(1, 2 * d, num_sizes).round().astype(int))
    sizes = np.unique(np.append(sizes, [d - 1, d, d + 1]))
    stopped, limit, ridge = np.empty((3, trials, len(sizes)))
    penalty = best_penalty(d, sigma=sigma, beta_norm=1.0)
    for trial in range(trials):
        X, _, beta = draw_sample(rng, 2 * d, d, sigma=sigma, beta_norm=1.0)
        for column, n in enumerate(sizes):
            descent = GradientDescent(X[:n])
            stopped[trial, column] = descent.best_stop(beta, sigma=sigma).risk
            limit[trial, column] = descent.risk(beta, [np.inf], sigma=sigma).excess[0]
            gram = X[:n].T @ X[:n]
            inverse = np.linalg.inv(gram + penalty * np.eye(d))
            bias = penalty * inverse @ beta
            ridge[trial, column] = bias @ bias + sigma**2 * np.sum(inverse @ inverse * gram)
    stopped_risk, ridge_risk = stopped.mean(axis=0), ridge.mean(axis=0)
    limit_risk = np.median(limit, axis=0)
    chosen = stopped_risk if stop == "best" else limit_risk
    return Outcome(
        values={
            "largest_rise": largest_rise(chosen),
            "over_ridge": float(np.max(chosen / ridge_risk)),
        },
        arrays={
            "n": sizes,
            "limit_risk": limit_risk,
            "stopped_risk": stopped_risk,
            "ridge_risk": ridge_risk,
        },
    )


def reach_min_norm(
    *,
    seed: int,
    d: int = 60,
    n: int = 30,
    steps: int = 2000,
    start: Literal["zero", "random"] = "zero",
) -> Outcome:
    """Run gradient descent for real, from 0 or from a random point, and compare the end.

    Values:
        distance: ||coefficients - minimum-norm fit|| / ||minimum-norm fit|| after `steps` steps.
    """
    rng = np.random.default_rng(seed)
    X, y, _ = draw_sample(rng, n, d, sigma=0.1, beta_norm=1.0)
    first = rng.standard_normal(d) / np.sqrt(d) if start == "random" else np.zeros(d)
    eta = n / float(np.linalg.norm(X, 2)) ** 2
    end = first + gradient_descent(X, y - X @ first, steps, eta)
    fit = min_norm_path(X, y)[-1]
    return Outcome(values={"distance": float(np.linalg.norm(end - fit) / np.linalg.norm(fit))})


def steps_needed(*, seed: int, d: int = 100, n: int = 100) -> Outcome:
    """Count the steps until gradient descent is within 1 % of the minimum-norm fit to n samples.

    Values:
        steps: that number, on a grid of 5 %; the step size is one over the largest eigenvalue.
        slowdown: steps over those for the first d / 2 of the samples.
    """
    rng = np.random.default_rng(seed)
    X, y, _ = draw_sample(rng, max(n, d // 2), d, sigma=0.1, beta_norm=1.0)
    grid = np.unique(np.floor(np.geomspace(1, 1e10, 472)))
    counts = []
    for rows in (n, d // 2):
        path = GradientDescent(X[:rows]).estimates(y[:rows], np.append(grid, np.inf))
        distances = np.linalg.norm(path - path[-1], axis=1) / np.linalg.norm(path[-1])
        counts.append(np.append(grid, np.inf)[np.argmax(distances <= 0.01)])
    return Outcome(values={"steps": float(counts[0]), "slowdown": float(counts[0] / counts[1])})


def risk_over_time(
    *,
    seed: int,
    num_large: int = 60,
    num_small: int = 10,
    small_scale: float = 0.05,
    n: int = 80,
    sigma: float = 0.5,
    step_size: float = 0.2,
    step_sizes: Literal["one", "per_feature"] = "one",
) -> Outcome:
    """Follow the risk along gradient descent on features of two scales, in mean over the noise.

    The coefficients times the scales have norm 2.5 on the features of scale 1 and 1.5 on those of
    scale `small_scale`. "per_feature" divides the step size by the squared scale of the feature.

    Values:
        num_minima: number of local minima of the risk over time that lie 5 % under the highest
            point to either side; the last point counts if the risk ends falling.
    """
    rng = np.random.default_rng(seed)
    d = num_large + num_small
    scales = np.append(np.ones(num_large), np.full(num_small, small_scale))
    X = rng.standard_normal((n, d))  # standardised: the features are X * scales
    large, small = rng.standard_normal(num_large), rng.standard_normal(num_small)
    parts = [2.5 * large / np.linalg.norm(large)]
    if num_small:
        parts.append(1.5 * small / np.linalg.norm(small))
    beta = np.concatenate(parts)  # the coefficients times the scales
    steps = np.append(0, np.unique(np.floor(np.geomspace(1, 1e6, 241))))
    curves = {
        "one": GradientDescent(X, step_size * scales**2).risk(beta, steps, sigma=sigma).excess,
        "per_feature": GradientDescent(X, step_size).risk(beta, steps, sigma=sigma).excess,
    }
    return Outcome(
        values={"num_minima": float(count_minima(curves[step_sizes]))},
        arrays={
            "steps": steps[1:],
            "risk": curves["one"][1:],
            "risk_per_feature": curves["per_feature"][1:],
        },
    )


def risk_map(
    *, seed: int, d: int = 60, trials: int = 10, sigma: float = 0.1, at_steps: int = 100
) -> Outcome:
    """Map the risk over samples n and gradient descent steps t, median over the draws of X.

    Values:
        largest_rise: largest risk at a later n over that at an earlier one, after about
            `at_steps` steps.
    """
    rng = np.random.default_rng(seed)
    sizes = np.unique(np.linspace(1, 2 * d, 61).round().astype(int))
    steps = np.unique(np.floor(np.geomspace(1, 1e6, 61)))
    risks = np.empty((trials, len(steps), len(sizes)))
    for trial in range(trials):
        X, _, beta = draw_sample(rng, 2 * d, d, sigma=sigma, beta_norm=1.0)
        for column, n in enumerate(sizes):
            risks[trial, :, column] = GradientDescent(X[:n]).risk(beta, steps, sigma=sigma).excess
    risk = np.median(risks, axis=0)
    row = int(np.argmin(np.abs(steps - at_steps)))
    return Outcome(
        values={"largest_rise": largest_rise(risk[row])},
        arrays={"n": sizes, "steps": steps, "log10_risk": np.log10(risk)},
    )


def draw_sample(
    rng: np.random.Generator, num_rows: int, d: int, *, sigma: float, beta_norm: float
) -> tuple[Array, Array, Array]:
    """Features (num_rows, d) of N(0, I), targets with noise sigma, and a random beta of that norm."""
    X = rng.standard_normal((num_rows, d))
    direction = rng.standard_normal(d)
    beta = beta_norm / np.linalg.norm(direction) * direction
    y = X @ beta + sigma * rng.standard_normal(num_rows)
    return X, y, beta


def largest_rise(risks: Array) -> float:
    """The largest risk over one that comes before it, at least 1; risks are positive."""
    return float(np.max(risks / np.minimum.accumulate(risks)))


def count_minima(risks: Array, prominence: float = 0.05) -> int:
    """Local minima, without those from which the risk rises by less than `prominence`.

    Descents and rises alternate: a descent counts once the risk has fallen by that share from the
    highest point since the last rise, a rise likewise from the lowest.
    """
    minima, falling, extreme = 0, False, risks[0]
    for risk in risks:
        if falling:
            extreme = min(extreme, risk)
            if risk > (1 + prominence) * extreme:
                falling, extreme = False, risk
        else:
            extreme = max(extreme, risk)
            if (1 + prominence) * risk < extreme:
                falling, extreme, minima = True, risk, minima + 1
    return minima
