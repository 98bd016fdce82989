import numpy as np
import pytest

from . import experiments, reference
from .model import mean_of


def test_mean_of_three_numbers_worked_by_hand():
    assert mean_of(np.array([1.0, 2.0, 6.0])) == 3.0


@pytest.mark.parametrize("n", [1, 3, 7])
def test_model_equals_reference(n):
    draws = np.random.default_rng(0).normal(size=n)
    assert mean_of(draws) == pytest.approx(reference.m(draws.tolist()), rel=1e-14)


def test_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="The mean of no draws is undefined"):
        mean_of(np.empty((2, 0)))


def test_experiments_run_at_their_smallest():
    assert experiments.error_ratio(seed=0, num_draws=4, num_trials=50).values["ratio"] > 1
    curve = experiments.error_curve(seed=0, num_trials=50)
    assert len(curve.arrays["error"]) == len(curve.arrays["num_draws"])
