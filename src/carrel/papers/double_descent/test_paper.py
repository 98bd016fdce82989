import subprocess
import sys

import numpy as np
import pytest

from carrel.papers.double_descent import (
    expected_risk,
    min_norm_path,
    ridge_path,
    risk_curve,
)

from . import experiments, reference


SIZES = [(7, 12), (12, 12), (13, 12), (14, 12), (15, 12), (200, 12), (5, 1), (0, 3)]


def draw(num_rows, d, seed=0, sigma=0.3):
    rng = np.random.default_rng(seed)
    return experiments.draw_sample(rng, num_rows, d, sigma=sigma, beta_norm=1.0)


def test_two_rows_in_three_dimensions_worked_by_hand():
    X = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    beta = np.array([1.0, 2.0, 3.0])
    y = np.array([1.5, 3.0])  # noise 0.5 and 0
    # No row: 14. Row 1 gives (1.5, 0, 0): 0.25 + 4 + 9. Both give (1.5, 1.5, 0): 0.25 + 0.25 + 9.
    np.testing.assert_allclose(risk_curve(X, y, beta), [14.0, 13.25, 9.5])


def test_least_expected_risk_at_d_1000_is_at_899():
    excess = expected_risk(np.arange(1000), 1000, sigma=0.1, beta_norm=1.0).excess
    assert np.argmin(excess) == 899
    assert round(float(excess[899]), 4) == 0.1909


@pytest.mark.parametrize(("num_rows", "d"), SIZES)
def test_curve_equals_one_fit_per_n(num_rows, d):
    X, y, beta = draw(num_rows, d)
    np.testing.assert_allclose(risk_curve(X, y, beta), reference.risk_curve(X, y, beta), rtol=1e-10)


@pytest.mark.parametrize(("num_rows", "d"), SIZES)
def test_paths_equal_one_fit_per_n(num_rows, d):
    X, y, _ = draw(num_rows, d)
    for n, (fit, ridge) in enumerate(zip(min_norm_path(X, y), ridge_path(X, y, 0.7), strict=True)):
        np.testing.assert_allclose(fit, reference.min_norm_fit(X[:n], y[:n]), atol=1e-10)
        np.testing.assert_allclose(ridge, reference.ridge_fit(X[:n], y[:n], 0.7), atol=1e-10)


def test_row_in_the_span_of_earlier_rows_is_named():
    X, y, beta = draw(9, 6)
    X[3] = X[0] - 2 * X[2]
    with pytest.raises(ValueError, match="Row 3 lies in the span of the rows before it"):
        risk_curve(X, y, beta)
    with pytest.raises(ValueError, match="Row 3 lies in the span of the rows before it"):
        min_norm_path(X, y)


@pytest.mark.parametrize("estimator", ["min_norm", "tuned_ridge"])
def test_risk_curve_experiment_runs_small_and_repeats(estimator):
    first = experiments.risk_curve(seed=3, d=10, trials=2, estimator=estimator)
    again = experiments.risk_curve(seed=3, d=10, trials=2, estimator=estimator)
    assert first.values == again.values
    assert set(first.values) == {"rise", "peak_offset", "closed_form_gap"}
    assert len(first.arrays["n"]) == 21


def test_importing_the_folder_loads_no_torch():
    code = "import sys, carrel.papers.double_descent.experiments; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
