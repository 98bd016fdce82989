import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from . import experiments, reference
from .descent import GradientDescent
from .model import min_norm_path, ridge_path, ridge_risk_curve, risk_curve
from .theory import (
    best_penalty,
    best_sample_size,
    expected_risk,
    limiting_risk,
    ridge_risk,
    sample_risk_curves,
    tuned_ridge_risk,
)


SIZES = [(7, 12), (12, 12), (13, 12), (14, 12), (15, 12), (300, 12), (5, 1), (1, 1), (0, 3)]
SMALLEST = {
    "risk_curve": {"d": 20, "trials": 2},
    "closed_form": {"d": 30},
    "bias_variance": {"d": 20, "trials": 3},
    "early_stopping": {"d": 10, "trials": 1, "num_sizes": 3},
    "reach_min_norm": {"d": 10, "n": 5, "steps": 20},
    "steps_needed": {"d": 10, "n": 10},
    "risk_over_time": {"num_large": 6, "n": 20},
    "risk_map": {"d": 8, "trials": 1},
}


def draw(num_rows, d, seed=0, sigma=0.3):
    rng = np.random.default_rng(seed)
    return experiments.draw_sample(rng, num_rows, d, sigma=sigma, beta_norm=1.0)


# By hand


def test_two_rows_in_three_dimensions_worked_by_hand():
    X = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    beta = np.array([1.0, 2.0, 3.0])
    y = np.array([1.5, 3.0])  # noise 0.5 and 0
    # No row: 14. Row 1 gives (1.5, 0, 0): 0.25 + 4 + 9. Both give (1.5, 1.5, 0): 0.25 + 0.25 + 9.
    np.testing.assert_allclose(risk_curve(X, y, beta), [14.0, 13.25, 9.5])
    np.testing.assert_allclose(min_norm_path(X, y), [[0, 0, 0], [1.5, 0, 0], [1.5, 1.5, 0]])


def test_least_expected_risk_at_d_1000_is_at_899():
    excess = expected_risk(np.arange(1000), 1000, sigma=0.1, beta_norm=1.0).excess
    assert np.argmin(excess) == 899
    assert round(float(excess[899]), 4) == 0.1909
    assert round(best_sample_size(1000, sigma=0.1, beta_norm=1.0)) == 899


def test_expected_risk_is_infinite_within_one_of_d_and_only_there():
    excess = expected_risk(np.arange(21), 10, sigma=0.1, beta_norm=1.0).excess
    assert np.flatnonzero(np.isinf(excess)).tolist() == [9, 10, 11]
    noiseless = expected_risk([9, 10, 11], 10, sigma=0.0, beta_norm=2.0)
    np.testing.assert_allclose(noiseless.excess, [0.4, 0.0, 0.0], atol=1e-15)


# The model equals the reference


@pytest.mark.parametrize(("num_rows", "d"), SIZES)
def test_curve_equals_one_fit_per_n(num_rows, d):
    X, y, beta = draw(num_rows, d)
    expected = reference.risk_curve(X, y, beta)
    np.testing.assert_allclose(risk_curve(X, y, beta), expected, rtol=1e-10)


