"""What the risk of least squares on isotropic Gaussian features is: expected, in the limit, in law.

The setting of all of it: x ~ N(0, I_d), y = <x, beta> + N(0, sigma^2). Excess risk is
||estimate - beta||^2, so that the mean squared test error is the excess risk + sigma^2.

Source: https://arxiv.org/abs/1912.07242v1, Claims 1 and 2 and section 3.1.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from .inputs import Numbers, count, penalty_above_0, setting, sizes


class Risk(NamedTuple):
    """Excess risk and its two parts over the draw of the whole sample, features and noise.

    bias2: ||E[estimate] - beta||^2. variance: E||estimate - E[estimate]||^2. excess: their sum.
    Each has the shape of the sample sizes asked for.
    """

    bias2: Float64[np.ndarray, "..."]
    variance: Float64[np.ndarray, "..."]
    excess: Float64[np.ndarray, "..."]


def expected_risk(n: Numbers, d: int, *, sigma: float, beta_norm: float) -> Risk:
    """Return the exact expected risk of the minimum-norm fit to n samples in d dimensions.

    Where |n - d| <= 1 and sigma > 0 the expectation is infinite: plot medians there.

    Args:
        n: numbers of samples, any shape, not negative.
        d: number of features, at least 1.
        sigma: standard deviation of the noise.
        beta_norm: Euclidean norm of the true coefficients.

    Raises:
        ValueError: an n, sigma or beta_norm that is negative or NaN, or d < 1; says the value.

    Source: the mean of an inverse Wishart matrix; the limit is Claims 1 and 2 of the paper.
    """
    n, (d, sigma, beta_norm) = sizes(n), setting(d, sigma, beta_norm)
    return _min_norm_risk(n / d, (np.abs(n - d) - 1) / d, sigma, beta_norm)


def limiting_risk(gamma: Numbers, *, sigma: float, beta_norm: float) -> Risk:
    """Return the risk of the minimum-norm fit as n and d grow with n / d = gamma.

    Source: Claim 1 (gamma < 1) and Claim 2 (gamma > 1). Infinite at gamma = 1 if sigma > 0.
    """
    gamma, (_, sigma, beta_norm) = sizes(gamma, "gamma"), setting(1, sigma, beta_norm)
    return _min_norm_risk(gamma, np.abs(gamma - 1), sigma, beta_norm)


def _min_norm_risk(
    gamma: float | np.ndarray, gap: float | np.ndarray, sigma: float, beta_norm: float
) -> Risk:
    """The risk at gamma samples per feature; the noise is amplified by min(gamma, 1) / gap."""
    unseen = np.maximum(1 - gamma, 0.0)  # share of the coefficients outside the row space
    bias2 = unseen**2 * beta_norm**2
    noise = np.full(np.shape(gap), np.inf if sigma > 0 else 0.0)
    np.divide(sigma**2 * np.minimum(gamma, 1.0), gap, out=noise, where=gap > 0)
    variance = unseen * (1 - unseen) * beta_norm**2 + noise
    return Risk(bias2, variance, bias2 + variance)


def best_sample_size(d: int, *, sigma: float, beta_norm: float) -> int:
    """Return the n below d at which the expected risk is least, the smallest if there are several.

    From it to n = d every further sample hurts, if there is noise. It is 0 if the noise is so large
    (sigma close to beta_norm or more) that the first sample hurts already, and at most d - 2
    otherwise: the expectation is infinite at d - 1. Without noise no sample hurts, and it is d - 1.
    """
    d, sigma, beta_norm = setting(d, sigma, beta_norm)
    if sigma >= beta_norm:
        return 0
    # The risk is convex in n, and this is where its derivative is 0.
    turn = max(d - 1 - sigma / beta_norm * np.sqrt(d * (d - 1)), 0.0)
    nearest = np.unique(np.clip([np.floor(turn), np.ceil(turn), d - 2], 0, d - 1))
    risks = expected_risk(nearest, d, sigma=sigma, beta_norm=beta_norm).excess
    return int(nearest[np.argmin(risks)])


def ridge_risk(n: Numbers, d: int, penalty: float, *, sigma: float, beta_norm: float) -> Risk:
    """Return the risk of ridge regression, argmin ||y - X b||^2 + penalty ||b||^2, for large n, d.

    Exact in the limit n / d fixed; at finite n and d it is off by O(1 / d).

    Raises:
        ValueError: the penalty is not positive (then it is `expected_risk`).

    Source: Hastie et al., https://arxiv.org/abs/1903.08560, in its self-consistent form.
    """
    n, (d, sigma, beta_norm) = sizes(n), setting(d, sigma, beta_norm)
    penalty = penalty_above_0(penalty, instead="expected_risk")
    if np.isinf(penalty):
        whole = np.full(n.shape, beta_norm**2)
        return Risk(whole, np.zeros(n.shape), whole)
    # kappa >= 0 solves penalty = kappa (n - d / (1 + kappa)): the ridge that infinitely many
    # samples would need for the same shrinkage. n = 0 is the limit kappa -> infinity.
    half = (penalty + d - n) / 2
    root = np.hypot(half, np.sqrt(penalty) * np.sqrt(n))
    # n kappa, with no difference of near equals.
    shrink = np.where(half < 0, penalty / np.where(half < 0, root - half, np.inf) * n, half + root)
    kept = n / (n + shrink)  # 1 / (1 + kappa): E[estimate] = kept beta
    lost = shrink / (n + shrink)
    bias2 = lost**2 * beta_norm**2
    free = penalty / shrink * n + d * kept * lost  # n - d kept^2, by the equation for kappa
    excess = (bias2 * n + sigma**2 * d * kept**2) / np.where(n > 0, free, 1.0)
    excess = np.where(n > 0, excess, beta_norm**2)
    return Risk(bias2, excess - bias2, excess)


def best_penalty(d: int, *, sigma: float, beta_norm: float) -> float:
    """Return the ridge penalty with the least risk: d sigma^2 / beta_norm^2, the same for every n.

    It is infinite where there is no signal, and 0, which means no ridge, where there is no noise.

    Source: Nakkiran et al., https://arxiv.org/abs/2003.01897.
    """
    d, sigma, beta_norm = setting(d, sigma, beta_norm)
    return d * (sigma / beta_norm) * (sigma / beta_norm) if beta_norm > 0 else np.inf


def tuned_ridge_risk(
    n: Numbers, d: int, *, sigma: float, beta_norm: float
) -> Float64[np.ndarray, "..."]:
    """Return the excess risk of ridge with the best penalty for large n and d: it falls with n.

    It is the positive root of r^2 - q r - sigma^2 beta_norm^2, where q is
    beta_norm^2 (1 - n / d) - sigma^2.
    """
    n, (d, sigma, beta_norm) = sizes(n), setting(d, sigma, beta_norm)
    q = beta_norm**2 * (1 - n / d) - sigma**2
    root = np.sqrt(q**2 + 4 * sigma**2 * beta_norm**2)
    # For q < 0 the second form has no cancellation.
    return np.where(
        q >= 0, (q + root) / 2, 2 * sigma**2 * beta_norm**2 / np.where(q < 0, root - q, 1.0)
    )


def sample_risk_curves(
    num_rows: int,
    d: int,
    *,
    sigma: float,
    beta_norm: float,
    trials: int,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "trials sizes"]:
    """Draw excess risks of the minimum-norm fit without drawing data: O(num_rows) a trial.

    Each entry has exactly the law it has in `risk_curve` on a sample from the paper's setting.
    The entries 0 <= n <= d of one trial also have the right law together; those beyond d are
    right one by one only.

    Why it is so short: let R be the triangular factor of the features, whose entries are
    independent (Bartlett). Solving R u = noise entry by entry, each entry of u is Gaussian given
    those before it, so that sigma^2 + ||u||^2 is multiplied by 1 + chi2(1) / chi2(k) each time.

    Args:
        num_rows: N, the largest number of samples.
        d: number of features, at least 1.
        sigma: standard deviation of the noise.
        beta_norm: Euclidean norm of the true coefficients.
        trials: number of curves.
        rng: where the randomness comes from.

    Returns:
        (trials, N + 1).

    Raises:
        ValueError: as in `expected_risk`.
    """
    d, sigma, beta_norm = setting(d, sigma, beta_norm)
    num_rows, trials = count("num_rows", num_rows, 0), count("trials", trials, 0)
    n = np.arange(num_rows + 1)
    largest = max(num_rows, d)
    dof = np.arange(1, largest + 1)
    factors = np.log1p(rng.chisquare(1, (trials, largest)) / rng.chisquare(dof, (trials, largest)))
    sums = np.zeros((trials, largest + 1))
    np.cumsum(factors, axis=1, out=sums[:, 1:])
    # n samples use min(n, d) factors, with |n - d| + 1, ..., max(n, d) degrees of freedom.
    noise = sigma**2 * np.expm1(sums[:, np.maximum(n, d)] - sums[:, np.abs(n - d)])
    squares = rng.chisquare(1, (trials, d))  # of the coordinates of beta, up to its length
    unseen = np.zeros((trials, largest + 1))
    unseen[:, :d] = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1]
    return noise + beta_norm**2 * (unseen / unseen[:, :1])[:, : num_rows + 1]
