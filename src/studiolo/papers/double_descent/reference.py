"""The estimators of the paper, one fit at a time, in its letters.

X (N, d) features, y (N,) targets, n the number of rows used, b the true coefficients (beta),
b_hat an estimate of them. Everything in model.py must equal these, row by row.
"""

import numpy as np
from jaxtyping import Float


Array = np.ndarray


def min_norm_fit(X: Float[Array, "n d"], y: Float[Array, "n"]) -> Float[Array, "d"]:
    """b_hat = X^+ y: of all least-squares fits the one with the smallest norm."""
    return np.linalg.pinv(X) @ y


def ridge_fit(X: Float[Array, "n d"], y: Float[Array, "n"], lam: float) -> Float[Array, "d"]:
    """b_hat = (X'X + lam I)^-1 X'y."""
    return np.linalg.solve(X.T @ X + lam * np.eye(X.shape[1]), X.T @ y)


def excess_risk(b_hat: Float[Array, "d"], b: Float[Array, "d"]) -> float:
    """E_x <x, b_hat - b>^2 over x ~ N(0, I_d) = ||b_hat - b||^2."""
    return float(np.sum((b_hat - b) ** 2))


def risk_curve(
    X: Float[Array, "N d"], y: Float[Array, "N"], b: Float[Array, "d"]
) -> Float[Array, "sizes"]:
    """Excess risk of the fit to the first n rows, n = 0, ..., N: one pseudo-inverse per n."""
    fits = [min_norm_fit(X[:n], y[:n]) for n in range(len(X) + 1)]
    return np.array([excess_risk(b_hat, b) for b_hat in fits])


def gradient_descent(
    X: Float[Array, "n d"], y: Float[Array, "n"], steps: int, eta: float | Float[Array, "d"]
) -> Float[Array, "d"]:
    """b <- b + eta X'(y - X b) / n, `steps` times from 0; eta may be one number per feature."""
    b_hat = np.zeros(X.shape[1])
    for _ in range(steps):
        b_hat = b_hat + eta * (X.T @ (y - X @ b_hat)) / len(X)
    return b_hat


def recursive_fits(X: Float[Array, "N d"], y: Float[Array, "N"]) -> Float[Array, "sizes d"]:
    """The minimum-norm fits row by row: Gram-Schmidt up to n = d, recursive least squares after.

    Each row costs O(d^2). Gram-Schmidt runs twice, since once loses orthogonality near n = d.
    """
    N, d = X.shape
    b_hat = np.zeros(d)
    fits = [b_hat]
    Q = np.zeros((0, d))
    for x, target in zip(X[:d], y[:d], strict=True):
        r = x - (Q @ x) @ Q
        r = r - (Q @ r) @ Q
        b_hat = b_hat + (target - x @ b_hat) / (r @ r) * r
        Q = np.vstack([Q, r / np.sqrt(r @ r)])
        fits.append(b_hat)
    if d < N:
        P = np.linalg.inv(X[:d].T @ X[:d])
        for x, target in zip(X[d:], y[d:], strict=True):
            k = P @ x
            c = 1 + x @ k
            b_hat = b_hat + (target - x @ b_hat) / c * k
            P = P - np.outer(k, k) / c
            fits.append(b_hat)
    return np.array(fits)


def bartlett_risk(n: int, d: int, sigma: float, b_norm: float, rng: np.random.Generator) -> float:
    """One draw of the excess risk at n samples, from the triangular factor of a Gaussian matrix.

    The factor R of an m x k Gaussian matrix, m >= k, has independent entries: on the diagonal chi
    with m, m - 1, ..., m - k + 1 degrees of freedom, N(0, 1) above it. For n <= d it is the factor
    of X', and the noise part of the risk is ||R^-T e||^2; for n >= d it is that of X, and the
    noise part is ||R^-1 e||^2. What n < d rows cannot see of b is a random part of its length.
    """
    m, k = max(n, d), min(n, d)
    R = np.triu(rng.standard_normal((k, k)), 1)
    R += np.diag(np.sqrt(rng.chisquare(m - np.arange(k))))
    e = sigma * rng.standard_normal(k)
    u = np.linalg.solve(R.T if n <= d else R, e)
    g = rng.standard_normal(d)
    unseen = b_norm**2 * np.sum(g[k:] ** 2) / np.sum(g**2)
    return float(unseen + u @ u)
