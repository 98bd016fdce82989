"""The experiments: plain functions of a seed that return named numbers and curves.

Only data is drawn at random, so each experiment has one generator.
"""

from typing import Literal

import numpy as np

from studiolo.data import table
from studiolo.runs import Outcome

from .descent import GradientDescent
from .inputs import Array
from .model import min_norm_path, ridge_path
from .reference import gradient_descent
from .theory import best_penalty, expected_risk, limiting_risk, tuned_ridge_risk


Estimator = Literal["min_norm", "tuned_ridge"]


def growing_samples(
    *,
    seed: int,
    d: int = 1000,
    trials: int = 10,
    sigma: float = 0.1,
    estimator: Estimator = "min_norm",
    distinct: int | None = None,
) -> Outcome:
    """Draw `trials` growing samples of up to 2 d rows of a signal of length 1; follow every fit.

    With `distinct` a sample has only so many rows of its own, which then repeat in turn with their
    targets: more rows, no more data.

    Values (test risk is the mean squared error on a new sample, excess risk + sigma^2; means and
    medians are over the trials):
        rise: mean test risk at 0.95 d over that at 0.9 d.
        first_minimum: the n of least mean test risk, n <= 0.98 d.
        num_descents: how often the median test risk falls to half of its highest point so far,
            counted anew once it has doubled from its lowest.
        peak_offset: distance in samples from n = d to the largest median test risk, n >= 0.9 d.
        first_descent: largest fall of the mean test risk from n = 0 to an n <= 0.9 d, as a share.
        largest_rise: largest mean test risk at a later n over that at an earlier one.
        bias_fall: bias^2 at 0.1 d less that at 0.9 d.
        variance_rise: variance at 0.95 d over that at 0.9 d.
        variance_dip: largest fall of the variance between an n and a later one, 0.1 d <= n <=
            0.9 d, as a share.
        risk_gap, bias_gap, variance_gap: largest deviation of the mean excess risk (relative),
            of bias^2 (absolute) and of the variance (relative) from Claims 1 and 2 of the paper,
            which are limits, over all n from 0.1 d to 0.9 d and from 1.1 d to 2 d.
        risk_gap_of_more_noise, variance_gap_of_more_noise: the same from the formulas for noise
            1.2 sigma.
        bias_gap_of_unseen_share: the same from 1 - n/d, the share of the signal outside the span of
            the rows.

    bias^2 is estimated without bias, from products of errors of different trials. All but
    peak_offset leave out |n - d| <= 0.005 d, or 1, where no expectation stands behind a mean, or
    hardly one.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((2 * d + 1, d))
    curves = np.empty((trials, 2 * d + 1))
    # Isotropic features: one direction stands for all, but it must be the same in every trial.
    beta = np.append(1.0, np.zeros(d - 1))
    for trial in range(trials):
        X = rng.standard_normal((distinct or 2 * d, d))
        y = X @ beta + sigma * rng.standard_normal(len(X))
        order = np.arange(2 * d) % len(X)
        path = _path(X[order], y[order], estimator, sigma)
        errors = path - beta
        total += errors
        curves[trial] = np.einsum("nd,nd->n", errors, errors)
    mean, median = curves.mean(axis=0), np.median(curves, axis=0)
    bias2 = (np.einsum("nd,nd->n", total, total) / trials - mean) / (trials - 1)
    variance = mean - bias2
    n = np.arange(2 * d + 1)
    near = np.abs(n - d) <= max(0.005 * d, 1)
    test = np.where(near, np.nan, mean) + sigma**2
    far = (n >= 0.1 * d) & (np.abs(n - d) >= 0.1 * d)
    limit = limiting_risk(n / d, sigma=sigma, beta_norm=1.0)
    other = limiting_risk(n / d, sigma=1.2 * sigma, beta_norm=1.0)
    tenth, best, later = round(0.1 * d), round(0.9 * d), round(0.95 * d)
    middle = variance[(n >= 0.1 * d) & (n <= 0.9 * d)]
    shown = (n % max(d // 200, 1) == 0) | (np.abs(n - d) <= 0.02 * d)
    expected = expected_risk(n, d, sigma=sigma, beta_norm=1.0)
    return Outcome(
        values={
            "rise": float(test[later] / test[best]),
            "first_minimum": float(np.nanargmin(test[n <= 0.98 * d])),
            "num_descents": float(count_minima(median[~near] + sigma**2, prominence=1.0)),
            "peak_offset": float(abs(best + np.argmax(median[best:]) - d)),
            "first_descent": float(1 - test[: best + 1].min() / test[0]),
            "largest_rise": largest_rise(test[~near]),
            "bias_fall": float(bias2[tenth] - bias2[best]),
            "variance_rise": float(variance[later] / variance[best]),
            "variance_dip": 1 - 1 / largest_rise(middle[::-1]),
            "risk_gap": _largest(mean[far] / limit.excess[far] - 1),
            "risk_gap_of_more_noise": _largest(mean[far] / other.excess[far] - 1),
            "bias_gap": _largest((bias2 - limit.bias2)[far]),
            "bias_gap_of_unseen_share": _largest((bias2 - np.maximum(1 - n / d, 0))[far]),
            "variance_gap": _largest(variance[far] / limit.variance[far] - 1),
            "variance_gap_of_more_noise": _largest(variance[far] / other.variance[far] - 1),
        },
        arrays={
            "n": n[shown],
            "mean_risk": test[shown] - sigma**2,
            "median_risk": median[shown],
            "expected_risk": np.where(near, np.nan, expected.excess)[shown],
            "tuned_ridge_risk": tuned_ridge_risk(n, d, sigma=sigma, beta_norm=1.0)[shown],
            "bias2": np.where(near, np.nan, bias2)[shown],
            "variance": np.minimum(variance, 1.0)[shown],
            "expected_bias2": expected.bias2[shown],
            "expected_variance": np.minimum(expected.variance, 1.0)[shown],
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


def real_features(*, seed: int, width: int = 200, draws: int = 10) -> Outcome:
    """Predict the quality of white wines from `width` random ReLU features of their 11 measurements.

    Wines with the same measurements count once, 3,961 of 4,898. Every draw takes 3 width of them in
    random order as the growing sample, 400 others for validation and 1,000 others for the test, and
    draws features relu(<w, x> + b), w and b Gaussian, of the standardised measurements. The target
    is centred; an error of 1 is that of its mean. Ridge on the same rows takes at every n the
    penalty with the least validation error, of eight from 10^-3 to 10^4 times the mean square of
    the features.

    Values (of the median over the draws of the mean squared error on the test wines; with ridge_
    before the name those of ridge, without it those of the minimum-norm fit):
        rise: error at n = 0.9 width over that at n = width / 2.
        least_before: least error at an n from 0.1 width to 0.9 width.
        peak_offset: distance from n = width to the n of the largest error, n >= width / 4, as a
            share of width.
        largest_rise: largest error at a later n over that at an earlier one, n >= width / 4.
    """
    rng = np.random.default_rng(seed)
    wines = np.unique(table("white_wine"), axis=0)
    inputs = (wines[:, :-1] - wines[:, :-1].mean(axis=0)) / wines[:, :-1].std(axis=0)
    quality = wines[:, -1] - wines[:, -1].mean()
    steps = np.concatenate([np.arange(0, 3.05, 0.1), [0.95, 1.05]])
    sizes = np.unique((steps * width).round()).astype(int)
    train = slice(3 * width)
    valid, test = slice(3 * width, 3 * width + 400), slice(3 * width + 400, 3 * width + 1400)
    curves = np.empty((2, draws, len(sizes)))  # the minimum-norm fit's, ridge's
    for draw in range(draws):
        order = rng.permutation(len(wines))
        weights = rng.standard_normal((inputs.shape[1], width)) / np.sqrt(inputs.shape[1])
        X = np.maximum(inputs[order] @ weights + rng.standard_normal(width), 0.0)
        y = quality[order]
        unit = float(np.mean(X[train] ** 2))
        paths = [ridge_path(X[train], y[train], unit * 10.0**power) for power in range(-3, 5)]
        paths.append(min_norm_path(X[train], y[train]))
        fits = np.array([path[sizes] for path in paths])  # (9, sizes, width)
        errors = np.mean((fits @ X[test].T - y[test]) ** 2, axis=2) / np.mean(y[test] ** 2)
        chosen = np.argmin(np.mean((fits[:-1] @ X[valid].T - y[valid]) ** 2, axis=2), axis=0)
        curves[:, draw] = errors[-1], errors[chosen, np.arange(len(sizes))]
    min_norm, ridge = np.median(curves, axis=1)
    half, later = np.searchsorted(sizes, [round(0.5 * width), round(0.9 * width)])
    some = sizes >= 0.25 * width
    values: dict[str, float] = {}
    for prefix, error in (("", min_norm), ("ridge_", ridge)):
        values |= {
            f"{prefix}rise": float(error[later] / error[half]),
            f"{prefix}least_before": float(error[1 : later + 1].min()),
            f"{prefix}peak_offset": float(abs(sizes[some][np.argmax(error[some])] / width - 1)),
            f"{prefix}largest_rise": largest_rise(error[some]),
        }
    return Outcome(
        values=values, arrays={"n": sizes, "min_norm_error": min_norm, "ridge_error": ridge}
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


def _path(X: Array, y: Array, estimator: Estimator, sigma: float) -> Array:
    """Every fit of the growing sample, for a signal of length 1."""
    if estimator == "tuned_ridge":
        return ridge_path(X, y, best_penalty(X.shape[1], sigma=sigma, beta_norm=1.0))
    return min_norm_path(X, y)


def _largest(deviations: Array) -> float:
    return float(np.max(np.abs(deviations)))


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
