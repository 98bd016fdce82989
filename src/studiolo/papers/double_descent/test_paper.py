import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from . import experiments, inputs, reference
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
    "growing_samples": {"d": 40, "trials": 3},
    "closed_form": {"d": 30},
    "real_features": {"width": 20, "draws": 2},
    "early_stopping": {"d": 10, "trials": 1, "num_sizes": 3},
    "reach_min_norm": {"d": 10, "n": 5, "steps": 20},
    "steps_needed": {"d": 10, "n": 10},
    "risk_over_time": {"num_large": 6, "n": 20},
    "risk_map": {"d": 8, "trials": 1},
}


def draw(num_rows, d, seed=0, sigma=0.3):
    rng = np.random.default_rng(seed)
    return experiments.draw_sample(rng, num_rows, d, sigma=sigma, beta_norm=1.0)


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


@pytest.mark.parametrize("sigma", [0.0, 0.1])
def test_ridge_risk_is_finite_for_any_penalty_and_ends_at_the_limits(sigma):
    n = np.array([0, 50, 100, 200])
    for penalty in (1e-300, 1e-20, 1e20, 1e308):
        assert np.isfinite(ridge_risk(n, 100, penalty, sigma=sigma, beta_norm=2.0)).all()
    far = np.array([0, 50, 200])
    tiny = ridge_risk(far, 100, 1e-300, sigma=sigma, beta_norm=2.0).excess
    limit = limiting_risk(far / 100, sigma=sigma, beta_norm=2.0).excess
    np.testing.assert_allclose(tiny, limit, rtol=1e-12, atol=1e-12)
    huge = ridge_risk(n, 100, 1e308, sigma=sigma, beta_norm=2.0).excess
    np.testing.assert_allclose(huge, 4.0)


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


def test_float32_input_is_computed_in_float64():
    X, y, beta = (part.astype(np.float32) for part in draw(30, 12))
    curve = risk_curve(X, y, beta)
    assert curve.dtype == np.float64
    exact = reference.risk_curve(*(part.astype(np.float64) for part in (X, y, beta)))
    np.testing.assert_allclose(curve, exact, rtol=1e-10)


def dependent_rows(X):
    X[3], X[7] = X[0] - 2 * X[2], 0.0
    return X


def repeated_rows(X):
    return np.repeat(X, 3, axis=0)[: len(X)]


def duplicated_column(X):
    X[:, 5] = X[:, 2]
    return X


def zeros(X):
    return np.zeros_like(X)


def zero_rows_first(X):
    X[:2] = 0.0
    return X


@pytest.mark.parametrize(
    "spoil", [dependent_rows, repeated_rows, duplicated_column, zeros, zero_rows_first]
)
@pytest.mark.parametrize(("num_rows", "d"), [(30, 12), (9, 12), (12, 12)])
def test_features_of_any_rank_have_their_minimum_norm_fits(spoil, num_rows, d):
    X, y, beta = draw(num_rows, d)
    X = spoil(X)
    fits = [reference.min_norm_fit(X[:n], y[:n]) for n in range(num_rows + 1)]
    np.testing.assert_allclose(min_norm_path(X, y), fits, atol=1e-11)
    np.testing.assert_allclose(
        risk_curve(X, y, beta), reference.risk_curve(X, y, beta), rtol=1e-10, atol=1e-12
    )
    ridge = [reference.ridge_fit(X[:n], y[:n], 0.7) for n in range(num_rows + 1)]
    np.testing.assert_allclose(ridge_path(X, y, 0.7), ridge, atol=1e-11)
    limit = GradientDescent(X).estimates(y, [np.inf])[0]
    np.testing.assert_allclose(limit, fits[-1], atol=1e-9)


def test_rows_that_only_repeat_change_no_fit():
    X, y, _ = draw(4, 9)
    path = min_norm_path(np.tile(X, (5, 1)), np.tile(y, 5))
    np.testing.assert_allclose(path[4:], np.broadcast_to(path[4], path[4:].shape), atol=1e-13)


@pytest.mark.parametrize("noise", [1e-12, 1e-17])
def test_row_counts_as_in_the_span_within_rounding_only(noise):
    X, y, _ = draw(8, 8)
    X[5] = X[1] + noise * X[5]
    longest = np.linalg.norm(min_norm_path(X, y)[6])
    assert (longest > 1e9) == (noise == 1e-12)  # a new direction, however short, is fitted