@pytest.mark.parametrize(("num_rows", "d"), SIZES)
def test_paths_equal_one_fit_per_n(num_rows, d):
    X, y, beta = draw(num_rows, d)
    for n, (fit, ridge) in enumerate(zip(min_norm_path(X, y), ridge_path(X, y, 0.7), strict=True)):
        np.testing.assert_allclose(fit, reference.min_norm_fit(X[:n], y[:n]), atol=1e-10)
        np.testing.assert_allclose(ridge, reference.ridge_fit(X[:n], y[:n], 0.7), atol=1e-10)
    errors = ridge_path(X, y, 0.7) - beta
    np.testing.assert_allclose(
        ridge_risk_curve(X, y, beta, 0.7), np.sum(errors**2, axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("seed", range(30))
def test_curve_is_within_1e_9_of_lstsq_two_samples_from_d_and_further(seed):
    d = 60
    X, y, beta = draw(2 * d, d, seed, sigma=0.1)
    n = np.append(np.arange(30, d - 1, 4), np.arange(d + 2, 2 * d + 1, 4))
    fits = [np.linalg.lstsq(X[:size], y[:size], rcond=None)[0] for size in n]
    expected = np.sum((np.array(fits) - beta) ** 2, axis=1)
    np.testing.assert_allclose(risk_curve(X, y, beta)[n], expected, rtol=1e-9)


def test_a_tiny_singular_value_at_n_equals_d_is_not_carried_along():
    d = 40
    X, y, beta = draw(2 * d, d)
    X[d - 1] = X[0] + 1e-9 * X[d - 1]  # row d is almost row 0
    expected = reference.risk_curve(X, y, beta)
    np.testing.assert_allclose(risk_curve(X, y, beta)[d + 2 :], expected[d + 2 :], rtol=1e-9)


def test_row_by_row_reference_equals_one_fit_per_n():
    X, y, _ = draw(30, 12)
    for n, fit in enumerate(reference.recursive_fits(X, y)):
        np.testing.assert_allclose(fit, reference.min_norm_fit(X[:n], y[:n]), atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(7, 12), (12, 12), (30, 12), (5, 1)])
@pytest.mark.parametrize("per_feature", [False, True])
def test_descent_equals_its_loop(n, d, per_feature):
    X, y, _ = draw(n, d)
    eta = np.linspace(0.01, 0.1, d) if per_feature else 0.1
    steps = [0, 1, 2, 17, 400]
    loops = [reference.gradient_descent(X, y, t, eta) for t in steps]
    estimates = GradientDescent(X, eta).estimates(y, steps)
    np.testing.assert_allclose(estimates, loops, atol=1e-12)


@pytest.mark.parametrize("step_size", [0.05, 0.45])  # 0.45 overshoots along some directions
def test_descent_risk_is_the_mean_over_the_noise(step_size):
    n, d, sigma = 9, 6, 0.5
    X, _, beta = draw(n, d, seed=4)
    descent = GradientDescent(X, step_size)
    steps = [0, 3, 40, np.inf]
    # The mean over +-sigma on each row by itself is the mean over any noise of that variance.
    clean = descent.estimates(X @ beta, steps)
    parts = np.array([descent.estimates(sigma * row, steps) for row in np.eye(n)])
    expected = np.sum((clean - beta) ** 2, axis=1) + np.sum(parts**2, axis=(0, 2))
    np.testing.assert_allclose(descent.risk(beta, steps, sigma=sigma).excess, expected, rtol=1e-12)


def test_step_sizes_per_feature_are_scales_of_the_features():
    X, y, _ = draw(30, 8)
    scales = np.linspace(0.1, 1.0, 8)
    scaled = GradientDescent(X * scales, 0.2).estimates(y, [1, 10, 100]) * scales
    standard = GradientDescent(X, 0.2 * scales**2).estimates(y, [1, 10, 100])
    np.testing.assert_allclose(scaled, standard, atol=1e-12)


# Laws and limits


@pytest.mark.parametrize("n", [1, 10, 19, 20, 21, 25, 40])
def test_sampled_curves_have_the_law_of_real_ones(n):
    rng = np.random.default_rng(1)
    sampled = sample_risk_curves(40, 20, sigma=0.3, beta_norm=1.0, trials=2000, rng=rng)[:, n]
    factors = [reference.bartlett_risk(n, 20, 0.3, 1.0, rng) for _ in range(400)]
    real = [risk_curve(*draw(n, 20, seed))[-1] for seed in range(400)]
    assert ks_2samp(sampled, factors).pvalue > 0.001
    assert ks_2samp(sampled, real).pvalue > 0.001


def test_sampled_curves_have_the_joint_law_up_to_n_equals_d():
    rng = np.random.default_rng(2)
    sampled = sample_risk_curves(20, 20, sigma=0.3, beta_norm=1.0, trials=2000, rng=rng)
    real = np.array([risk_curve(*draw(20, 20, seed)) for seed in range(400)])
    for n, later in ((5, 15), (15, 19), (19, 20)):
        ratios = sampled[:, later] / sampled[:, n], real[:, later] / real[:, n]
        assert ks_2samp(*ratios).pvalue > 0.001


def test_mean_of_sampled_curves_is_the_expected_risk():
    rng = np.random.default_rng(3)
    curves = sample_risk_curves(100, 50, sigma=0.3, beta_norm=1.0, trials=10_000, rng=rng)
    n = np.array([0, 5, 25, 40, 44, 60, 80, 100])
    expected = expected_risk(n, 50, sigma=0.3, beta_norm=1.0).excess
    np.testing.assert_allclose(curves[:, n].mean(axis=0), expected, rtol=0.02)


def test_expected_risk_nears_its_limit():
    gamma = np.array([0.1, 0.5, 0.9, 1.1, 2.0])
    finite = expected_risk(gamma * 100_000, 100_000, sigma=0.1, beta_norm=2.0)
    limit = limiting_risk(gamma, sigma=0.1, beta_norm=2.0)
    np.testing.assert_allclose(finite, limit, rtol=1e-3)
    assert np.isinf(limiting_risk(1.0, sigma=0.1, beta_norm=1.0).excess)


def test_ridge_risk_has_its_two_known_special_cases():
    n = np.array([0, 10, 100, 150, 199, 230, 400])
    best = best_penalty(200, sigma=0.1, beta_norm=2.0)
    tuned = tuned_ridge_risk(n, 200, sigma=0.1, beta_norm=2.0)
    ridge = ridge_risk(n, 200, best, sigma=0.1, beta_norm=2.0)
    np.testing.assert_allclose(ridge.excess, tuned, rtol=1e-12)
    np.testing.assert_allclose(ridge.bias2 + ridge.variance, ridge.excess, rtol=1e-12)
    tiny = ridge_risk(n, 200, 1e-9, sigma=0.1, beta_norm=2.0)
    limit = limiting_risk(n / 200, sigma=0.1, beta_norm=2.0)
    np.testing.assert_allclose(tiny, limit, rtol=1e-6, atol=1e-12)


def test_no_other_penalty_beats_the_best_one():
    best = best_penalty(100, sigma=0.5, beta_norm=1.0)
    n = np.arange(1, 200)
    least = ridge_risk(n, 100, best, sigma=0.5, beta_norm=1.0).excess
    for factor in (0.5, 0.9, 1.1, 2.0):
        other = ridge_risk(n, 100, factor * best, sigma=0.5, beta_norm=1.0).excess
        assert np.all(other > least)


def test_best_stop_is_the_least_risk_of_all_steps():
    X, _, beta = draw(20, 20, seed=5)
    descent = GradientDescent(X)
    steps, risk = descent.best_stop(beta, sigma=0.3)
    every = descent.risk(beta, np.arange(20 * steps), sigma=0.3).excess
    assert np.argmin(every) == steps
    assert np.isclose(every[steps], risk, rtol=1e-12)


def test_endless_descent_is_the_minimum_norm_fit():
    X, y, _ = draw(12, 12)
    limit = GradientDescent(X).estimates(y, [np.inf])[0]
    np.testing.assert_allclose(limit, reference.min_norm_fit(X, y), atol=1e-9)


def test_descent_on_no_rows_learns_nothing():
    descent = GradientDescent(np.zeros((0, 3)))
    assert descent.estimates(np.zeros(0), [0, 5, np.inf]).tolist() == [[0.0] * 3] * 3
    assert descent.best_stop(np.ones(3), sigma=1.0) == (0, 3.0)


# Edges and errors


def test_float32_input_is_computed_in_float64():
    X, y, beta = (part.astype(np.float32) for part in draw(30, 12))
    curve = risk_curve(X, y, beta)
    assert curve.dtype == np.float64
    exact = reference.risk_curve(*(part.astype(np.float64) for part in (X, y, beta)))
    np.testing.assert_allclose(curve, exact, rtol=1e-10)


@pytest.mark.parametrize("row", [3, 0])
def test_row_in_the_span_of_earlier_rows_is_named(row):
    X, y, beta = draw(9, 6)
    X[row] = X[0] - 2 * X[2] if row else 0.0
    for refused in (lambda: risk_curve(X, y, beta), lambda: min_norm_path(X, y)):
        with pytest.raises(ValueError, match=f"Row {row} lies in the span of the rows before it"):
            refused()
    assert np.isfinite(ridge_path(X, y, 0.1)).all()


def test_row_repeated_beyond_d_is_fine():
    X, y, beta = draw(12, 6)
    X[8] = X[1]
    np.testing.assert_allclose(risk_curve(X, y, beta), reference.risk_curve(X, y, beta), rtol=1e-10)


X, Y, BETA = np.eye(3, 2) + 1, np.ones(3), np.ones(2)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: risk_curve(np.ones(3), Y, BETA), r"X has shape \(3,\), but it must be \(rows"),
        (lambda: risk_curve(np.ones((3, 0)), Y, BETA), r"X has shape \(3, 0\), but it must be"),
        (lambda: risk_curve(X, Y[:2], BETA), r"y has shape \(2,\), but X of shape \(3, 2\) needs"),
        (lambda: risk_curve(X, Y, Y), r"beta has shape \(3,\), but X of shape \(3, 2\) needs"),
        (lambda: risk_curve(X, Y * np.nan, BETA), "y holds a value that is not finite"),
        (lambda: ridge_path(X, Y, 0.0), "penalty is 0.0, but ridge needs one above 0"),
        (
            lambda: ridge_risk(3, 2, -1.0, sigma=0.1, beta_norm=1.0),
            "penalty is -1.0, but ridge needs one above 0",
        ),
        (lambda: expected_risk(-1, 2, sigma=0.1, beta_norm=1.0), "n is -1, but a number of"),
        (lambda: expected_risk(1, 0, sigma=0.1, beta_norm=1.0), "d is 0, but there must be"),
        (lambda: expected_risk(1, 2, sigma=-0.1, beta_norm=1.0), "sigma is -0.1 and beta_norm 1.0"),
        (lambda: GradientDescent(X, 9.0), r"The step size is [\d.]+ times too large"),
        (lambda: GradientDescent(X, -1.0), "step_size is -1.0, but it must be above 0"),
        (lambda: GradientDescent(X, Y), r"step_size has shape \(3,\), but it must be one number"),
        (lambda: GradientDescent(X).estimates(BETA, [1]), r"y has shape \(2,\), but X needs"),
        (
            lambda: GradientDescent(X).risk(Y, [1], sigma=0.1),
            r"beta has shape \(3,\), but X needs \(2,\)",
        ),
        (
            lambda: GradientDescent(X).estimates(Y, [0.5]),
            r"steps are \[0.5\], but they must be a row of whole",
        ),
        (lambda: GradientDescent(X).estimates(Y, 3), "steps are 3.0, but they must be a row"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


# Experiments


def claims():
    text = Path(__file__).with_name("paper.toml").read_text()
    tables = tomllib.loads(text)["claim"]
    by_id = {table["id"]: table for table in tables}
    for table in tables:
        if "all_of" in table:
            continue
        chain = [table]
        while "like" in chain[-1]:
            chain.append(by_id[chain[-1]["like"]])
        run = next(one["run"] for one in chain if "run" in one)
        metric = next(one["metric"] for one in chain if "metric" in one)
        config = {}
        for one in reversed(chain):
            config |= one.get("config", {})
        yield pytest.param(run, metric, config, id=table["id"])


@pytest.mark.parametrize(("run", "metric", "config"), list(claims()))
def test_experiment_of_every_claim_runs_small_and_repeats(run, metric, config):
    config = {**config, **SMALLEST[run]}
    experiment = getattr(experiments, run)
    first, again = experiment(seed=3, **config), experiment(seed=3, **config)
    assert np.isfinite(first.values[metric])
    assert first.values == again.values
    assert {len(curve) for curve in first.arrays.values()} - {len(first.arrays.get("n", []))} <= {
        len(first.arrays.get("steps", [])),
    }


@pytest.mark.parametrize(
    ("risks", "minima"),
    [([3, 2, 1], 1), ([3, 1, 2], 1), ([3, 1, 2, 1, 2], 2), ([1, 2], 0), ([3, 1, 1.01, 1, 2], 1)],
)
def test_minima_are_counted_by_their_prominence(risks, minima):
    assert experiments.count_minima(np.array(risks, dtype=float)) == minima


def test_importing_the_folder_loads_no_torch():
    code = "import sys, studiolo.papers.double_descent.experiments; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_readme_example_runs():
    readme = Path(__file__).with_name("README.md").read_text()
    exec(readme.split("```python\n")[1].split("```")[0], {})
