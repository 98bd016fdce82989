"""Experiments: plain functions from a seed and a config to named numbers."""

import numpy as np

from studiolo.runs import Outcome

from .model import mean_of


def error_ratio(*, seed: int, num_draws: int = 64, num_trials: int = 500) -> Outcome:
    """Return how many times smaller the error of a mean of `num_draws` is than the error of one draw."""
    draws = np.random.default_rng(seed).normal(size=(2, num_trials, num_draws))
    single = np.sqrt((draws[0, :, 0] ** 2).mean())
    mean = np.sqrt((mean_of(draws[1]) ** 2).mean())
    return Outcome({"ratio": single / mean})


def error_curve(*, seed: int, num_trials: int = 500) -> Outcome:
    """Return the error of means of 1, 2, 4 .. 64 draws."""
    num_draws = [1, 2, 4, 8, 16, 32, 64]
    draws = np.random.default_rng(seed).normal(size=(num_trials, max(num_draws)))
    error = [float(np.sqrt((mean_of(draws[:, :n]) ** 2).mean())) for n in num_draws]
    theory = [n**-0.5 for n in num_draws]
    return Outcome(
        {"last_error": error[-1]},
        arrays={"num_draws": num_draws, "error": error, "theory": theory},
    )