@pytest.mark.parametrize("degree", [10, 15, 20, 30])
def test_powers_of_one_feature_end_at_their_least_squares_fit(degree):
    t = np.linspace(-1, 1, 60)
    X, y = np.vander(t, degree), np.cos(3 * t)
    residuals = y - np.sum(X * min_norm_path(X, y)[-1], axis=1)
    best = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(np.linalg.norm(residuals), np.linalg.norm(best), atol=1e-9)


def test_row_repeated_beyond_d_is_fine():
    X, y, beta = draw(12, 6)
    X[8] = X[1]
    np.testing.assert_allclose(risk_curve(X, y, beta), reference.risk_curve(X, y, beta), rtol=1e-10)


@pytest.mark.parametrize("length", [1e-200, 1e-9, 1e9, 1e140])
def test_scale_of_the_features_does_not_matter(length):
    X, y, _ = draw(30, 12)
    scaled = min_norm_path(length * X, y) * length
    np.testing.assert_allclose(scaled, min_norm_path(X, y), rtol=1e-9)


def test_ridge_with_an_infinite_penalty_is_0_and_with_a_small_one_nears_the_minimum_norm_fit():
    X, y, _ = draw(30, 12)
    assert not ridge_path(X, y, np.inf).any()
    n = np.append(np.arange(10), np.arange(15, 31))
    small = ridge_path(X, y, 1e-11)
    np.testing.assert_allclose(small[n], min_norm_path(X, y)[n], rtol=1e-6, atol=1e-9)


def test_ridge_with_blocks_of_long_rows_equals_one_fit_per_n():
    X, y, _ = draw(90, 5)
    X[70:] *= 1e5  # beside the rows before them they are too long to be squared
    prior = np.sqrt(0.1) * np.eye(5), np.zeros(5)
    fits = [
        np.linalg.lstsq(np.vstack([prior[0], X[:n]]), np.append(prior[1], y[:n]), rcond=None)[0]
        for n in range(91)
    ]
    np.testing.assert_allclose(ridge_path(X, y, 0.1), fits, rtol=1e-8)


def test_least_expected_sample_size_has_a_finite_expectation():
    assert best_sample_size(10, sigma=0.01, beta_norm=1.0) == 8
    assert best_sample_size(10, sigma=0.0, beta_norm=1.0) == 9
    assert best_sample_size(10, sigma=1.0, beta_norm=1.0) == 0
    assert best_sample_size(10, sigma=0.0, beta_norm=0.0) == 0
    assert best_sample_size(1, sigma=0.1, beta_norm=1.0) == 0


@pytest.mark.parametrize("d", [2, 3, 10, 137])
@pytest.mark.parametrize("sigma", [1e-200, 1e-9, 0.01, 0.1, 0.5, 0.93, 0.99, 1.0, 3.0])
def test_least_expected_sample_size_is_that_of_all(d, sigma):
    risks = expected_risk(np.arange(d), d, sigma=sigma, beta_norm=1.0).excess
    assert best_sample_size(d, sigma=sigma, beta_norm=1.0) == np.argmin(risks)


def test_best_penalty_without_a_signal_is_infinite_and_leaves_no_risk():
    best = best_penalty(7, sigma=0.5, beta_norm=0.0)
    assert best == np.inf
    n = np.array([0, 3, 7, 20])
    assert not ridge_risk(n, 7, best, sigma=0.5, beta_norm=0.0).excess.any()
    assert not tuned_ridge_risk(n, 7, sigma=0.5, beta_norm=0.0).any()
    whole = ridge_risk(n, 7, np.inf, sigma=0.5, beta_norm=2.0)
    assert [part.tolist() for part in whole] == [[4.0] * 4, [0.0] * 4, [4.0] * 4]


def test_every_further_sample_amplifies_the_noise_up_to_n_equals_d():
    X = draw(40, 40)[0]
    noise = [np.linalg.norm(np.linalg.pinv(X[:n])) ** 2 for n in range(1, 41)]
    assert np.all(np.diff(noise) > 0)
    expected = expected_risk(np.arange(39), 40, sigma=1.0, beta_norm=0.0).variance
    assert np.all(np.diff(expected) > 0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int64"])
def test_tensors_and_lists_are_taken_as_their_numbers(dtype):
    torch = pytest.importorskip("torch")
    X, y, beta = (torch.tensor(8 * part).to(getattr(torch, dtype)) for part in draw(9, 4))
    if X.is_floating_point():
        X.requires_grad_()
    arrays = [part.detach().double().numpy() for part in (X, y, beta)]
    lists = [part.tolist() for part in arrays]
    for call in (
        risk_curve,
        lambda X, y, beta: min_norm_path(X, y),
        lambda X, y, beta: ridge_path(X, y, 0.5),
        lambda X, y, beta: ridge_risk_curve(X, y, beta, 0.5),
        lambda X, y, beta: GradientDescent(X).estimates(y, [3]),
        lambda X, y, beta: GradientDescent(X).risk(beta, [3], sigma=0.1).excess,
    ):
        expected = call(*arrays)
        assert expected.dtype == np.float64
        np.testing.assert_array_equal(call(X, y, beta), expected)
        np.testing.assert_array_equal(call(*lists), expected)
    n = torch.tensor([1, 9])
    np.testing.assert_array_equal(
        expected_risk(n, 4, sigma=0.1, beta_norm=1.0),
        expected_risk([1, 9], 4, sigma=0.1, beta_norm=1.0),
    )


@pytest.mark.parametrize("kind", ["complex64", "meta"])
def test_tensor_without_real_numbers_is_refused(kind):
    torch = pytest.importorskip("torch")
    X = torch.ones(3, 2, device="meta") if kind == "meta" else torch.ones(3, 2, dtype=torch.cfloat)
    with pytest.raises(ValueError, match="X must be real numbers in a regular shape"):
        risk_curve(X, np.ones(3), np.ones(2))


@pytest.mark.parametrize("sigma", [1e-300, 1e50])
@pytest.mark.parametrize("beta_norm", [1e-300, 1e50])
def test_settings_at_the_ends_of_the_range_overflow_nowhere(sigma, beta_norm):
    n = [0, 5, 9, 10, 30]
    setting = {"sigma": sigma, "beta_norm": beta_norm}
    for risk in (
        expected_risk(n, 10, **setting).excess,
        limiting_risk([0.5, 1.0, 2.0], **setting).excess,
        ridge_risk(n, 10, 2.0, **setting).excess,
        tuned_ridge_risk(n, 10, **setting),
    ):
        assert not np.isnan(risk).any()
    assert best_penalty(10, **setting) >= 0
    assert 0 <= best_sample_size(10, **setting) < 9


def test_empty_inputs_have_empty_answers():
    X, y, beta = np.zeros((0, 3)), np.zeros(0), np.ones(3)
    assert risk_curve(X, y, beta).tolist() == pytest.approx([3.0])
    assert min_norm_path(X, y).tolist() == [[0.0] * 3]
    assert ridge_path(X, y, 1.0).tolist() == [[0.0] * 3]
    assert ridge_risk_curve(X, y, beta, 1.0).tolist() == [3.0]
    assert expected_risk([], 3, sigma=0.1, beta_norm=1.0).excess.shape == (0,)
    rng = np.random.default_rng(0)
    nothing = sample_risk_curves(0, 3, sigma=0.1, beta_norm=2.0, trials=2, rng=rng)
    assert nothing.tolist() == [[4.0], [4.0]]
    none = sample_risk_curves(5, 3, sigma=0.1, beta_norm=2.0, trials=0, rng=rng)
    assert none.shape == (0, 6)


X, Y, BETA = np.eye(3, 2) + 1, np.ones(3), np.ones(2)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: risk_curve(np.ones(3), Y, BETA), r"X has shape \(3,\), but it must be \(rows"),
        (lambda: risk_curve(np.ones((3, 0)), Y, BETA), r"X has shape \(3, 0\), but it must be"),
        (lambda: risk_curve(X, Y[:2], BETA), r"y has shape \(2,\), but X of shape \(3, 2\) needs"),
        (lambda: risk_curve(X, Y, Y), r"beta has shape \(3,\), but X of shape \(3, 2\) needs"),
        (lambda: risk_curve(X, Y * np.nan, BETA), "y holds a value that is not finite"),
        (lambda: risk_curve(X * np.inf, Y, BETA), "X holds a value that is not finite"),
        (lambda: risk_curve(X, Y, BETA * np.nan), "beta holds a value that is not finite"),
        (lambda: risk_curve(X * 1e160, Y, BETA), r"X holds 2e\+160, whose square overflows"),
        (lambda: risk_curve(X * 1j, Y, BETA), "X must be real numbers .* of type complex128"),
        (lambda: min_norm_path([[1.0, 2.0], [3.0]], BETA), "X must be real numbers in a regular"),
        (lambda: min_norm_path(X, ["a", "b", "c"]), "y must be real numbers in a regular shape"),
        (lambda: ridge_path(X, Y, 0.0), "penalty is 0, but ridge needs one above 0"),
        (lambda: ridge_path(X, Y, np.nan), "penalty is nan, but ridge needs one above 0"),
        (lambda: ridge_path(X, Y, 1e-20), "penalty is 1e-20, but beside features of this size"),
        (lambda: ridge_risk_curve(X, Y, Y, 1.0), r"beta has shape \(3,\), but X of shape \(3, 2\)"),
        (lambda: GradientDescent(1.0), r"X has shape \(\), but it must be \(rows, features\)"),
        (lambda: GradientDescent(X * np.nan), "X holds a value that is not finite; drop its row"),
        (lambda: GradientDescent(X, np.nan), "step_size is nan, but it must be finite"),
        (lambda: GradientDescent(X, np.inf), "step_size is inf, but it must be finite"),
        (lambda: GradientDescent(X).estimates(Y * np.nan, [1]), "y holds a value that is not"),
        (lambda: GradientDescent(X).estimates(Y, [np.nan]), r"steps are \[nan\], but they must be"),
        (
            lambda: GradientDescent(X).risk(BETA * np.nan, [1], sigma=0.1),
            "beta holds a value that is not finite; drop",
        ),
        (lambda: GradientDescent(X).risk(BETA, [1], sigma=np.nan), "sigma is nan, but it must"),
        (lambda: GradientDescent(X).best_stop(BETA, sigma=-1.0), "sigma is -1, but it must be"),
        (
            lambda: ridge_risk(3, 2, -1.0, sigma=0.1, beta_norm=1.0),
            "penalty is -1, but ridge needs one above 0; without a penalty call expected_risk",
        ),
        (lambda: expected_risk(-1, 2, sigma=0.1, beta_norm=1.0), "n is -1, but it must be finite"),
        (lambda: expected_risk([1, np.nan], 2, sigma=0.1, beta_norm=1.0), "n is nan, but it must"),
        (lambda: expected_risk(np.inf, 2, sigma=0.1, beta_norm=1.0), "n is inf, but it must"),
        (lambda: expected_risk(1, 0, sigma=0.1, beta_norm=1.0), "d is 0, but it must be a whole"),
        (lambda: inputs.setting(2.5, 0.1, 1.0), "d is 2.5, but it must be a"),
        (lambda: inputs.setting(np.nan, 0.1, 1.0), "d is nan, but it must be a"),
        (
            lambda: expected_risk(1, 2, sigma=-0.1, beta_norm=1.0),
            "sigma is -0.1, but it must be between 0 and",
        ),
        (lambda: expected_risk(5, 10, sigma=np.nan, beta_norm=1.0), "sigma is nan, but it must be"),
        (lambda: expected_risk(1, 2, sigma=0.1, beta_norm=np.inf), "beta_norm is inf, but it must"),
        (
            lambda: inputs.setting(2, [0.1], 1.0),
            r"sigma has shape \(1,\), but it",
        ),
        (lambda: limiting_risk(-0.5, sigma=0.1, beta_norm=1.0), "gamma is -0.5, but it must be"),
        (lambda: tuned_ridge_risk(-1, 2, sigma=0.1, beta_norm=1.0), "n is -1, but it must be"),
        (lambda: best_sample_size(5, sigma=np.nan, beta_norm=1.0), "sigma is nan, but it"),
        (lambda: best_penalty(0, sigma=0.1, beta_norm=1.0), "d is 0, but it must be"),
        (
            lambda: sample_risk_curves(
                -1, 2, sigma=0.1, beta_norm=1.0, trials=1, rng=np.random.default_rng(0)
            ),
            "num_rows is -1, but it must be a whole number from 0 on",
        ),
        (
            lambda: inputs.count("trials", 1.5, 0),
            "trials is 1.5, but it must be a whole number from 0 on",
        ),
        (lambda: GradientDescent(X, 9.0), r"The step size is [\d.]+ times too large"),
        (lambda: GradientDescent(X, -1.0), "step_size is -1, but it must be finite and above 0"),
        (lambda: GradientDescent(X, Y), r"step_size has shape \(3,\), but it must be one number"),
        (lambda: GradientDescent(X).estimates(BETA, [1]), r"y has shape \(2,\), but X needs"),
        (
            lambda: GradientDescent(X).risk(Y, [1], sigma=0.1),
            r"beta has shape \(3,\), but X of shape \(3, 2\) needs \(2,\)",
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


def claims():
    text = Path(__file__).with_name("paper.toml").read_text()
    document = tomllib.loads(text)
    tables = document["claim"] + document["check"]
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
def test_experiment_of_every_claim_runs_small_and_repeats(run, metric, config, monkeypatch):
    wines = np.random.default_rng(0).standard_normal((1500, 12))  # the real ones are not everywhere
    monkeypatch.setattr(experiments, "table", lambda name: wines)
    config = {**config, **SMALLEST[run]}
    if "distinct" in config:
        config["distinct"] = 4
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
